package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// Files of limits have one value, or a line for each device, which begins with
// a key: "8:0 rbps=1048576 wbps=max".

// empty empties a cpuset: to write nothing would change nothing.
const empty = "\n"

// byKey tells whether a file has a line for each device.
func byKey(file string) bool {
	switch file {
	case "io.max", "io.weight", "io.bfq.weight", "io.latency", "rdma.max", "net_prio.ifpriomap":
		return true
	}
	return strings.HasPrefix(file, "blkio.") && strings.HasSuffix(file, "_device")
}

// line is the rest of the line that begins with key. Old kernels show what is
// for all devices without its key.
func line(text, key string) (string, bool) {
	if key == "default" && text != "" && !strings.ContainsAny(text, " \n") {
		return text, true
	}
	return proc.Value(text, proc.Blank, key)
}

// key splits the value for a file by key; what is given for all devices has
// the key "default".
func key(value string) (string, string) {
	if k, rest, ok := strings.Cut(value, " "); ok {
		return k, rest
	}
	return "default", value
}

// before is what to write to take s back. It is empty for a file of
// linux.resources.unified that cannot be read.
func (d dir) before(s *setting) (string, error) {
	text, err := d.read(s.file)
	if s.loose && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL)) {
		return "", nil // cgroup.kill, memory.reclaim: deeds, no limits
	}
	if err != nil {
		return "", err
	}
	switch {
	case byKey(s.file):
		k, _ := key(s.value)
		rest, ok := line(text, k)
		return lineBefore(s, k, rest, ok), nil
	case s.file == "memory.oom_control":
		rest, _ := line(text, "oom_kill_disable")
		return rest, nil
	case s.loose && s.file == "cgroup.subtree_control":
		return "", nil
	case text == "":
		return empty, nil
	}
	return text, nil
}

func lineBefore(s *setting, k, rest string, there bool) string {
	switch {
	case there && k == "default":
		return rest
	case there:
		return k + " " + rest
	case s.file == "io.max" || s.file == "rdma.max":
		none := k
		_, pairs := key(s.value)
		for pair := range strings.FieldsSeq(pairs) {
			name, _, _ := strings.Cut(pair, "=")
			none += " " + name + "=max"
		}
		return none
	case s.file == "net_prio.ifpriomap" || strings.HasPrefix(s.file, "blkio.throttle."):
		return k + " 0"
	case k == "default":
		return ""
	}
	return k + " default"
}

// check reads s back. These differences are none: memory is counted in whole
// pages, huge pages too; a limit above all that can be is "no limit"; a set of
// CPUs has many forms. Of linux.resources.unified, where any file may be
// named, only what reads as it is written, in form, is compared.
func (d dir) check(s *setting) error {
	text, err := d.read(s.file)
	if s.loose && (err != nil || strings.HasPrefix(s.file, "cgroup.")) {
		return nil
	}
	if err != nil {
		return err
	}
	got, want := text, s.value
	switch {
	case byKey(s.file):
		k, rest := key(s.value)
		want = rest
		got, _ = line(text, k)
	case s.file == "memory.oom_control":
		got, _ = line(text, "oom_kill_disable")
	case s.loose && !comparableForm(got, want):
		return nil
	}
	if !same(s.file, got, want) {
		return fmt.Errorf("the kernel took %q for %q in %s/%s", got, want, d.path, s.file)
	}
	return nil
}

// comparableForm tells whether a unified value that was read is of the form of the
// one that was written.
func comparableForm(got, want string) bool {
	g, w := strings.Fields(got), strings.Fields(want)
	return len(g) == 1 && len(w) == 1 && plain(g[0]) && plain(w[0])
}

func plain(s string) bool {
	_, err := size(s)
	return err == nil || s == "max"
}

// same compares a value that was read with the one that was written.
func same(file, got, want string) bool {
	if strings.HasPrefix(file, "cpuset.") {
		g, err := set(got)
		w, err2 := set(want)
		return err == nil && err2 == nil && bytes.Equal(g, w)
	}
	if got == "" { // no line: nothing is set for the device
		return none(want)
	}
	if strings.Contains(want, "=") {
		for pair := range strings.FieldsSeq(want) {
			if !hasField(got, pair) && !strings.HasSuffix(pair, "=max") {
				return false
			}
		}
		return true
	}
	g, w := strings.Fields(got), strings.Fields(want)
	if len(g) < len(w) || len(w) == 0 {
		return false
	}
	for i := range w {
		if !sameNumber(file, g[i], w[i]) {
			return false
		}
	}
	return true
}

// none tells that a value takes a device's limit away.
func none(want string) bool {
	if strings.Contains(want, "=") {
		for pair := range strings.FieldsSeq(want) {
			if !strings.HasSuffix(pair, "=max") {
				return false
			}
		}
		return true
	}
	return want == "0" || want == "default"
}

func sameNumber(file, got, want string) bool {
	if got == want {
		return true
	}
	if want == "-1" || unlimited(want) {
		return unlimited(got)
	}
	g, err := size(got)
	w, err2 := size(want)
	unit := int64(1)
	switch {
	case strings.HasPrefix(file, "memory."):
		unit = int64(os.Getpagesize())
	case strings.HasPrefix(file, "hugetlb."):
		_, rest, _ := strings.Cut(file, ".")
		page, _, _ := strings.Cut(rest, ".")
		if n, err := size(strings.TrimSuffix(page, "B")); err == nil {
			unit = n
		}
	}
	return err == nil && err2 == nil && g <= w && w-g < unit
}

// unlimited tells of a limit that it is none: "max", or above all that can be.
func unlimited(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return s == "max" || err == nil && n > math.MaxInt64-1<<33
}

// size is a number as the kernel's memparse has it, in any base.
func size(s string) (int64, error) {
	shift := 0
	if n := len(s); n > 0 {
		if i := strings.IndexByte("KMGTPE", s[n-1]&^0x20); i >= 0 {
			s, shift = s[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err == nil && n > math.MaxInt64>>shift {
		err = strconv.ErrRange
	}
	return n << shift, err
}

// set reads a list of CPUs or nodes as the kernel takes it: what is between two
// parts may be any white space and commas.
func set(list string) ([]byte, error) {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return proc.CPUList(strings.Join(parts, ","))
}
