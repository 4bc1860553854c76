// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/binary"
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
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// An entry of the cache is a file:
//
//	magic, length of the key, checksum of the filter, key, filter
//
// The key in the file reveals the entry of another profile, the checksum one that is
// truncated or overwritten. Neither is a signature: an entry is used only if no other
// user can have written it (see trusted).
const (
	magic      = "skiff\x00\x00\x03"
	headerSize = len(magic) + 2*8
	suffix     = ".bpf"
	tempPrefix = "new-"
)

// Limits of the cache. Engines have a handful of profiles, but a caller that generates
// one per container must not fill the file system (usually a tmpfs).
const (
	maxEntries = 128
	// Older temporary files were left by a killed runtime.
	staleTemp = time.Minute
)

// Cached returns the filter of p, compiled or from the cache, which is in dirs. An
// entry is read from any of them, and a new one is stored in the first that belongs to
// the caller alone. A cached program costs some ten microseconds and no run of the
// compiler; a run may need scratch, a directory for a file without a name. The cache
// never causes a failure: if an entry cannot be read or is damaged, the profile is
// compiled again, and if it cannot be stored, the profile is compiled each time.
func Cached(dirs []string, scratch string, p *specs.LinuxSeccomp) (*Filter, error) {
	f, err := settings(p)
	if err != nil {
		return nil, err
	}
	k := keyOf(p)
	m := trace.Begin()
	made, ok := find(dirs, k)
	if m.On() {
		m.Noted(nil, "look for the seccomp filter in the cache", "", looked(ok))
	}
	if !ok {
		err = trace.Timed("compile the seccomp filter", "", func() (err error) { made, err = compile(scratch, p); return err })
		if err != nil {
			return nil, err
		}
		keep(dirs, k, made)
	}
	f.BPF, f.Notes = made.Program, made.Notes
	return f, nil
}

func looked(found bool) string {
	if found {
		return "found"
	}
	return "not found"
}

// find returns an entry from the first directory that has it. It does not check the
// directory: the file itself must be trusted.
func find(dirs []string, k key) (f bpf.Filter, ok bool) {
	for _, dir := range dirs {
		if f, ok = load(entryPath(dir, k), k); ok {
			break
		}
	}
	return f, ok
}

// keep stores an entry in the first directory that it can be stored in.
func keep(dirs []string, k key, f bpf.Filter) {
	for _, dir := range dirs {
		fd, err := ownDirectory(dir)
		if err != nil {
			trace.Say("keep the seccomp filter in %s: %v: the next directory is tried", dir, err)
			continue
		}
		opened := fmt.Sprintf("/proc/self/fd/%d", fd) // the directory that was checked, wherever dir leads by now
		if err = store(opened, k, f); err == nil {
			prune(opened, time.Now())
		}
		_ = unix.Close(fd)
		if err == nil {
			return
		}
		trace.Say("keep the seccomp filter in %s: %v: the next directory is tried", dir, err)
	}
}

// ownDirectory opens a directory that only this user can access, and makes it if it is
// missing. Files are created and removed in it; in a directory of another user they
// would be wherever that user wants.
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

func entryPath(dir string, k key) string { return filepath.Join(dir, k.file()) }

// load reads an entry; ok is false if there is none, or none that is trusted. It uses
// system calls directly, because os.File would double the cost.
func load(path string, k key) (f bpf.Filter, ok bool) {
	// O_NONBLOCK: a FIFO in its place must not hang the runtime.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, false
	}
	defer unix.Close(fd)
	size, ok := trusted(fd, k)
	if !ok {
		return f, false
	}
	entry := make([]byte, size)
	if n, err := unix.Read(fd, entry); err != nil || n != size {
		return f, false
	}
	return unpack(entry, k)
}

// trusted reports whether fd is a regular file of this user that no other user can
// write, with a size that an entry of k can have, and returns the size.
func trusted(fd int, k key) (size int, ok bool) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	ours := st.Mode&unix.S_IFMT == unix.S_IFREG && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
	before := int64(headerSize + len(k))
	fits := before < st.Size && st.Size <= before+bpf.MaxEncoded
	return int(st.Size), ours && fits
}

// unpack returns the filter of an entry; ok is false if the entry is damaged, or not
// that of k.
func unpack(entry []byte, k key) (f bpf.Filter, ok bool) {
	before, content := entry[:headerSize+len(k)], entry[headerSize+len(k):]
	if !bytes.Equal(before[headerSize:], k) || !bytes.Equal(before[:headerSize], header(k, content)) {
		return f, false
	}
	return bpf.Decode(content)
}

// header returns what precedes the key and the content of an entry.
func header(k key, content []byte) []byte {
	h := append(make([]byte, 0, headerSize), magic...)
	h = binary.LittleEndian.AppendUint64(h, uint64(len(k)))
	return binary.LittleEndian.AppendUint64(h, sum(content))
}

// store writes an entry to a temporary file and renames it, so that readers see all of
// it or nothing. Writers of the same key write the same content, so the last one may
// win. There is no fsync: the checksum reveals what a crash leaves behind.
func store(dir string, k key, f bpf.Filter) error {
	temp, err := os.CreateTemp(dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	content := f.Encode()
	_, err = temp.Write(append(append(header(k, content), k...), content...))
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

// prune removes the oldest entries beyond maxEntries, and stale temporary files. It
// runs only after an entry was stored, which is rare, and ignores errors. A reader that
// misses an entry compiles the profile.
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
