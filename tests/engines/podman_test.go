// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// podmanConfig is a containers.conf(5). podman would give root the highest limits of files and processes that the
// kernel allows, which needs CAP_SYS_RESOURCE; the tests ask for less.
const podmanConfig = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
init_path = "%[2]s"
[engine]
cgroup_manager = "%[3]s"
events_logger = "file"
lock_type = "file"
tmp_dir = "%[1]s/tmp"
volume_path = "%[1]s/volumes"
[network]
network_config_dir = "%[1]s/networks"
`

// podmanStorage is a containers-storage.conf(5).
const podmanStorage = `[storage]
driver = "overlay"
graphroot = "%[1]s/storage"
runroot = "%[1]s/run"
`

// quietPodman is a variable that suppresses a warning of podman 5 on hosts with cgroup v1.
const quietPodman = "PODMAN_IGNORE_CGROUPSV1_WARNING"

// A podmanEngine is podman with its own folders.
type podmanEngine struct{ client []string }

var startPodman = sync.OnceValues(func() (*podmanEngine, error) {
	dir := filepath.Join(base, "podman")
	config, storage := filepath.Join(dir, "containers.conf"), filepath.Join(dir, "storage.conf")
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(config, fmt.Appendf(nil, podmanConfig, dir, initProgram(), driver()), 0o644),
		os.WriteFile(storage, fmt.Appendf(nil, podmanStorage, dir), 0o644),
		os.Setenv(quietPodman, "1"), os.Setenv("CONTAINERS_CONF", config), os.Setenv("CONTAINERS_STORAGE_CONF", storage))
	if err != nil {
		return nil, err
	}
	// No --runtime-flag root=: podman's monitor runs a clean-up command that does not get this flag and looks in
	// the default root.
	e := &podmanEngine{client: []string{"podman", "--runtime", world.runtime}}
	return e, silently(slices.Concat(e.client, []string{"load", "-q", "-i", imageTar})...)
})

// initProgram returns the program for --init, or "". docker.io depends on one, podman only recommends one.
func initProgram() string {
	for _, program := range []string{"tini-static", "docker-init", "catatonit"} {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	return ""
}

// podman returns the engine, and has watch check what the test leaves behind.
func podman(t *testing.T) *podmanEngine {
	t.Helper()
	e, err := startPodman()
	if err != nil {
		t.Fatal(err)
	}
	watch(t)
	return e
}

// do runs a podman command.
func (e *podmanEngine) do(t *testing.T, args ...string) outcome {
	t.Helper()
	return e.feed(t, "", args...)
}

// feed runs a podman command with a standard input.
func (e *podmanEngine) feed(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return execute(t, stdin, slices.Concat(e.client, args)...)
}

// runArgs returns the arguments of podman run and create.
func (e *podmanEngine) runArgs(verb string, options []string, command ...string) []string {
	args := []string{verb, "--cgroup-parent", world.parent()}
	if slices.Contains(options, "--rootfs") {
		return slices.Concat(args, options, command)
	}
	return slices.Concat(args, options, []string{image}, command)
}

// run runs a container until it ends and removes it.
func (e *podmanEngine) run(t *testing.T, options []string, command ...string) outcome {
	t.Helper()
	return e.do(t, e.runArgs("run", append([]string{"--rm", "--name", e.reserve(t)}, options...), command...)...)
}

// script runs a shell script in a container and returns its output.
func (e *podmanEngine) script(t *testing.T, options []string, script string) string {
	t.Helper()
	return e.run(t, options, "sh", "-c", script).ok(t)
}

// start runs a container in the background and returns its name. The container is removed at the end of the test.
func (e *podmanEngine) start(t *testing.T, options []string, command ...string) string {
	t.Helper()
	name := e.reserve(t)
	e.do(t, e.runArgs("run", append([]string{"-d", "--name", name}, options...), command...)...).ok(t)
	return name
}

// reserve returns a name for a container, which is removed at the end of the test.
func (e *podmanEngine) reserve(t *testing.T) string {
	t.Helper()
	name := name(t)
	t.Cleanup(func() {
		_ = silently(slices.Concat(e.client, []string{"rm", "-f", "-v", "-t", "0", name})...)
	})
	return name
}

// sleeper starts a container whose init ends at SIGTERM.
func (e *podmanEngine) sleeper(t *testing.T, options ...string) string {
	t.Helper()
	return e.start(t, options, "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
}

// exec runs a command in a running container; name may have options of podman exec before it.
func (e *podmanEngine) exec(t *testing.T, name string, command ...string) outcome {
	t.Helper()
	return e.do(t, slices.Concat([]string{"exec"}, strings.Fields(name), command)...)
}

// inspect returns the fields of a container, separated by spaces.
func (e *podmanEngine) inspect(t *testing.T, name, field string) string {
	t.Helper()
	return e.do(t, "inspect", "--format", fields(field), name).ok(t)
}

// awaitLog waits until the container has printed a text.
func (e *podmanEngine) awaitLog(t *testing.T, name, want string) {
	t.Helper()
	eventually(t, func() error {
		if o := e.do(t, "logs", name); !strings.Contains(o.out+o.err, want) {
			return fmt.Errorf("no %q in the log: %v", want, o)
		}
		return nil
	})
}
