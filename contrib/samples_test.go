// SPDX-License-Identifier: Apache-2.0

package contrib

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"
)

const installed = "/usr/local/sbin/skiff"

// samples has each sample with the values that make it work. A key is a path in the
// parsed file, with / between the names.
var samples = map[string]map[string]any{
	"engines/containerd-1.toml": {
		"version": int64(2),
		"plugins/io.containerd.grpc.v1.cri/containerd/runtimes/runc/runtime_type":           "io.containerd.runc.v2",
		"plugins/io.containerd.grpc.v1.cri/containerd/runtimes/skiff/runtime_type":          "io.containerd.runc.v2",
		"plugins/io.containerd.grpc.v1.cri/containerd/runtimes/skiff/options/BinaryName":    installed,
		"plugins/io.containerd.grpc.v1.cri/containerd/runtimes/skiff/options/SystemdCgroup": true,
	},
	"engines/containerd-2.toml": {
		"version": int64(3),
		"plugins/io.containerd.cri.v1.runtime/containerd/runtimes/skiff/runtime_type":          "io.containerd.runc.v2",
		"plugins/io.containerd.cri.v1.runtime/containerd/runtimes/skiff/options/BinaryName":    installed,
		"plugins/io.containerd.cri.v1.runtime/containerd/runtimes/skiff/options/SystemdCgroup": true,
	},
	"engines/crio.conf": {
		"crio/runtime/runtimes/skiff/runtime_path": installed,
		"crio/runtime/runtimes/skiff/runtime_type": "oci",
		"crio/runtime/runtimes/skiff/runtime_root": "/run/skiff",
	},
	"engines/buildkitd.toml": {
		"worker/oci/binary":                            installed,
		"worker/containerd/runtime/name":               "io.containerd.runc.v2",
		"worker/containerd/runtime/options/BinaryName": installed,
	},
	"engines/docker.json": {
		"runtimes/skiff/path": installed,
	},
	"engines/podman.conf": {
		"engine/runtime":                   "skiff",
		"engine/runtime_supports_nocgroup": []any{"skiff"},
		"engine/runtimes/skiff":            []any{installed, "/usr/bin/skiff"},
	},
	"kubernetes/runtimeclass.yaml": {
		"apiVersion":    "node.k8s.io/v1",
		"kind":          "RuntimeClass",
		"metadata/name": "skiff",
		"handler":       "skiff",
		"scheduling/nodeSelector/skiff-oci.github.io~runtime": "true",
	},
	"kubernetes/pod.yaml": {
		"apiVersion":            "v1",
		"kind":                  "Pod",
		"spec/runtimeClassName": "skiff",
	},
	"systemd/user-delegate.conf": {
		"Service/Delegate": "cpu cpuset io memory pids",
	},
}

// parse reads a file in the format that its name says.
func parse(name string) (values map[string]any, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	switch {
	case filepath.Ext(name) == ".json":
		err = json.Unmarshal(text, &values)
	case filepath.Ext(name) == ".yaml", filepath.Ext(name) == ".yml":
		err = yaml.Unmarshal(text, &values)
	case filepath.Dir(name) == "systemd":
		values, err = parseUnit(string(text))
	default:
		err = toml.Unmarshal(text, &values)
	}
	return values, err
}

// parseUnit reads the simple part of systemd's syntax that the samples need.
func parseUnit(text string) (map[string]any, error) {
	values, section := map[string]any{}, map[string]any(nil)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, isSection := strings.CutPrefix(line, "[")
		key, value, isValue := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isSection && strings.HasSuffix(name, "]"):
			section = map[string]any{}
			values[strings.TrimSuffix(name, "]")] = section
		case isValue && section != nil:
			section[key] = value
		default:
			return nil, fmt.Errorf("%q is neither a section nor a value in one", line)
		}
	}
	return values, nil
}

// at returns the value at a path. In a name, ~ stands for a slash.
func at(values map[string]any, path string) any {
	var value any = values
	for name := range strings.SplitSeq(path, "/") {
		table, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = table[strings.ReplaceAll(name, "~", "/")]
	}
	return value
}

func TestSamples(t *testing.T) {
	for name, want := range samples {
		values, err := parse(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for path, value := range want {
			if got := at(values, path); !reflect.DeepEqual(got, value) {
				t.Errorf("%s: %s is %#v, want %#v", name, path, got, value)
			}
		}
	}
}

// Each file is in the table, so none goes untested.
func TestSamplesAreListed(t *testing.T) {
	for _, dir := range []string{"engines", "kubernetes", "systemd"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if name := filepath.Join(dir, entry.Name()); samples[name] == nil {
				t.Errorf("%s is not in the table of samples", name)
			}
		}
	}
}

// README.md shows the configuration of the engines: each sample without its comments.
func TestReadmeHasSamples(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]bool)
	for line := range strings.Lines(string(readme)) {
		lines[strings.TrimSpace(line)] = true
	}
	for name := range samples {
		if filepath.Dir(name) != "engines" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") && !lines[line] {
				t.Errorf("README.md does not have %s's line %q", name, line)
			}
		}
	}
}

// The files for a public host of the repository are YAML, and each step of a workflow
// does something.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/*.yml")
	more, err2 := filepath.Glob("../.github/*/*.yml")
	if files = append(files, more...); err != nil || err2 != nil || len(files) < 5 {
		t.Fatalf("found %q: %v, %v", files, err, err2)
	}
	for _, name := range files {
		values, err := parse(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if filepath.Base(filepath.Dir(name)) != "workflows" {
			continue
		}
		jobs, _ := values["jobs"].(map[string]any)
		if len(jobs) == 0 {
			t.Errorf("%s has no jobs", name)
		}
		for id := range jobs {
			steps, _ := at(jobs, id+"/steps").([]any)
			if len(steps) == 0 {
				t.Errorf("%s: job %s has no steps", name, id)
			}
			for i, step := range steps {
				if run, uses := at(step.(map[string]any), "run"), at(step.(map[string]any), "uses"); (run == nil) == (uses == nil) {
					t.Errorf("%s: job %s: step %d has run %v and uses %v", name, id, i, run, uses)
				}
			}
		}
	}
}

// A sample for another runtime names skiff nowhere but in comments.
func TestEngine(t *testing.T) {
	for name := range samples {
		if filepath.Dir(name) != "engines" {
			continue
		}
		text, err := Engine(filepath.Base(name), "other", "/opt/program")
		if err != nil || !strings.Contains(text, "/opt/program") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.Contains(line, "skiff") && !strings.HasPrefix(line, "runtime_root") {
				t.Errorf("%s still says %s", name, line)
			}
		}
	}
	if _, err := Engine("none", "other", "/opt/program"); err == nil {
		t.Error("there is a sample for none")
	}
}
