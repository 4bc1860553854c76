// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A look-up is retried after a transient error, but not for ever.
func TestAgain(t *testing.T) {
	for _, c := range []struct {
		err   error
		tries int
		want  bool
	}{
		{nil, 1, false}, {unix.ENOENT, 1, false}, {unix.EXDEV, 1, false}, {unix.ELOOP, 1999, false},
		{unix.EAGAIN, 1, true}, {unix.EINTR, 1, true}, {unix.EAGAIN, 1999, true}, {unix.EINTR, 1999, true},
		{unix.EAGAIN, 2000, false}, {unix.EINTR, 2000, false}, {unix.EAGAIN, 1 << 30, false},
	} {
		if got := again(c.err, c.tries); got != c.want {
			t.Errorf("%v after %d tries: %v", c.err, c.tries, got)
		}
	}
}

// The errno is returned unwrapped, for callers that compare it.
func TestOpenat2(t *testing.T) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}
	fd, err := Openat2(unix.AT_FDCWD, "/", &how)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	how.Resolve = unix.RESOLVE_BENEATH
	for path, want := range map[string]error{"no/such/file": unix.ENOENT, "..": unix.EXDEV, "": unix.ENOENT} {
		if got, err := Openat2(fd, path, &how); err != want {
			t.Errorf("%q: %d, %v, expected %v", path, got, err, want)
		}
	}
}
