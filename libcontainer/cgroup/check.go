// SPDX-License-Identifier: Apache-2.0

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

// A file of a limit has one value, or a line for each device, which begins with the
// device as its key: "8:0 rbps=1048576 wbps=max".

// empty is what to write to empty a cpuset: a write of no bytes has no effect.
const empty = "\n"

// byKey reports whether a file has a line for each device.
func byKey(file string) bool {
	switch file {
	case "io.max", "io.weight", "io.bfq.weight", "io.latency", "rdma.max", "net_prio.ifpriomap":
		return true
	}
	return strings.HasPrefix(file, "blkio.") && strings.HasSuffix(file, "_device")
}

// lineOf returns the rest of the line that begins with key. Old kernels show the value
// for all devices without its key, "default".
func lineOf(text, key string) (string, bool) {
	if key == "default" && text != "" && !strings.ContainsAny(text, " \n") {
		return text, true
	}
	return proc.Value(text, proc.Blank, key)
}

// splitKey splits a value of a file with keys into the key and the rest. A value for all
// devices has the key "default".
func splitKey(value string) (string, string) {
	if k, rest, ok := strings.Cut(value, " "); ok {
		return k, rest
	}
	return "default", value
}

// undoValue returns what to write to undo s. It returns "" if that is not known, as for a
// file of linux.resources.unified that cannot be read.
func (d dir) undoValue(s *setting) (string, error) {
	text, err := d.read(s.file)
	if s.unified && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL)) {
		return "", nil // cgroup.kill and memory.reclaim: actions, not limits
	}
	if err != nil {
		return "", err
	}
	switch {
	case byKey(s.file):
		k, _ := splitKey(s.value)
		rest, ok := lineOf(text, k)
		return undoLine(s, k, rest, ok), nil
	case s.file == "memory.oom_control":
		rest, _ := lineOf(text, "oom_kill_disable")
		return rest, nil
	case s.unified && s.file == "cgroup.subtree_control":
		return "", nil
	case text == "":
		return empty, nil
	}
	return text, nil
}

func undoLine(s *setting, k, rest string, there bool) string {
	switch {
	case there && k == "default":
		return rest
	case there:
		return k + " " + rest
	case s.file == "io.max" || s.file == "rdma.max":
		none := k
		_, pairs := splitKey(s.value)
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

// check reads s back and returns an error if the kernel has another value. It accepts
// these differences: the kernel rounds memory and huge pages down to whole pages; a
// limit above all possible values means no limit; a set of CPUs can be written in many
// ways. linux.resources.unified may name any file; of its values only single numbers,
// "max" and lines with a device are compared.
func (d dir) check(s *setting) error {
	text, err := d.read(s.file)
	if s.unified && (err != nil || strings.HasPrefix(s.file, "cgroup.")) {
		return nil
	}
	if err != nil {
		return err
	}
	got, want := text, s.value
	switch {
	case byKey(s.file):
		k, rest := splitKey(s.value)
		want = rest
		got, _ = lineOf(text, k)
	case s.file == "memory.oom_control":
		got, _ = lineOf(text, "oom_kill_disable")
	case s.unified && !comparableForm(got, want):
		return nil
	}
	if !sameValue(s.file, got, want) {
		return fmt.Errorf("the kernel set %s/%s to %q instead of %q", d.path, s.file, got, want)
	}
	return nil
}

// comparableForm reports whether a value read from a file, and the one of
// linux.resources.unified that was written to it, can be compared.
func comparableForm(got, want string) bool {
	g, w := strings.Fields(got), strings.Fields(want)
	return len(g) == 1 && len(w) == 1 && isPlainValue(g[0]) && isPlainValue(w[0])
}

func isPlainValue(s string) bool {
	_, err := parseSize(s)
	return err == nil || s == "max"
}

// sameValue reports whether a value read from a file means the same as the one that was
// written.
func sameValue(file, got, want string) bool {
	if strings.HasPrefix(file, "cpuset.") {
		g, err := parseCPUSet(got)
		w, err2 := parseCPUSet(want)
		return err == nil && err2 == nil && bytes.Equal(g, w)
	}
	if got == "" { // no line: nothing is set for the device
		return removesLimit(want)
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

// removesLimit reports whether a value removes a device's limit.
func removesLimit(want string) bool {
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
	g, err := parseSize(got)
	w, err2 := parseSize(want)
	unit := int64(1)
	switch {
	case strings.HasPrefix(file, "memory."):
		unit = int64(os.Getpagesize())
	case strings.HasPrefix(file, "hugetlb."):
		_, rest, _ := strings.Cut(file, ".")
		page, _, _ := strings.Cut(rest, ".")
		if n, err := parseSize(strings.TrimSuffix(page, "B")); err == nil {
			unit = n
		}
	}
	return err == nil && err2 == nil && g <= w && w-g < unit
}

// unlimited reports whether s means no limit: "max", or a number near the largest
// possible one, which the kernel rounds down to whole pages.
func unlimited(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return s == "max" || err == nil && n > math.MaxInt64-1<<33
}

// parseSize parses a number with an optional suffix (K to E), in any base, like the
// kernel's memparse.
func parseSize(s string) (int64, error) {
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

// parseCPUSet parses a list of CPUs or memory nodes like the kernel, which allows any
// white space and commas between two elements.
func parseCPUSet(list string) ([]byte, error) {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return proc.CPUList(strings.Join(parts, ","))
}
