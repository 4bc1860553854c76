// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHolderOf(t *testing.T) {
	const locks = `1: POSIX  ADVISORY  WRITE 8744 00:1c:77 0 EOF
1: -> FLOCK  ADVISORY  WRITE 7 00:1c:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF
3: FLOCK  ADVISORY  WRITE 13 00:1c:77 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 00:1c:77 0 EOF
4: FLOCK  ADVISORY  WRITE 15 00:1c:78 0 EOF
5: FLOCK  ADVISORY  READ  16 103:a:1000 0 EOF
6: OFDLCK ADVISORY  WRITE -1 00:1c:79 0 EOF
7: FLOCK
8: FLOCK  ADVISORY  WRITE x 00:1c:80 0 EOF
9: FLOCK  ADVISORY  WRITE 17 <none>:0 0 EOF
`
	for _, c := range []struct {
		major, minor uint32
		inode        uint64
		want         int
	}{
		{0, 0x1c, 77, 13},
		{0xfe, 0, 77, 12},
		{0, 0x1c, 78, 15},
		{0x103, 0xa, 1000, 16},
		{0, 0x1c, 79, 0},
		{0, 0x1c, 80, 0},
		{0, 0, 0, 0},
	} {
		if got := holder([]byte(locks), unix.Mkdev(c.major, c.minor), c.inode); got != c.want {
			t.Errorf("%x:%x:%d: held by %d, want %d", c.major, c.minor, c.inode, got, c.want)
		}
	}
}

// TestMain lets this program run as a helper that holds a lock until its standard input
// ends.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TEST_HOLD"); path != "" {
		e := &Entry{path: path, lock: -1}
		if err := e.Lock(); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("locked\n")
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		return
	}
	os.Exit(m.Run())
}

// hold has another process hold the lock of e until release is called.
func hold(t *testing.T, e *Entry) (pid int, release func()) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "STORE_TEST_HOLD="+e.path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	return c.Process.Pid, func() { in.Close(); _ = c.Wait() }
}

func TestHolder(t *testing.T) {
	root, e := entry(t)
	expect := func(when string, want int) {
		t.Helper()
		if pid, err := At(root, "web").Holder(); err != nil || pid != want {
			t.Errorf("%s: held by %d, %v; want %d", when, pid, err, want)
		}
	}
	expect("locked by this process", os.Getpid())
	e.Unlock()
	expect("unlocked", 0)
	pid, release := hold(t, e)
	defer release()
	expect("locked by another process", pid)
	waits := make(chan error, 1)
	go func() { waits <- e.Lock() }()
	for range 100 { // until it waits
		if b, _ := os.ReadFile("/proc/locks"); bytes.Contains(b, []byte("-> FLOCK")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	expect("another waits", pid)
	release()
	if err := <-waits; err != nil {
		t.Fatal(err)
	}
	expect("the waiter has it", os.Getpid())
	if pid, err := At(root, "nobody").Holder(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no container: held by %d, %v", pid, err)
	}
}

// TestLockOr waits for a lock whose holder releases it, and for one whose holder removes
// the container first.
func TestLockOr(t *testing.T) {
	for _, removes := range []bool{false, true} {
		root, e := entry(t)
		e.Unlock()
		_, release := hold(t, e)
		w, calls := At(root, "web"), 0
		err := w.LockOr(func(dir *Directory) error {
			if calls++; dir.Gone() {
				t.Error("the directory is gone")
			}
			if removes {
				if err := e.Remove(); err != nil {
					t.Error(err)
				}
			}
			release()
			return nil
		})
		if calls != 1 || removes != errors.Is(err, fs.ErrNotExist) || !removes && err != nil {
			t.Errorf("removed %v: %d calls, %v", removes, calls, err)
		}
		w.Unlock()
	}
	root, e := entry(t)
	defer e.Unlock()
	enough := errors.New("enough")
	if err := At(root, "web").LockOr(func(*Directory) error { return enough }); err != enough {
		t.Errorf("given up: %v", err)
	}
}
