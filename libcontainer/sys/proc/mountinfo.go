// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"iter"
	"strconv"
	"strings"
)

// Mount has those fields of a line of /proc/PID/mountinfo (proc_pid_mountinfo(5)) that
// skiff uses.
type Mount struct {
	ID           uint64
	Major, Minor uint32 // of the superblock; stat(2) may return another number if a file system has several (btrfs)
	Root         string // root of the mount within its file system
	Point        string // mount point, relative to the root directory of the process
	Propagation  string // the optional fields: "shared:9", "unbindable"
	Type         string // of the file system
	Options      string // of the superblock
}

// Mounts yields the mounts of a table, in the table's order.
func Mounts(table string) iter.Seq[Mount] {
	return func(yield func(Mount) bool) {
		for line := range strings.Lines(table) {
			if m, ok := mount(line); ok && !yield(m) {
				return
			}
		}
	}
}

// MountByID finds a mount in a table.
func MountByID(table string, id uint64) (Mount, bool) {
	for m := range Mounts(table) {
		if m.ID == id {
			return m, true
		}
	}
	return Mount{}, false
}

// mount parses one line. Fields are separated by one blank and contain none. A field with
// a dash comes before the type.
func mount(line string) (m Mount, ok bool) {
	left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	if !ok {
		return m, false
	}
	id, left, _ := strings.Cut(left, " ")
	_, left, _ = strings.Cut(left, " ") // the parent
	number, left, _ := strings.Cut(left, " ")
	root, left, _ := strings.Cut(left, " ")
	point, left, _ := strings.Cut(left, " ")
	_, m.Propagation, _ = strings.Cut(left, " ") // after the mount's own options
	m.Type, right, _ = strings.Cut(right, " ")
	_, m.Options, _ = strings.Cut(right, " ") // after the source

	var err error
	if m.ID, err = strconv.ParseUint(id, 10, 64); err != nil {
		return Mount{}, false
	}
	if m.Major, m.Minor, ok = Device(number); !ok || root == "" || point == "" || m.Options == "" {
		return Mount{}, false
	}
	m.Root, m.Point = unescape(root), unescape(point)
	return m, true
}

// Device parses a device number, "8:16".
func Device(s string) (major, minor uint32, ok bool) {
	a, b, ok := strings.Cut(s, ":")
	x, errA := strconv.ParseUint(a, 10, 32)
	y, errB := strconv.ParseUint(b, 10, 32)
	return uint32(x), uint32(y), ok && errA == nil && errB == nil
}

// unescape decodes octal escapes, which the kernel uses for blanks, tabs, newlines and
// backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := octal(s[i:]); ok {
			b = append(b, c)
			i += 3
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// octal decodes a backslash and three octal digits at the beginning of s.
func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:4], 8, 8)
	return byte(n), err == nil
}
