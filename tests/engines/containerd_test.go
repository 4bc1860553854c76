// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// containerdSocket is the socket of the tests' own containerd, for ctr and dockerd.
var containerdSocket = filepath.Join(base, "containerd", "containerd.sock")

// containerdConfig leaves out the CRI and plugins that would look at the host: loop devices, /opt.
const containerdConfig = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "%[2]s"
[ttrpc]
  address = "%[2]s.ttrpc"
`

// A ctrEngine is containerd's own client, ctr, connected to the tests' own daemon.
type ctrEngine struct{ client []string }

var startContainerd = sync.OnceValues(func() (*ctrEngine, error) {
	e := &ctrEngine{client: []string{"ctr", "-a", containerdSocket, "-n", "engines"}}
	dir := filepath.Dir(containerdSocket)
	config := filepath.Join(dir, "config.toml")
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(config, fmt.Appendf(nil, containerdConfig, dir, containerdSocket), 0o644))
	if err != nil {
		return nil, err
	}
	ready := func() error { return silently(slices.Concat(e.client, []string{"version"})...) }
	if _, err := world.startDaemon(ready, "containerd", "--config", config); err != nil {
		return nil, err
	}
	return e, silently(slices.Concat(e.client, []string{"image", "import", imageTar})...)
})

// ctr returns the engine, and has watch check what the test leaves behind.
func ctr(t *testing.T) *ctrEngine {
	t.Helper()
	e, err := startContainerd()
	if err != nil {
		t.Fatal(err)
	}
	watch(t)
	return e
}

// do runs a ctr command.
func (e *ctrEngine) do(t *testing.T, args ...string) outcome {
	t.Helper()
	return execute(t, "", slices.Concat(e.client, args)...)
}

// runArgs returns the arguments of ctr run, which always name the tested runtime, a state folder and a cgroup that the
// tests look at.
func (e *ctrEngine) runArgs(id string, options []string, command ...string) []string {
	args := slices.Concat([]string{"run", "--runc-binary", world.runtime, "--runc-root", filepath.Join(base, "runtime")}, driverArgs())
	if !slices.Contains(options, "--cgroup") {
		args = append(args, "--cgroup", world.path(id))
	}
	if !slices.Contains(options, "--rootfs") {
		return slices.Concat(args, options, []string{image, id}, command)
	}
	return slices.Concat(args, options, []string{id}, command)
}

// run runs a container until it ends and removes it.
func (e *ctrEngine) run(t *testing.T, options []string, command ...string) outcome {
	t.Helper()
	return e.do(t, e.runArgs(e.reserve(t), append([]string{"--rm"}, options...), command...)...)
}

// script runs a shell script in a container and returns its output.
func (e *ctrEngine) script(t *testing.T, options []string, script string) string {
	t.Helper()
	return e.run(t, options, "sh", "-c", script).ok(t)
}

// start runs a container in the background and returns its id.
func (e *ctrEngine) start(t *testing.T, options []string, command ...string) string {
	t.Helper()
	id := e.reserve(t)
	e.do(t, e.runArgs(id, append([]string{"-d", "--null-io"}, options...), command...)...).ok(t)
	return id
}

// reserve returns an id for a container, which is removed at the end of the test.
func (e *ctrEngine) reserve(t *testing.T) string {
	t.Helper()
	id := name(t)
	t.Cleanup(func() {
		_ = silently(slices.Concat(e.client, []string{"task", "resume", id})...)
		_ = silently(slices.Concat(e.client, []string{"task", "delete", "-f", id})...)
		_ = silently(slices.Concat(e.client, []string{"container", "delete", id})...)
	})
	return id
}

// sleeper starts a container whose init ends with exit code 7 at SIGTERM.
func (e *ctrEngine) sleeper(t *testing.T, options ...string) string {
	t.Helper()
	return e.start(t, options, "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
}

// exec runs a command in a container.
func (e *ctrEngine) exec(t *testing.T, id string, options []string, command ...string) outcome {
	t.Helper()
	return e.do(t, slices.Concat([]string{"task", "exec", "--exec-id", name(t)}, options, []string{id}, command)...)
}

// status returns the pid and the state of a task in ctr's list, or "-" and "gone" if it is not in the list.
func (e *ctrEngine) status(t *testing.T, id string) (pid, state string) {
	t.Helper()
	for line := range strings.Lines(e.do(t, "task", "list").ok(t)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == id {
			return fields[1], fields[2]
		}
	}
	return "-", "gone"
}

// awaitStatus waits until a task has a state.
func (e *ctrEngine) awaitStatus(t *testing.T, id, want string) {
	t.Helper()
	eventually(t, func() error {
		if _, state := e.status(t, id); state != want {
			return fmt.Errorf("task %s is %s, want %s", id, state, want)
		}
		return nil
	})
}
