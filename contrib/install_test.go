// SPDX-License-Identifier: Apache-2.0

package contrib

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A node is the root directory of a system on which install-node runs.
type node struct {
	*testing.T
	root string
}

// newNode returns a node with the given files, of which a name that ends in a slash is a
// directory.
func newNode(t *testing.T, files map[string]string) node {
	n := node{t, t.TempDir()}
	for name, text := range files {
		path := filepath.Join(n.root, name)
		if strings.HasSuffix(name, "/") {
			path = filepath.Join(path, "x")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// run runs install-node and returns what it prints.
func (n node) run(args ...string) (string, error) {
	n.Helper()
	program := filepath.Join(n.TempDir(), "skiff")
	if err := os.WriteFile(program, []byte("the program"), 0o755); err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command("./install-node", args...)
	cmd.Env = append(os.Environ(), "ROOT="+n.root, "SKIFF="+program, "SYSTEMD_CGROUP=", "PREFIX=/usr/local")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (n node) ok(args ...string) string {
	n.Helper()
	out, err := n.run(args...)
	if err != nil {
		n.Fatalf("install-node %v: %v\n%s", args, err, out)
	}
	return out
}

// files returns the node's files with their content.
func (n node) files() map[string]string {
	n.Helper()
	files := make(map[string]string)
	err := filepath.Walk(n.root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, n.root+"/")] = string(text)
		return err
	})
	if err != nil {
		n.Fatal(err)
	}
	return files
}

const (
	config  = "etc/containerd/config.toml"
	config2 = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n  runtime_type = \"its own\"\n" +
		"  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n"
	config3 = "version = 3\nroot = \"/var/lib/containerd\" # no newline at the end"
	cri1    = "plugins/io.containerd.grpc.v1.cri/containerd/runtimes/"
	cri2    = "plugins/io.containerd.cri.v1.runtime/containerd/runtimes/"
)

// Installed, containerd's configuration has the runtime and all that it had before; a
// second run changes nothing; uninstalled, the files are those of before.
func TestInstallNode(t *testing.T) {
	for name, test := range map[string]struct {
		before map[string]string
		want   map[string]any // of config.toml
	}{
		"containerd 1": {map[string]string{config: config2},
			map[string]any{cri1 + "skiff/options/BinaryName": installed, cri1 + "skiff/options/SystemdCgroup": true, cri1 + "runc/options/SystemdCgroup": true, cri1 + "runc/runtime_type": "its own"}},
		"containerd 2": {map[string]string{config: config3},
			map[string]any{cri2 + "skiff/options/BinaryName": installed, cri2 + "skiff/options/SystemdCgroup": false, "root": "/var/lib/containerd"}},
		"no configuration": {map[string]string{"etc/containerd/": ""},
			map[string]any{"version": int64(2), cri1 + "skiff/options/BinaryName": installed, cri1 + "runc/runtime_type": "io.containerd.runc.v2"}},
		"no runc": {map[string]string{config: "version = 2\n"},
			map[string]any{cri1 + "skiff/options/BinaryName": installed, cri1 + "runc/runtime_type": "io.containerd.runc.v2"}},
		"CRI-O":    {map[string]string{"etc/crio/crio.conf": "[crio]\n"}, nil},
		"two":      {map[string]string{"etc/crio/crio.conf": "[crio]\n", config: config2}, map[string]any{"version": int64(2)}},
		"by hand":  {map[string]string{"etc/crio/": "", "usr/local/sbin/other": "other"}, nil},
		"subtable": {map[string]string{config: config2 + "[grpc]\n"}, map[string]any{cri1 + "skiff/runtime_type": "io.containerd.runc.v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, test.before)
			before := n.files()
			n.ok()
			after := n.files()
			if after["usr/local/sbin/skiff"] != "the program" {
				t.Error("the program is not installed")
			}
			if test.want != nil {
				values, err := parse(filepath.Join(n.root, config))
				if err != nil {
					t.Fatalf("%v\n%s", err, after[config])
				}
				for path, want := range test.want {
					if got := at(values, path); !reflect.DeepEqual(got, want) {
						t.Errorf("%s is %#v, want %#v", path, got, want)
					}
				}
			}
			_, crio := after["etc/crio/crio.conf.d/10-skiff.conf"]
			if _, err := os.Stat(filepath.Join(n.root, "etc/crio")); crio != (err == nil) {
				t.Errorf("CRI-O's file is there: %v", crio)
			}
			if out := n.ok("install"); out != "" || !reflect.DeepEqual(n.files(), after) {
				t.Errorf("the second run changes something: %s", out)
			}
			n.ok("uninstall")
			if before[config] == config3 {
				before[config] += "\n"
			}
			if got := n.files(); !reflect.DeepEqual(got, before) {
				t.Errorf("uninstall leaves %q, want %q", got, before)
			}
			if out := n.ok("uninstall"); out != "" {
				t.Errorf("the second uninstall changes something: %s", out)
			}
		})
	}
}

// A new version of the program takes the place of the old one.
func TestInstallNodeReplaces(t *testing.T) {
	n := newNode(t, map[string]string{config: config2, "usr/local/sbin/skiff": "an older one"})
	n.ok()
	if got := n.files()["usr/local/sbin/skiff"]; got != "the program" {
		t.Errorf("the program is %q", got)
	}
}

func TestInstallNodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		args  []string
		want  string
	}{
		"no engine":       {nil, nil, "neither containerd nor CRI-O"},
		"version 1":       {map[string]string{config: "# nothing\n"}, nil, "has version 1: 2 or 3 is needed"},
		"version 4":       {map[string]string{config: "version = 4\n"}, nil, "has version 4"},
		"another skiff":   {map[string]string{config: config3 + "\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.skiff]\n"}, nil, "not from this script"},
		"unknown command": {map[string]string{config: config2}, []string{"remove"}, "usage:"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, test.files)
			out, err := n.run(test.args...)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("%v, want %q\n%s", err, test.want, out)
			}
			if got := n.files()[config]; got != test.files[config] {
				t.Errorf("config.toml is %q", got)
			}
		})
	}
}
