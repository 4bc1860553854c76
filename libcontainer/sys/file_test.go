// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A short read, as from procfs, is not the end of a file.
func TestReadFileReadsToTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var want []byte
	piece := bytes.Repeat([]byte("line\n"), 200)
	for range 9 {
		want = append(want, piece...)
	}
	written := make(chan error, 1)
	go func() { written <- writePieces(path, piece, 9) }()
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read, want %d", len(got), len(want))
	}
}

// writePieces writes each piece once the one before it has been read.
func writePieces(path string, piece []byte, n int) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for range n {
		if _, err := unix.Write(fd, piece); err != nil {
			return err
		}
		for left := 1; left > 0; {
			if left, err = unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil {
				return err
			}
		}
	}
	return nil
}
