// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// userID is the uid and gid of an ordinary user who exists only in the tests' mount namespace. The user's subordinate
// ids start at subFirst.
const (
	userID   = 15100
	subFirst = 400000
)

// podmanUserConfig is a containers.conf(5). For an ordinary user there is no network namespace with a device here.
const podmanUserConfig = `[containers]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
`

const podmanUserStorage = `[storage]
driver = "vfs"
`

// startUserPodman sets podman up for an ordinary user. This podman calls skiff as root of a user namespace that it has
// made.
var startUserPodman = sync.OnceValues(func() (*podmanEngine, error) {
	home := filepath.Join(base, "user")
	config, storage, run := filepath.Join(home, "containers.conf"), filepath.Join(home, "storage.conf"), filepath.Join(home, "run")
	err := errors.Join(makeUser(filepath.Join(base, "etc")), os.MkdirAll(run, 0o700),
		os.WriteFile(config, []byte(podmanUserConfig), 0o644), os.WriteFile(storage, []byte(podmanUserStorage), 0o644),
		os.Chown(home, userID, userID), os.Chown(run, userID, userID))
	if err != nil {
		return nil, err
	}
	id := fmt.Sprint(userID)
	e := &podmanEngine{client: []string{
		"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "env", "-i", "-C", home, "HOME=" + home, "USER=engineuser",
		"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + run, quietPodman + "=1", "CONTAINERS_CONF=" + config, "CONTAINERS_STORAGE_CONF=" + storage,
		"podman", "--log-level=error", "--runtime", world.runtime,
	}}
	return e, silently(slices.Concat(e.client, []string{"load", "-q", "-i", imageTar})...)
})

// makeUser adds the user to the files that newuidmap(1) reads, by bind mounts over them.
func makeUser(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for path, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("engineuser:x:%d:%d::/:/bin/sh\n", userID, userID),
		"/etc/group":  fmt.Sprintf("engineuser:x:%d:\n", userID),
		"/etc/subuid": fmt.Sprintf("engineuser:%d:65536\n", subFirst),
		"/etc/subgid": fmt.Sprintf("engineuser:%d:65536\n", subFirst),
	} {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			return err
		}
		shown := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(shown, append(b, line...), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(shown, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", path, err)
		}
	}
	return nil
}

// userPodman returns the podman of the ordinary user.
func userPodman(t *testing.T) *podmanEngine {
	t.Helper()
	for _, program := range []string{"newuidmap", "setpriv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	e, err := startUserPodman()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// reachable lets an ordinary user enter a temporary folder and its parents.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != base && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// user runs a shell script in a container of the ordinary user, and returns its output.
func (e *podmanEngine) user(t *testing.T, options []string, script string) string {
	t.Helper()
	args := slices.Concat([]string{"run", "--rm", "--name", e.reserve(t)}, options, []string{image, "sh", "-c", script})
	return e.do(t, args...).ok(t)
}

func TestPodmanUser(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []string
		script  string
		want    string
	}{
		{"root is the user", nil, "id -u; awk '{print $2}' /proc/self/uid_map", "0\n15100\n400000"},
		{"the same id inside", []string{"--userns", "keep-id"}, "id -u; id -g", "15100\n15100"},
		{"other users", []string{"--user", "1000:1000"}, "id -u; id -g", "1000\n1000"},
		{"device nodes", []string{"--device", "/dev/fuse"}, "stat -c %t:%T /dev/null /dev/fuse", "1:3\na:e5"},
		{"a volume", []string{"-v", "kept:/data"}, "cat /data/kept; stat -c %u /data/kept", "from the image\n0"},
		{"a tmpfs with its content", []string{"--tmpfs", "/data"}, "cat /data/kept", "from the image"},
		{"the host's network", []string{"--network", "host"}, "ls /sys/class/net >/dev/null && touch /sys/x 2>/dev/null || echo read-only", "read-only"},
		{"a read-only root", []string{"--read-only"}, "touch /x 2>/dev/null || echo read-only", "read-only"},
		{"privileged", []string{"--privileged"}, "mount -t tmpfs none /tmp && echo mounted", "mounted"},
		{"a score for the host", []string{"--oom-score-adj", "-500"}, "echo out", "out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := userPodman(t).user(t, test.options, test.script); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A container in the background: exec, a second container in its namespaces, and stop.
func TestPodmanUserLife(t *testing.T) {
	e := userPodman(t)
	name := e.reserve(t)
	e.do(t, "run", "-d", "--name", name, "--userns", "keep-id", image, "sleep", "1000").ok(t)
	if got := e.do(t, "exec", name, "id", "-u").ok(t); got != "15100" {
		t.Errorf("exec: uid %s", got)
	}
	own := e.do(t, "exec", name, "readlink", "/proc/self/ns/user").ok(t)
	if got := e.user(t, []string{"--userns", "container:" + name, "--pid", "container:" + name}, "readlink /proc/self/ns/user; cat /proc/1/comm"); got != own+"\nsleep" {
		t.Errorf("in the other's namespaces: %q", got)
	}
	if got := e.do(t, "ps", "--format", "{{.Names}} {{.Status}}").ok(t); !strings.Contains(got, name+" Up") {
		t.Errorf("ps: %q", got)
	}
	e.do(t, "stop", "-t", "0", name).ok(t)
	if got := e.do(t, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name).ok(t); got != "exited 137" {
		t.Errorf("after stop: %q", got)
	}
}
