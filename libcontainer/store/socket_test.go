// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The socket exists from create until the only start, and shows whether a process waits
// at it.
func TestSocket(t *testing.T) {
	_, e := entry(t)
	expect := func(when string, waiting, waited bool) {
		t.Helper()
		if e.Waiting() != waiting || e.Waited() != waited {
			t.Errorf("%s: waiting %v, waited %v", when, e.Waiting(), e.Waited())
		}
	}
	expect("before create", false, false)
	listener := listen(t, e)
	expect("created", true, true)
	conn, err := e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(conn)
	expect("started", false, false)
	if _, err := e.Connect(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second start: %v", err)
	}
	listener.Close()

	listen(t, e).Close()
	expect("the first process has ended", true, false)
	if _, err := e.Connect(); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("start of what has ended: %v", err)
	}
	expect("after that", false, false)
}

func listen(t *testing.T, e *Entry) *os.File {
	t.Helper()
	f, err := e.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Listen(); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("two sockets: %v", err)
	}
	return f
}
