// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// podman 4.5 to 5.6 pass an empty mount option for the file systems of --systemd=always.
func TestPodmanSystemd(t *testing.T) {
	const script = "echo ${container:+set}; df -k /run /run/lock /tmp | awk 'NR > 1 { print $1, $6 }'"
	const want = "set\ntmpfs /run\ntmpfs /run/lock\ntmpfs /tmp"
	run := func(t *testing.T, p *podmanEngine, options ...string) {
		t.Helper()
		name := p.reserve(t)
		o := p.do(t, slices.Concat([]string{"run", "--name", name, "--systemd", "always"}, options, []string{image, "sh", "-c", script})...)
		equal(t, "output", o.ok(t), want)
		t.Logf("options of /run: %q", p.mountOptions(t, name, "/run"))
	}
	t.Run("of root", func(t *testing.T) { run(t, podman(t), "--cgroup-parent", world.parent()) })
	t.Run("of an ordinary user", func(t *testing.T) { run(t, userPodman(t)) })
}

// mountOptions returns the options of a mount in the configuration that the runtime was given.
func (e *podmanEngine) mountOptions(t *testing.T, name, destination string) []string {
	t.Helper()
	data, err := os.ReadFile(e.inspect(t, name, ".OCIConfigPath"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Mounts []struct {
			Destination string
			Options     []string
		}
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for _, m := range config.Mounts {
		if m.Destination == destination {
			return m.Options
		}
	}
	t.Fatalf("no mount on %s in %s", destination, data)
	return nil
}

// needOption skips a test if podman run does not have an option.
func (e *podmanEngine) needOption(t *testing.T, option string) {
	t.Helper()
	if help := e.do(t, "run", "--help").ok(t); !slices.Contains(strings.Fields(help), option) {
		t.Skipf("%s has no run %s", e.do(t, "--version").ok(t), option)
	}
}

// The container gets the descriptors that are named, with the same numbers, and no others.
func TestPodmanRunPreservesNamedFileDescriptors(t *testing.T) {
	p := podman(t)
	p.needOption(t, "--preserve-fd")
	const inside = `cat <&5; cat <&7; for n in 3 4 6 8; do test ! -e /proc/self/fd/$n || echo $n is open; done`
	args := slices.Concat(p.client, p.runArgs("run", []string{"--rm", "--name", p.reserve(t), "--preserve-fd", "5,7"}, "sh", "-c", inside))
	const outside = `exec 5<"$0/file" 6<"$0" 7</proc/sys/kernel/ostype; exec "$@"`
	o := execute(t, "", slices.Concat([]string{"sh", "-c", outside, hostDir(t)}, args)...)
	equal(t, "output", o.ok(t), "from the host\nLinux")
}

// podman has the runtime create a container, and stops it before it is started: the child of the runtime, which waits,
// must end at SIGTERM.
func TestPodmanStopBeforeStart(t *testing.T) {
	p := podman(t)
	name := p.reserve(t)
	p.do(t, p.runArgs("create", []string{"--name", name}, "sleep", "1000")...).ok(t)
	p.do(t, "init", name).ok(t)
	equal(t, "state", p.inspect(t, name, ".State.Status"), "initialized")
	begin := time.Now()
	o := p.do(t, "stop", "-t", "60", name)
	if took := time.Since(begin); o.code != 0 || took > 30*time.Second {
		t.Errorf("it took %v: %v", took, o)
	}
}

// sharedGroup is a group of the caller that no file in the container names.
const sharedGroup = 15177

func TestPodmanRunKeepsTheCallersGroups(t *testing.T) {
	p := podman(t)
	args := p.runArgs("run", []string{"--rm", "--name", p.reserve(t), "--group-add", "keep-groups"}, "id", "-G")
	o := execute(t, "", slices.Concat([]string{"setpriv", "--groups", fmt.Sprint(sharedGroup)}, p.client, args)...)
	contains(t, o.ok(t), fmt.Sprint(sharedGroup))
}

// The groups of an ordinary user have no id in the container, but still give access to the files of the group.
func TestPodmanUserKeepsTheCallersGroups(t *testing.T) {
	p := userPodman(t)
	dir := hostDir(t)
	openTo(t, dir, sharedGroup)
	keep := func(options ...string) outcome {
		args := slices.Concat(p.client, []string{"run", "--rm", "--name", p.reserve(t), "-v", dir + ":/mnt"}, options, []string{image, "cat", "/mnt/file"})
		args[slices.Index(args, "--clear-groups")] = fmt.Sprint("--groups=", sharedGroup)
		return execute(t, "", args...)
	}
	if o := keep(); o.code == 0 {
		t.Errorf("the file can be read without the group: %v", o)
	}
	equal(t, "output", keep("--group-add", "keep-groups").ok(t), "from the host")
}

// openTo lets only a group access a folder of hostDir.
func openTo(t *testing.T, dir string, gid int) {
	t.Helper()
	for _, path := range []string{dir, filepath.Join(dir, "file")} {
		if err := os.Chown(path, 0, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o070); err != nil {
			t.Fatal(err)
		}
	}
	reachable(t, filepath.Dir(dir))
}

// A bind mount of a symlink itself: the link leads to a file in the container. podman requires that it leads to one on
// the host, too.
func TestPodmanRunMountsASymlink(t *testing.T) {
	p, dir := podman(t), t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	o := p.run(t, []string{"--mount", "type=bind,src=" + link + ",dst=/mnt/link,no-dereference"}, "sh", "-c", "readlink /mnt/link; grep -o '^app:' /mnt/link")
	if strings.Contains(o.err, "no-dereference") && strings.Contains(o.err, "invalid mount option") {
		t.Skipf("%s: %s", p.do(t, "--version").ok(t), o.err)
	}
	equal(t, "output", o.ok(t), "/etc/passwd\napp:")
}
