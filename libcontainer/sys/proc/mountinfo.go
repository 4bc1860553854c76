package proc

import (
	"iter"
	"strconv"
	"strings"
)

// Mount is what is used of a line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	ID           uint64
	Major, Minor uint32 // of the superblock; stat(2) has another number where a file system has several (btrfs)
	Root         string // of the mount, in its file system
	Point        string // where it is, below the root directory of the process
	Propagation  string // the optional fields: "shared:9", "unbindable"
	Type         string // of the file system
	Options      string // of the superblock
}

// Mounts are the mounts of a table, in its order.
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

// mount reads one line. Between two fields there is one blank, in a field none,
// and a dash is the field before the type.
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

// Device splits the number of a device, "8:16".
func Device(s string) (major, minor uint32, ok bool) {
	a, b, ok := strings.Cut(s, ":")
	x, errA := strconv.ParseUint(a, 10, 32)
	y, errB := strconv.ParseUint(b, 10, 32)
	return uint32(x), uint32(y), ok && errA == nil && errB == nil
}

// unescape undoes the octal escapes of blank, tab, newline and backslash.
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

// octal reads a backslash and three octal digits.
func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:4], 8, 8)
	return byte(n), err == nil
}
