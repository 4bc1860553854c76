// SPDX-License-Identifier: Apache-2.0

package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// can reports what the caller of skiff may do of what needs privileges on most hosts.
// Each operation is tried once.
var can = sync.OnceValues(func() (map[string]bool, error) {
	dir, err := os.MkdirTemp("", "skiff-can")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	_, mqueue := os.Stat("/dev/mqueue")
	_, systemd := os.Stat(fmt.Sprintf("/run/user/%d/systemd/private", os.Getuid()))
	return map[string]bool{
		"chown":   os.Chown(dir, subFirst, subFirst) == nil,
		"mount":   canMount(dir),
		"mknod":   unix.Mknod(filepath.Join(dir, "kmsg"), unix.S_IFCHR, int(unix.Mkdev(1, 11))) == nil,
		"unshare": exec.Command("unshare", "--net", "true").Run() == nil,
		"nice":    canNice(),
		"ionice":  exec.Command("ionice", "-c", "1", "true").Run() == nil,
		"systemd": systemd == nil, // the user's own instance
		"mqueue":  os.Geteuid() == 0 || mqueue == nil,
	}, nil
})

func canMount(dir string) bool {
	if unix.Mount("tmpfs", dir, "tmpfs", 0, "") != nil {
		return false
	}
	return unix.Unmount(dir, 0) == nil
}

// canNice tries to lower the nice value, in a thread that then ends.
func canNice() bool {
	ok := make(chan bool)
	go func() {
		runtime.LockOSThread()
		ok <- unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -1) == nil
	}()
	return <-ok
}

func conditionCan(what string) (bool, error) {
	all, err := can()
	if _, ok := all[what]; err == nil && !ok {
		err = fmt.Errorf("unknown: %q", what)
	}
	return all[what], err
}

// kernelFrom reports whether the kernel has release or a newer one. What a kernel does
// cannot always be observed.
func kernelFrom(release string) (bool, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false, err
	}
	var wanted, own [2]int
	for _, r := range []struct {
		text string
		to   *[2]int
	}{{release, &wanted}, {unix.ByteSliceToString(name.Release[:]), &own}} {
		if _, err := fmt.Sscanf(r.text, "%d.%d", &r.to[0], &r.to[1]); err != nil {
			return false, fmt.Errorf("release of a kernel: %q: %w", r.text, err)
		}
	}
	return slices.Compare(own[:], wanted[:]) >= 0, nil
}
