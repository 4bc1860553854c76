package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// An entry of the cache is a file of its own, named by its key:
//
//	magic, key, SHA-256 over magic, key and filter, filter
//
// The key inside it tells an entry that was copied or renamed; the sum one that
// was cut short or overwritten. Neither is a signature: an entry counts only if
// nobody else can have written it (see trusted).
const (
	magic      = "skiff\x00\x00\x02"
	headerSize = len(magic) + 2*sha256.Size
	suffix     = ".bpf"
	tempPrefix = "new-"
)

// Bounds of the cache. Engines have a handful of profiles; a caller that makes
// one for each container must not fill the file system (most often a tmpfs).
const (
	maxEntries = 128
	// A temporary file as old as this is what a killed runtime left.
	staleTemp = time.Minute
)

// Cached makes the filter of p, with the program kept in the first of dirs that
// is fit for it. A program that is found there costs some ten microseconds,
// without a run of the compiler, for which scratch may hold a file without a
// name. The cache is never a reason to fail: what cannot be read, or is not
// whole, is compiled again, and what cannot be stored is compiled each time.
func Cached(dirs []string, scratch string, p *specs.LinuxSeccomp) (*Filter, error) {
	f, err := settings(p)
	if err != nil {
		return nil, err
	}
	k := keyOf(p)
	made, ok := find(dirs, k)
	if !ok {
		if made, err = compile(scratch, p); err != nil {
			return nil, err
		}
		keep(dirs, k, made)
	}
	f.BPF, f.Notes = made.Program, made.Notes
	return f, nil
}

// find looks for an entry. The directory is not looked at: an entry is trusted
// for what itself is.
func find(dirs []string, k key) (f bpf.Filter, ok bool) {
	for _, dir := range dirs {
		if f, ok = load(entryPath(dir, k), k); ok {
			break
		}
	}
	return f, ok
}

// keep stores an entry in the first directory that takes it.
func keep(dirs []string, k key, f bpf.Filter) {
	for _, dir := range dirs {
		fd, err := ownDirectory(dir)
		if err != nil {
			continue
		}
		held := fmt.Sprintf("/proc/self/fd/%d", fd) // wherever the name leads by now
		if err = store(held, k, f); err == nil {
			prune(held, time.Now())
		}
		_ = unix.Close(fd)
		if err == nil {
			return
		}
	}
}

// ownDirectory opens a directory that is this user's alone, and makes it if it is
// missing. Files are made and removed in it, which in another's would be where
// that one wants them.
func ownDirectory(dir string) (fd int, err error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Open(dir, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			fd, err = unix.Open(dir, flags, 0)
		}
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0) {
		err = unix.EPERM
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func entryPath(dir string, k key) string {
	return filepath.Join(dir, hex.EncodeToString(k[:])+suffix)
}

// load reads an entry; ok is false if it is not there, or not to be trusted.
// It uses the system calls directly: os.File would cost as much as the rest.
func load(path string, k key) (f bpf.Filter, ok bool) {
	// O_NONBLOCK: a FIFO in its place must not hang the runtime.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, false
	}
	defer unix.Close(fd)
	size, ok := trusted(fd)
	if !ok {
		return f, false
	}
	entry := make([]byte, size)
	if n, err := unix.Read(fd, entry); err != nil || n != size {
		return f, false
	}
	return open(entry, k)
}

// trusted reports that fd is a regular file of this user that others cannot
// write, and that its size is one that an entry can have.
func trusted(fd int) (size int, ok bool) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	ours := st.Mode&unix.S_IFMT == unix.S_IFREG && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
	fits := int64(headerSize) < st.Size && st.Size <= int64(headerSize+bpf.MaxEncoded)
	return int(st.Size), ours && fits
}

// open takes the filter out of an entry.
func open(entry []byte, k key) (f bpf.Filter, ok bool) {
	content := entry[headerSize:]
	if string(entry[:headerSize]) != string(header(k, content)) {
		return f, false
	}
	return bpf.Decode(content)
}

func header(k key, content []byte) []byte {
	sum := sha256.New()
	sum.Write([]byte(magic))
	sum.Write(k[:])
	sum.Write(content)
	h := make([]byte, 0, headerSize)
	h = append(h, magic...)
	h = append(h, k[:]...)
	return sum.Sum(h)
}

// store writes an entry beside its name and renames it, so that a reader sees
// all of it or nothing. Writers of the same key write the same, so the last
// one may win. There is no fsync: what a crash leaves is found by its sum.
func store(dir string, k key, f bpf.Filter) error {
	temp, err := os.CreateTemp(dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	content := f.Encode()
	_, err = temp.Write(append(header(k, content), content...))
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temp.Name(), entryPath(dir, k))
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// prune removes the oldest entries beyond maxEntries, and temporary files that
// nobody writes any more. It runs when something was stored, which is rare,
// and is best effort; a reader that loses an entry compiles.
func prune(dir string, now time.Time) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var entries []fs.FileInfo
	for _, file := range files {
		info, err := file.Info()
		switch {
		case err != nil:
		case strings.HasSuffix(info.Name(), suffix):
			entries = append(entries, info)
		case strings.HasPrefix(info.Name(), tempPrefix) && now.Sub(info.ModTime()) > staleTemp:
			os.Remove(filepath.Join(dir, info.Name()))
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, old := range entries[min(len(entries), maxEntries):] {
		os.Remove(filepath.Join(dir, old.Name()))
	}
}
