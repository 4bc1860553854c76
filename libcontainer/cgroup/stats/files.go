// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// files reads the files of one cgroup. A file that does not exist reads as empty: its
// controller is not enabled, or the kernel is older. err is the first other error.
type files struct {
	dir fs.FS
	err error
}

func (f *files) fail(name string, err error) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: %w", name, err)
	}
}

// text returns the contents of a file. A pressure file returns ENOTSUP if accounting is
// disabled.
func (f *files) text(name string) string {
	b, err := fs.ReadFile(f.dir, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTSUP) {
		f.fail(name, err)
	}
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (f *files) has(name string) bool {
	_, err := fs.Stat(f.dir, name)
	return err == nil
}

func (f *files) parse(name, s string) uint64 {
	if s == "max" {
		return math.MaxUint64
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		f.fail(name, err)
	}
	return n
}

// number returns the contents of a file with one number; 0 if it does not exist.
func (f *files) number(name string) uint64 {
	s := f.text(name)
	if s == "" {
		return 0
	}
	return f.parse(name, s)
}

// signed is number for a file whose number may be negative.
func (f *files) signed(name string) int64 {
	s := f.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f.fail(name, err)
	}
	return n
}

// numbers returns the contents of a file that has only numbers.
func (f *files) numbers(name string) []uint64 {
	var list []uint64
	for s := range strings.FieldsSeq(f.text(name)) {
		list = append(list, f.parse(name, s))
	}
	return list
}

// keyed returns the contents of a file with lines of "key value"; nil if there are
// none.
func (f *files) keyed(name string) map[string]uint64 {
	var all map[string]uint64
	for key, value := range proc.Pairs(f.text(name), proc.Blank) {
		if all == nil {
			all = make(map[string]uint64)
		}
		all[key] = f.parse(name, value)
	}
	return all
}

// nested calls each for every pair in a file with lines of "name key=value key=value".
func (f *files) nested(name string, each func(name, key, value string)) {
	for line := range strings.Lines(f.text(name)) {
		fields := strings.Fields(line)
		for _, pair := range fields[min(1, len(fields)):] {
			if key, value, ok := strings.Cut(pair, "="); ok {
				each(fields[0], key, value)
			}
		}
	}
}

// list returns the contents of a file such as "0-3,7".
func (f *files) list(name string) []uint16 {
	var all []uint16
	mask, err := proc.CPUList(f.text(name))
	if err != nil {
		f.fail(name, err)
	}
	for n := range proc.Members(mask) {
		all = append(all, uint16(n))
	}
	return all
}

// psi returns the contents of a pressure file; nil if there are none.
func (f *files) psi(name string) *PSI {
	var p PSI
	f.nested(name, func(line, key, value string) {
		which := &p.Some
		if line == "full" {
			which = &p.Full
		}
		if *which == nil {
			*which = new(PSIData)
		}
		f.psiValue(*which, name, key, value)
	})
	if p == (PSI{}) {
		return nil
	}
	return &p
}

func (f *files) psiValue(d *PSIData, name, key, value string) {
	if key == "total" {
		d.Total = f.parse(name, value)
		return
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		f.fail(name, err)
	}
	switch key {
	case "avg10":
		d.Avg10 = v
	case "avg60":
		d.Avg60 = v
	case "avg300":
		d.Avg300 = v
	}
}

// device parses a device number such as "8:16".
func device(s string) (major, minor uint64, ok bool) {
	a, b, ok := proc.Device(s)
	return uint64(a), uint64(b), ok
}

// pageSizes returns the sizes of huge pages for which there is a file "hugetlb.SIZE" +
// suffix.
func (f *files) pageSizes(suffix string) []string {
	names, err := fs.Glob(f.dir, "hugetlb.*"+suffix)
	if err != nil {
		f.fail("hugetlb", err)
	}
	var sizes []string
	for _, name := range names {
		size := strings.TrimSuffix(strings.TrimPrefix(name, "hugetlb."), suffix)
		if !strings.Contains(size, ".") { // "SIZE.rsvd" is that of the reservations
			sizes = append(sizes, size)
		}
	}
	return sizes
}
