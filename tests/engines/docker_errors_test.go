// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"path/filepath"
	"testing"
)

// dockerd derives the exit code from words in the runtime's message (127: not found, 126: cannot be executed), and
// containerd takes that message from the runtime's log. After each case nothing of the container must be left.
func TestDockerRunOf(t *testing.T) {
	for _, c := range []struct {
		name    string
		command string
		code    int
		words   []string
	}{
		{"a name not in PATH", "nope", 127, []string{`exec: "nope"`, "executable file not found in $PATH"}},
		{"a missing path", "/bin/nope", 127, []string{"/bin/nope", "no such file or directory"}},
		{"a file that is not executable", "/notexec", 126, []string{"/notexec", "permission denied"}},
		{"a directory", "/data", 126, []string{"/data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			docker(t).run(t, nil, c.command).fails(t, c.code, c.words...)
		})
	}
}

func TestDockerRunOfAFileInNoFormat(t *testing.T) {
	// execve(2) fails when the container has already been started: the error can be reported only on the
	// container's stderr.
	o := docker(t).run(t, nil, "/garbage")
	if o.code == 0 {
		t.Errorf("no error: %v", o)
	}
	contains(t, o.err, "/garbage", "exec format error")
}

func TestDockerRunWithAFileMountedOnADirectory(t *testing.T) {
	file := filepath.Join(hostDir(t), "file")
	docker(t).run(t, []string{"-v", file + ":/data"}, "true").failsWith(t, "125|127", "not a directory", "/data", "Are you trying to mount a directory onto a file")
}

func TestDockerRunWithASysctlThatDoesNotExist(t *testing.T) {
	docker(t).run(t, []string{"--sysctl", "net.core.not_there=1"}, "true").fails(t, 127, "net")
}

func TestDockerRunWithAnImpossibleSysctlValue(t *testing.T) {
	o := docker(t).run(t, []string{"--sysctl", "net.core.somaxconn=minus"}, "true")
	if o.code == 0 {
		t.Errorf("no error: %v", o)
	}
	contains(t, o.err, "somaxconn", "invalid argument")
}

func TestDockerRunWithAProcessorThatDoesNotExist(t *testing.T) {
	needController(t, "cpuset")
	o := docker(t).run(t, []string{"--cpuset-cpus", "9999"}, "true")
	if o.code == 0 {
		t.Errorf("no error: %v", o)
	}
}

func TestDockerFailedStartCanBeRepeated(t *testing.T) {
	d := docker(t)
	name := d.reserve(t)
	d.do(t, d.runArgs("create", []string{"--name", name}, "/data/late")...).ok(t)
	d.do(t, "start", "-a", name).fails(t, 1, "no such file or directory")
	archive := newTarball()
	archive.file("data/late", 0o755, []byte("#!/bin/sh\necho late\n"))
	content, err := archive.close()
	if err != nil {
		t.Fatal(err)
	}
	d.feed(t, string(content), "cp", "-", name+":/").ok(t)
	equal(t, "output", d.do(t, "start", "-a", name).ok(t), "late")
}
