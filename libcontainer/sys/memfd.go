// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Memfd returns an empty memfd that cannot be executed.
func Memfd(name string) (int, error) { return memfd(name, false) }

func memfd(name string, executable bool) (int, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	const mfdNoexecSeal, mfdExec = 8, 16 // Linux 6.3
	more := mfdNoexecSeal
	if executable {
		more = mfdExec
	}
	fd, err := unix.MemfdCreate(name, flags|more)
	if err == unix.EINVAL { // before 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	return fd, wrap("memfd_create", name, err)
}

// SealedMemfd returns a memfd that holds data and is sealed against any change
// (memfd_create(2)); it may be executable. The descriptor's number is at least minFD.
func SealedMemfd(name string, data []byte, executable bool, minFD int) (int, error) {
	fd, err := memfd(name, executable)
	if err != nil {
		return -1, err
	}
	if fd < minFD {
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, minFD)
		unix.Close(fd)
		if err != nil {
			return -1, wrap("dup", name, err)
		}
		fd = high
	}
	if err := writeAll(fd, data); err != nil {
		unix.Close(fd)
		return -1, wrap("write", name, err)
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, wrap("seal", name, err)
	}
	return fd, nil
}

// Executable returns a descriptor of a file that holds data, a program. It is a sealed
// memfd, or, where memfds may not be executed (sysctl vm.memfd_noexec=2), a file without
// a name in scratch, or, if that is unsuitable, in a directory that every system has.
// The descriptor's number is at least minFD.
func Executable(name string, data []byte, scratch string, minFD int) (int, error) {
	fd, err := SealedMemfd(name, data, true, minFD)
	if err == nil || !errors.Is(err, unix.EACCES) {
		return fd, err
	}
	fd, fileErr := hiddenInOneOf([]string{scratch, "/run", "/var/lib", "/var/tmp", "/tmp"}, data, minFD)
	if fileErr != nil {
		return -1, fmt.Errorf("%w (because of vm.memfd_noexec), and %w", err, fileErr)
	}
	return fd, nil
}

// hiddenInOneOf writes data to a file without a name, in the first of dirs in which that
// is possible and files can be executed, and returns it open for reading.
func hiddenInOneOf(dirs []string, data []byte, minFD int) (int, error) {
	var errs []error
	for _, dir := range dirs {
		fd, err := hidden(dir, data, minFD)
		if err == nil {
			return fd, nil
		}
		errs = append(errs, err)
	}
	return -1, errors.Join(errs...)
}

func hidden(dir string, data []byte, minFD int) (int, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return -1, wrap("statfs", dir, err)
	}
	if st.Flags&unix.MS_NOEXEC != 0 {
		return -1, fmt.Errorf("%s is mounted noexec", dir)
	}
	w, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o500)
	if err != nil {
		return -1, wrap("open", dir, err)
	}
	defer unix.Close(w) // a file that is open for writing cannot be executed
	if err := writeAll(w, data); err != nil {
		return -1, wrap("write", dir, err)
	}
	r, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", w), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, wrap("open", dir, err)
	}
	defer unix.Close(r)
	high, err := unix.FcntlInt(uintptr(r), unix.F_DUPFD_CLOEXEC, minFD)
	return high, wrap("dup", dir, err)
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n := 0
		err := retry(func() (err error) { n, err = unix.Write(fd, data); return err })
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
