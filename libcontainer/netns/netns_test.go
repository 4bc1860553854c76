// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The assembly knows where the fields are.
func TestLayout(t *testing.T) {
	var w work
	var s step
	for _, c := range []struct{ got, want uintptr }{
		{unsafe.Offsetof(w.tid), 0}, {unsafe.Offsetof(w.all), 8}, {unsafe.Offsetof(w.mask), 16}, {unsafe.Offsetof(w.steps), 24},
		{unsafe.Offsetof(s.call), 0}, {unsafe.Offsetof(s.of), 8}, {unsafe.Offsetof(s.args), 16}, {unsafe.Offsetof(s.result), 40},
		{unsafe.Sizeof(s), 48}, {unsafe.Sizeof(up), 40},
	} {
		if c.got != c.want {
			t.Errorf("%d, expected %d", c.got, c.want)
		}
	}
}

// A namespace is another one than ours, and its lo is up; it is handed out once.
func TestBegin(t *testing.T) {
	n := Begin()
	f, err := n.Open()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("a network namespace requires CAP_SYS_ADMIN here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var made, own unix.Stat_t
	if err := errors.Join(unix.Fstat(int(f.Fd()), &made), unix.Stat("/proc/self/ns/net", &own)); err != nil {
		t.Fatal(err)
	}
	if made.Ino == own.Ino || made.Dev != own.Dev {
		t.Errorf("%d:%d is ours, %d:%d", made.Dev, made.Ino, own.Dev, own.Ino)
	}
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != unix.ENOSYS && (err != nil || kind != unix.CLONE_NEWNET) { // qemu-user does not have it
		t.Errorf("type %#x, %v", kind, err)
	}
	if _, err := n.Open(); !errors.Is(err, errNone) {
		t.Errorf("a second time: %v", err)
	}
	n.Close()
}

// A step that fails ends the thread, and is the error.
func TestFailure(t *testing.T) {
	for i := range stepEnd {
		n := prepare()
		n.work.steps[i].call, n.work.steps[i].of = unix.SYS_CLOSE, 0
		n.work.steps[i].args[0] = ^uintptr(0)
		for j := range i {
			n.work.steps[j] = step{call: unix.SYS_DUP, args: [3]uintptr{2}}
		}
		n.start()
		if _, err := n.Open(); !errors.Is(err, unix.EBADF) {
			t.Errorf("%s: %v", names[i], err)
		}
	}
}

// One that has waited for a CPU has none to spare.
func TestIdle(t *testing.T) {
	for text, want := range map[string]bool{
		"906122 33698 2\n":   true, // alone, with two CPUs
		"1324001 1873 2\n":   true,
		"1600 100 1\n":       true,
		"1600 101 1\n":       false,
		"912151 92948 7\n":   false, // on a busy machine
		"945060 9174989 4\n": false, // one of fifty
		"0 0 0\n":            false, // the kernel does not count
		"":                   false,
	} {
		if got := idle(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
