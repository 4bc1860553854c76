// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// closed reports whether all copies of a pipe's write end are closed.
func closed(r *os.File) bool {
	_ = r.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := r.Read(make([]byte, 1))
	return err != nil && !os.IsTimeout(err)
}

// pipes makes n pipes, and returns their read ends and their write ends.
func pipes(t *testing.T, n int) (r []*os.File, w []int) {
	for range n {
		a, b, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		fd, err := unix.FcntlInt(b.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		r, w = append(r, a), append(w, fd)
	}
	return r, w
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// The sender of a barrier learns when the manager has read everything that came before.
func TestBarrier(t *testing.T) {
	w := newWorld(t, false)
	r, fds := pipes(t, 1)
	w.send("STATUS=a")
	w.send("BARRIER=1", fds...)
	closeAll(fds)
	if closed(r[0]) {
		t.Error("the barrier is lifted before the manager has read")
	}
	for _, want := range []string{"STATUS=a", "BARRIER=1 fds=1"} {
		if got := w.receive(); got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
	if !closed(r[0]) {
		t.Error("the barrier stays")
	}
	w.end.Close()
	if err := w.finish(time.Second); err != "" {
		t.Error(err)
	}
}

// All descriptors that come with messages are closed, however many they are, and none
// of them reaches the manager.
func TestDescriptorsAreClosed(t *testing.T) {
	w := newWorld(t, false)
	for _, text := range []string{"STATUS=a", "FDSTORE=1\nFDNAME=x", "BARRIER=1", "STATUS=" + strings.Repeat("x", 5000), "A\x00B"} {
		for _, n := range []int{1, 2, 200} {
			if text == "BARRIER=1" && n == 1 {
				continue
			}
			r, fds := pipes(t, n)
			w.send(text, fds...)
			closeAll(fds)
			if text == "STATUS=a" {
				if got := w.receive(); got != text {
					t.Errorf("%q", got)
				}
			}
			for i := range r {
				if !closed(r[i]) {
					t.Fatalf("%.20q: descriptor %d of %d is open", text, i, n)
				}
				r[i].Close()
			}
		}
	}
	w.end.Close()
	if err := w.finish(time.Second); !strings.Contains(err, "longer than 4096 bytes") || !strings.Contains(err, "NUL") || strings.Count(err, "\n") != 1 {
		t.Errorf("error %q", err)
	}
}

// The target of a symlink in place of the socket keeps its mode.
func TestSymlinkInPlaceOfSocket(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", dir+"/"+socketName); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := openUp(int(d.Fd())); err != unix.EADDRINUSE {
		t.Errorf("error %v", err)
	}
	if st, err := os.Stat(dir + "/file"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}
