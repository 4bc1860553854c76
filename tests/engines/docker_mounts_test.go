// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDockerReadOnlyRootRefusesWrites(t *testing.T) {
	out := docker(t).script(t, []string{"--read-only"}, "touch /x 2>&1; touch /data/x 2>&1; touch /dev/shm/x && echo shm works")
	equal(t, "output", out, "touch: /x: Read-only file system\ntouch: /data/x: Read-only file system\nshm works")
}

func TestDockerTmpfs(t *testing.T) {
	out := docker(t).script(t, []string{"--read-only", "--tmpfs", "/scratch:size=1m,mode=1770"},
		"touch /scratch/x && stat -c %a /scratch; df -k /scratch | awk 'END { print $1, $2 }'; grep -c ' /scratch .*nosuid,nodev,noexec' /proc/self/mounts")
	equal(t, "output", out, "1770\ntmpfs 1024\n1")
}

// hostDir creates a folder on the host with a file in it.
func hostDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("from the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDockerVolumeIsWritable(t *testing.T) {
	dir := hostDir(t)
	equal(t, "output", docker(t).script(t, []string{"-v", dir + ":/mnt"}, "cat /mnt/file; echo back >/mnt/new"), "from the host")
	if data, err := os.ReadFile(filepath.Join(dir, "new")); string(data) != "back\n" {
		t.Errorf("the host reads %q (%v)", data, err)
	}
}

func TestDockerVolumeReadOnly(t *testing.T) {
	dir := hostDir(t)
	out := docker(t).script(t, []string{"-v", dir + ":/mnt:ro"}, "cat /mnt/file; touch /mnt/new 2>&1 || true")
	equal(t, "output", out, "from the host\ntouch: /mnt/new: Read-only file system")
}

func TestDockerVolumeOfASingleFile(t *testing.T) {
	file := filepath.Join(hostDir(t), "file")
	equal(t, "output", docker(t).script(t, []string{"-v", file + ":/data/kept:ro"}, "cat /data/kept; ls /data"), "from the host\nkept")
}

func TestDockerVolumeThroughALinkStaysInTheRoot(t *testing.T) {
	// In many images, /var/run is an absolute link. The destination must be resolved within the container's root.
	dir := hostDir(t)
	d := docker(t)
	equal(t, "output", d.script(t, []string{"-v", dir + ":/link/sub"}, "cat /target/sub/file"), "from the host")
}

func TestDockerNamedVolumeTakesTheImagesFiles(t *testing.T) {
	d := docker(t)
	volume := name(t)
	t.Cleanup(func() { d.do(t, "volume", "rm", "-f", volume).ok(t) })
	equal(t, "first", d.script(t, []string{"-v", volume + ":/data"}, "cat /data/kept; echo more >/data/more"), "from the image")
	equal(t, "second", d.script(t, []string{"-v", volume + ":/data:ro"}, "cat /data/more"), "more")
}

func TestDockerMountIsRecursive(t *testing.T) {
	dir := sharedMount(t)
	mountTmpfs(t, filepath.Join(dir, "sub"))
	d := docker(t)
	script := "ls /mnt/sub"
	equal(t, "by default", d.script(t, []string{"-v", dir + ":/mnt"}, script), "below")
	equal(t, "with bind-nonrecursive", d.script(t, []string{"--mount", "type=bind,src=" + dir + ",dst=/mnt,bind-nonrecursive=true"}, script), "")
}

// sharedMount creates a folder and mounts a tmpfs with shared propagation on it.
func sharedMount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		t.Fatalf("make %s shared: %v", dir, err)
	}
	return dir
}

// mountTmpfs creates a folder and mounts a tmpfs on it, which has a file named below.
func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "below"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDockerMountPropagation(t *testing.T) {
	for _, c := range []struct{ mode, want string }{{"rprivate", ""}, {"rslave", "below"}, {"rshared", "below"}} {
		t.Run(c.mode+" inwards", func(t *testing.T) {
			d, dir := docker(t), sharedMount(t)
			name := d.sleeper(t, "-v", dir+":/mnt:"+c.mode)
			mountTmpfs(t, filepath.Join(dir, "late"))
			equal(t, "a mount made on the host later", d.exec(t, name, "ls", "/mnt/late").ok(t), c.want)
		})
	}
	for _, c := range []struct{ mode, want string }{{"rslave", "0"}, {"rshared", "1"}} {
		t.Run(c.mode+" outwards", func(t *testing.T) {
			d, dir := docker(t), sharedMount(t)
			script := "mkdir /mnt/in && mount -t tmpfs none /mnt/in && touch /mnt/in/made"
			d.script(t, []string{"-v", dir + ":/mnt:" + c.mode, "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"}, script)
			seen, _ := filepath.Glob(filepath.Join(dir, "in", "made"))
			if got := string(rune('0' + len(seen))); got != c.want {
				t.Errorf("mounts of the container seen on the host: %s, want %s", got, c.want)
			}
			_ = unix.Unmount(filepath.Join(dir, "in"), unix.MNT_DETACH)
		})
	}
}

// maskedScript prints how many bytes of /proc/kcore can be read, and which other files can be read although they should
// be masked.
const maskedScript = `echo $(head -c 9 /proc/kcore | wc -c) from /proc/kcore
for f in /proc/keys /proc/timer_list; do ! test -e $f || test -z "$(head -c 9 $f)" || echo $f readable; done
for d in /proc/acpi /proc/scsi /sys/firmware; do ! test -d $d || test -z "$(ls $d)" || echo $d readable; done`

func TestDockerMasksTheKernelsFiles(t *testing.T) {
	out := docker(t).script(t, nil, maskedScript)
	equal(t, "output", out, "0 from /proc/kcore")
}

func TestDockerKeepsProcSysReadOnly(t *testing.T) {
	out := docker(t).script(t, nil, "for f in /proc/sys/kernel/hostname /proc/sysrq-trigger; do echo h 2>/dev/null >$f || echo refused; done; mkdir /sys/x 2>/dev/null || echo refused")
	equal(t, "output", out, "refused\nrefused\nrefused")
}

// /dev/kmsg is not among the devices that every container may use, and needs no capability to be opened for writing.
func TestDockerGivesADevice(t *testing.T) {
	for _, c := range []struct{ mode, want string }{{"", "opened"}, {":rwm", "opened"}, {":w", "opened"}, {":r", "refused"}} {
		t.Run("with mode "+c.mode, func(t *testing.T) {
			out := docker(t).script(t, []string{"--device", "/dev/kmsg:/dev/given" + c.mode},
				"test -c /dev/given || echo no device; { true >/dev/given && echo opened; } 2>/dev/null || echo refused")
			equal(t, "open to write", out, c.want)
		})
	}
}

func TestDockerRefusesOtherDevices(t *testing.T) {
	// A node may be created (CAP_MKNOD, and access m for all devices) but not opened.
	out := docker(t).script(t, nil, "mknod /tmp/kmsg c 1 11 && echo made; echo x >/tmp/kmsg || echo refused")
	equal(t, "output", out, "made\nrefused")
}
