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

	"github.com/skiff-oci/skiff/contrib"
)

// A dockerEngine is the docker client, connected to the tests' own daemon.
type dockerEngine struct{ client []string }

var startDockerd = sync.OnceValues(func() (*dockerEngine, error) {
	if _, err := startContainerd(); err != nil {
		return nil, err
	}
	e := &dockerEngine{}
	dir := filepath.Join(base, "dockerd")
	socket := "unix://" + filepath.Join(dir, "docker.sock")
	e.client = []string{dockerClient(), "-H", socket}
	config := filepath.Join(dir, "daemon.json")
	sample, err := contrib.Engine("docker.json", "tested", world.runtime)
	err = errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(config, []byte(sample), 0o644))
	if err != nil {
		return nil, err
	}
	_, err = world.startDaemon(func() error { return silently(append(slices.Clone(e.client), "version")...) },
		"dockerd", "--config-file", config, "--host", socket, "--containerd", containerdSocket,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--bridge=none", "--iptables=false", "--ip-forward=false", "--userland-proxy=false",
		"--exec-opt", "native.cgroupdriver="+driver(), "--cgroup-parent", world.parent(),
		"--default-runtime", "runc")
	if err != nil {
		return nil, err
	}
	return e, silently(append(slices.Clone(e.client), "import",
		"--change", "ENV PATH=/usr/bin:/bin FROM=image", "--change", "WORKDIR /data", "--change", `CMD ["/bin/sh"]`, rootTar, image)...)
})

// dockerClient prefers Debian's client, since its version matches the daemon's.
func dockerClient() string {
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		return "/usr/bin/docker"
	}
	return "docker"
}

// silently runs a command and returns an error with its output if it fails.
func silently(argv ...string) error {
	if output, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, output)
	}
	return nil
}

// docker returns the engine, and has watch check what the test leaves behind.
func docker(t *testing.T) *dockerEngine {
	t.Helper()
	e, err := startDockerd()
	if err != nil {
		t.Fatal(err)
	}
	watch(t)
	return e
}

// do runs a docker command.
func (e *dockerEngine) do(t *testing.T, args ...string) outcome {
	t.Helper()
	return e.feed(t, "", args...)
}

// feed runs a docker command with a standard input.
func (e *dockerEngine) feed(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return execute(t, stdin, slices.Concat(e.client, args)...)
}

// runArgs returns the arguments of docker run and create, which always name the tested runtime, and no network unless
// the options name one: the daemon has none.
func (e *dockerEngine) runArgs(verb string, options []string, command ...string) []string {
	args := []string{verb, "--runtime", "tested"}
	if !slices.Contains(options, "--network") {
		args = append(args, "--network", "none")
	}
	return slices.Concat(args, options, []string{image}, command)
}

// run runs a container until it ends and removes it.
func (e *dockerEngine) run(t *testing.T, options []string, command ...string) outcome {
	t.Helper()
	return e.do(t, e.runArgs("run", append([]string{"--rm", "--name", e.reserve(t)}, options...), command...)...)
}

// script runs a shell script in a container and returns its output.
func (e *dockerEngine) script(t *testing.T, options []string, script string) string {
	t.Helper()
	return e.run(t, options, "sh", "-c", script).ok(t)
}

// start runs a container in the background and returns its name. The container is removed at the end of the test.
func (e *dockerEngine) start(t *testing.T, options []string, command ...string) string {
	t.Helper()
	name := e.reserve(t)
	e.do(t, e.runArgs("run", append([]string{"-d", "--name", name}, options...), command...)...).ok(t)
	return name
}

// reserve returns a name for a container, which is removed at the end of the test.
func (e *dockerEngine) reserve(t *testing.T) string {
	t.Helper()
	name := name(t)
	t.Cleanup(func() {
		_ = silently(slices.Concat(e.client, []string{"rm", "-f", "-v", name})...)
	})
	return name
}

// sleeper starts a container that sleeps and whose init ends at SIGTERM.
func (e *dockerEngine) sleeper(t *testing.T, options ...string) string {
	t.Helper()
	return e.start(t, options, "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
}

// exec runs a command in a running container; name may have options of docker exec before it.
func (e *dockerEngine) exec(t *testing.T, name string, command ...string) outcome {
	t.Helper()
	return e.do(t, slices.Concat([]string{"exec"}, strings.Fields(name), command)...)
}

// inspect returns the fields of a container, separated by spaces.
func (e *dockerEngine) inspect(t *testing.T, name, field string) string {
	t.Helper()
	return e.do(t, "inspect", "--format", fields(field), name).ok(t)
}

// pid returns the pid of a container's init on the host.
func (e *dockerEngine) pid(t *testing.T, name string) string {
	t.Helper()
	return e.inspect(t, name, ".State.Pid")
}

// awaitState waits until the fields of a container have these values.
func (e *dockerEngine) awaitState(t *testing.T, name, field, want string) {
	t.Helper()
	eventually(t, func() error {
		if got := e.inspect(t, name, field); got != want {
			return fmt.Errorf("%s is %s, want %s", field, got, want)
		}
		return nil
	})
}

// awaitLog waits until the container has printed a text.
func (e *dockerEngine) awaitLog(t *testing.T, name, want string) {
	t.Helper()
	eventually(t, func() error {
		if o := e.do(t, "logs", name); !strings.Contains(o.out+o.err, want) {
			return fmt.Errorf("no %q in the log: %v", want, o)
		}
		return nil
	})
}
