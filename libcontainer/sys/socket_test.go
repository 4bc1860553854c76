// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen makes a socket on which nobody accepts connections.
func listen(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s) })
	if err := errors.Join(unix.Bind(s, &unix.SockaddrUnix{Name: path}), unix.Listen(s, 1)); err != nil {
		t.Fatal(err)
	}
	return path
}

// An agent that does not read does not block a create for ever.
func TestSendAllEnds(t *testing.T) {
	s, err := ConnectUnix(listen(t), unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	if tv, err := unix.GetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO); err != nil || time.Duration(tv.Nano()) != peerWait {
		t.Fatalf("the time for sending is %v, %v", tv, err)
	}
	if err := limitSends(s, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err = SendAll(s, make([]byte, 8<<20), 0)
	if !errors.Is(err, unix.EAGAIN) || !strings.Contains(err.Error(), "no process is reading from the other end") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > peerWait/2 {
		t.Errorf("it took %v", took)
	}
}
