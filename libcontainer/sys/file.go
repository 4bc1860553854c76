package sys

import (
	"golang.org/x/sys/unix"
)

// ReadFile reads a whole file. A read that gives less than was asked for is not
// the end: procfs gives whole lines, a page of them at most. Unlike
// [os.ReadFile] it leaves the Go runtime's poller alone, which costs a start
// more than the reading.
func ReadFile(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 4096)
	for {
		n := 0
		err := retry(func() (err error) { n, err = unix.Read(fd, b[len(b):cap(b)]); return err })
		if err != nil {
			return nil, wrap("read", path, err)
		}
		if n == 0 {
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// WriteFile writes a file anew, with mode 0600.
func WriteFile(path string, b []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return wrap("open", path, err)
	}
	defer unix.Close(fd)
	for len(b) > 0 {
		n := 0
		err := retry(func() (err error) { n, err = unix.Write(fd, b); return err })
		if err != nil {
			return wrap("write", path, err)
		}
		b = b[n:]
	}
	return nil
}
