// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waiting is a command that prints that it runs, and ends with exit code 7 at SIGTERM.
var waiting = []string{"sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"}

func TestCRIContainerLife(t *testing.T) {
	p := cri(t).pod(t)
	id := p.start(t, nil, waiting...)
	p.await(t, id, "RUNNING")
	p.awaitLog(t, id, "ready")
	expectPlace(t, p.pid(t, id))
	p.do(t, "stop", "-t", "30", id).ok(t)
	p.await(t, id, "EXITED")
	equal(t, "exit code", p.status(t, id, "status.exitCode"), "7")
	p.do(t, "rm", id).ok(t)
}

// A probe of the kubelet is an ExecSync, whose exit code is the result.
func TestCRIProbes(t *testing.T) {
	p := cri(t).pod(t)
	id := p.start(t, nil, waiting...)
	equal(t, "output", p.do(t, "exec", "-s", id, "cat", "/data/kept").ok(t), "from the image")
	if o := p.do(t, "exec", "-s", id, "sh", "-c", "exit 3"); o.code == 0 {
		t.Errorf("no error: %v", o)
	} else {
		contains(t, o.out+o.err, "3")
	}
	if o := p.do(t, "exec", "-s", id, "/bin/nope"); o.code == 0 {
		t.Errorf("no error: %v", o)
	} else {
		contains(t, o.out+o.err, "/bin/nope", "no such file or directory")
	}
	if o := p.do(t, "exec", "-s", "--timeout", "1", id, "sleep", "1000"); o.code == 0 {
		t.Errorf("no error: %v", o)
	}
	eventually(t, func() error {
		return p.do(t, "exec", "-s", id, "sh", "-c", "ps | grep '[s]leep 1000' || true").problem("")
	})
}

// The containers of a pod share its namespaces except for the pid namespace, and the pod is in the host's network
// namespace.
func TestCRIPodNamespaces(t *testing.T) {
	p := cri(t).pod(t)
	of := func() []string {
		id := p.start(t, nil, waiting...)
		script := "for n in ipc net uts pid; do readlink /proc/self/ns/$n; done"
		return strings.Fields(p.do(t, "exec", "-s", id, "sh", "-c", script).ok(t))
	}
	one, two := of(), of()
	if len(one) != 4 || one[1] != ownNamespace(t, "net") || !slices.Equal(one[:3], two[:3]) || one[3] == two[3] {
		t.Errorf("want the same namespaces but for that of processes, and the host's network: %q, %q", one, two)
	}
}

// The kubelet's volumes are binds with the options rbind, rprivate, rw. rw clears noexec, but not with runc before 1.3.
func TestCRIVolumeOnANoexecMount(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "program"), []byte("#!/bin/sh\necho runs\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := cri(t).pod(t)
	id := p.start(t, object{"mounts": []any{object{"host_path": dir, "container_path": "/mnt"}}}, "/mnt/program")
	p.await(t, id, "EXITED")
	equal(t, "output", p.do(t, "logs", id).ok(t), "runs")
}

// A container that has not started must stop at once.
func TestCRIStopOfACreatedContainer(t *testing.T) {
	p := cri(t).pod(t)
	id := p.create(t, nil, waiting...)
	p.await(t, id, "CREATED")
	begin := time.Now()
	p.do(t, "stop", "-t", "60", id).ok(t)
	p.do(t, "rm", id).ok(t)
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestCRILogsKeepStreamsApart(t *testing.T) {
	p := cri(t).pod(t)
	id := p.start(t, nil, "sh", "-c", "echo out; echo err >&2")
	p.await(t, id, "EXITED")
	o := p.do(t, "logs", id)
	equal(t, "stdout", o.ok(t), "out")
	equal(t, "stderr", o.err, "err")
}

func TestCRILimits(t *testing.T) {
	needController(t, "memory")
	needController(t, "cpu")
	p := cri(t).pod(t)
	resources := object{"memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512}
	id := p.start(t, object{"linux": object{"security_context": namespaces, "resources": resources}}, waiting...)
	pid := p.pid(t, id)
	memory := limitCases[0].settings[0]
	for _, s := range slices.Concat([]setting{memory}, limitCases[2].settings, limitCases[3].settings) {
		s.expect(t, pid)
	}
	p.do(t, "update", "--memory", fmt.Sprint(128<<20), id).ok(t)
	memory.v1, memory.v2 = "134217728", "134217728"
	memory.expect(t, pid)
}

func TestCRIStats(t *testing.T) {
	needMountedHierarchies(t)
	p := cri(t).pod(t)
	id := p.start(t, nil, waiting...)
	p.awaitLog(t, id, "ready")
	contains(t, p.do(t, "stats", "-o", "json", "--id", id).ok(t), id, "usageCoreNanoSeconds")
}
