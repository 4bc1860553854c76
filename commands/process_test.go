// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

// processOf returns the process that an exec with these arguments starts.
func processOf(t *testing.T, stored *specs.Spec, args ...string) (p *specs.Process, err error) {
	t.Helper()
	c := new(call)
	a := c.app()
	cmd := c.command(findVerb("exec"))
	cmd.Action = func(ctx *cli.Context) error {
		p, err = execProcess(ctx, stored)
		return nil
	}
	a.Commands = []*cli.Command{cmd}
	a.Before = nil
	if err := a.Run(append([]string{"skiff", "exec"}, args...)); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return p, err
}

func storedSpec() *specs.Spec {
	return &specs.Spec{Process: &specs.Process{
		Terminal: true,
		Args:     []string{"sh"},
		Cwd:      "/srv",
		Env:      []string{"A=1"},
		User:     specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}},
		Capabilities: &specs.LinuxCapabilities{
			Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"},
			Inheritable: []string{"CAP_SYS_ADMIN"},
		},
	}}
}

func TestExecProcess(t *testing.T) {
	for line, change := range map[string]func(p *specs.Process){
		"x ls -l":              func(p *specs.Process) { p.Args = []string{"ls", "-l"} },
		"x -- ls":              func(*specs.Process) {},
		"-t x ls":              func(p *specs.Process) { p.Terminal = true },
		"--cwd /tmp x ls":      func(p *specs.Process) { p.Cwd = "/tmp" },
		"-e B=1,2 -e C=3 x ls": func(p *specs.Process) { p.Env = []string{"A=1", "B=1,2", "C=3"} },
		"-u 1 x ls":            func(p *specs.Process) { p.User.UID = 1 },
		"-u 1:2 x ls":          func(p *specs.Process) { p.User.UID, p.User.GID = 1, 2 },
		"-u 0:0 x ls":          func(p *specs.Process) { p.User.UID, p.User.GID = 0, 0 },
		"-g 8 -g 9 x ls":       func(p *specs.Process) { p.User.AdditionalGids = []uint32{7, 8, 9} },
		"--no-new-privs x ls":  func(p *specs.Process) { p.NoNewPrivileges = true },
		"--apparmor a x ls":    func(p *specs.Process) { p.ApparmorProfile = "a" },
		"--process-label l x ls": func(p *specs.Process) {
			p.SelinuxLabel = "l"
		},
		"--cap CAP_NET_ADMIN x ls": func(p *specs.Process) {
			both := []string{"CAP_KILL", "CAP_NET_ADMIN"}
			p.Capabilities.Bounding, p.Capabilities.Effective, p.Capabilities.Permitted = both, both, both
		},
		"--cap CAP_SYS_ADMIN x ls": func(p *specs.Process) {
			both := []string{"CAP_KILL", "CAP_SYS_ADMIN"}
			p.Capabilities.Bounding, p.Capabilities.Effective, p.Capabilities.Permitted = both, both, both
			p.Capabilities.Ambient = []string{"CAP_SYS_ADMIN"}
		},
	} {
		want := storedSpec().Process
		want.Args, want.Terminal = []string{"ls"}, false
		change(want)
		stored := storedSpec()
		got, err := processOf(t, stored, strings.Fields(line)...)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", line, got, err, want)
		}
		if !reflect.DeepEqual(stored, storedSpec()) {
			t.Errorf("%s changed the container's configuration", line)
		}
	}
}

func TestExecProcessRefused(t *testing.T) {
	for line, want := range map[string]string{
		"x":                      "process args cannot be empty",
		"x --":                   "process args cannot be empty",
		"-p f x ls":              "cannot use --process f together with",
		"-u 4294967295 x ls":     "--user 4294967295: user",
		"-u 4294967296 x ls":     "--user 4294967296: user",
		"-u -1 x ls":             "--user -1: user",
		"-u 1x x ls":             "--user 1x: user",
		"-u 0x0 x ls":            "--user 0x0: user",
		"-u :5 x ls":             "--user :5: user",
		"-u 1: x ls":             "--user 1:: group",
		"-u 1:2:3 x ls":          "--user 1:2:3: group",
		"-u 1:4294967295 x ls":   "--user 1:4294967295: group",
		"-g 4294967295 x ls":     "--additional-gids: group",
		"-g -1 x ls":             "--additional-gids: group",
		"-c CAP_NOSUCH x ls":     "--cap CAP_NOSUCH: unknown capability",
		"--cap cap_net_admin x ": "process args cannot be empty",
	} {
		if got, err := processOf(t, storedSpec(), strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want an error with %q", line, got, err, want)
		}
	}
}

func TestExecProcessFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "process.json")
	doc := `{"terminal":true,"args":["id"],"cwd":"/x","env":["P=1"],"user":{"uid":3,"gid":4}}`
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := processOf(t, storedSpec(), "--process", file, "x")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Terminal || !slices.Equal(p.Args, []string{"id"}) || p.Cwd != "/x" || p.User.UID != 3 || p.User.GID != 4 || !slices.Equal(p.Env, []string{"P=1"}) {
		t.Errorf("got %+v, want what is in the file", p)
	}
	if p, err = processOf(t, storedSpec(), "-p", file, "-u", "9", "x"); err != nil || p.User.UID != 9 {
		t.Errorf("with --user 9: got %+v, %v", p, err)
	}
}

// A process from a file inherits the container's settings where it has none.
func TestExecProcessInherits(t *testing.T) {
	stored := storedSpec()
	umask, score := uint32(0o27), 7
	process := stored.Process
	process.User.Umask, process.OOMScoreAdj = &umask, &score
	process.ApparmorProfile, process.SelinuxLabel = "profile", "label"
	process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}}
	process.IOPriority, process.Scheduler = &specs.LinuxIOPriority{Priority: 1}, &specs.Scheduler{Policy: specs.SchedBatch}
	process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0"}
	want := *process
	want.Args, want.Cwd, want.Env, want.Terminal = []string{"ls"}, "/", nil, false
	want.User.UID, want.User.GID, want.User.AdditionalGids = 1, 2, nil
	file := filepath.Join(t.TempDir(), "process.json")
	if err := os.WriteFile(file, []byte(`{"args": ["ls"], "cwd": "/", "user": {"uid": 1, "gid": 2}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := processOf(t, stored, "--process", file, "x")
	if err != nil || !reflect.DeepEqual(p, &want) {
		t.Errorf("process %+v, %v\nexpected %+v", p, err, &want)
	}
}
