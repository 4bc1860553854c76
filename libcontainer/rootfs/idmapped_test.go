// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestClearing(t *testing.T) {
	for attrs, want := range map[uint64]string{
		0:                      "",
		unix.MOUNT_ATTR_RDONLY: "rw",
		unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR__ATIME: "suid,dev,access time",
	} {
		if got := clearing(attrs); got != want {
			t.Errorf("%#x: got %q, want %q", attrs, got, want)
		}
	}
}

// Locked names those of the options whose flags the mount has.
func TestLockedError(t *testing.T) {
	var st unix.Statfs_t
	if err := unix.Statfs("/proc", &st); err != nil {
		t.Fatal(err)
	}
	want := ""
	if st.Flags&unix.ST_NOSUID != 0 {
		want = "suid"
	}
	if got := Locked("/proc", "suid"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := LockedError("/proc", "suid"); (err != nil) != (want != "") || err != nil && !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v", err)
	}
	if err := LockedError("/proc", ""); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestFSType(t *testing.T) {
	if got := fsType("/proc/self/status"); got != "proc" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat("/nosuch"); err == nil {
		t.Skip("/nosuch exists")
	}
	if got := fsType("/nosuch"); got != "unknown file system" {
		t.Errorf("got %q", got)
	}
}
