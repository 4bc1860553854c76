// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/netdev"
)

// newerError reports a record that is not damaged, but has a form that this version
// does not know.
type newerError struct {
	form   int
	writer string
}

// FaultCode is what a program is told about it.
func (e *newerError) FaultCode() fault.Code { return fault.NewerState }

func (e *newerError) Error() string {
	return fmt.Sprintf("it was written by skiff %s in format %d, but this skiff supports only formats up to %d", e.writer, e.form, version)
}

// decode reads a record of form 1 or a later one.
func decode(b []byte) (*Record, error) {
	r := new(Record)
	if err := r.decode(b); err != nil {
		return nil, err
	}
	return r, nil
}

// decode puts the record b in the place of r, and uses its memory again, except that of
// the annotations.
func (r *Record) decode(b []byte) error {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	form, err := formOf(b, head)
	if err != nil {
		return err
	}
	clear(r.Cgroups)
	*r = Record{Cgroups: r.Cgroups, Tail: slices.Grow(r.Tail[:0], bytes.Count(rest, []byte("\ntail ")))}
	whole := false
	for line := range strings.Lines(string(rest)) {
		text, ended := strings.CutSuffix(line, "\n")
		if !ended {
			return errors.New("it ends within a line")
		}
		if text == last {
			whole = true
			continue
		}
		if err := r.decodeLine(text, form); err != nil {
			return fmt.Errorf("line %.80q: %w", text, err)
		}
	}
	if !whole && form > 1 {
		return fmt.Errorf("its last line, %q, is missing", last)
	}
	if _, err := unseal(b); err != nil {
		return err
	}
	if form == 1 {
		return r.nameSteps()
	}
	return nil
}

// sound reports whether a record is certainly of that container, and can be decoded. The
// checksum answers for its lines, the form for their meaning.
func sound(b []byte, id string) bool {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	form, err := formOf(b, head)
	if err != nil || form != version {
		return false
	}
	sealed, err := unseal(b)
	return sealed && err == nil && bytes.Contains(rest, append(strconv.AppendQuote([]byte("\nid "), id), '\n'))
}

// formOf reads the version of a record's form from its first line. An unknown version
// is taken for that of a newer skiff only if the checksum is right, since otherwise the
// line itself may be damaged.
func formOf(b, head []byte) (int, error) {
	if len(b) == 0 {
		return 0, errors.New("it is empty")
	}
	number, ok := strings.CutPrefix(string(head), header)
	form, err := strconv.Atoi(number)
	if ok && err == nil && form > version {
		if sealed, err := unseal(b); sealed && err == nil {
			return 0, &newerError{form, cmp.Or(gather(string(b)).Writer, "of an unknown version")}
		}
	}
	if !ok || err != nil || form < 1 || form > version {
		return 0, fmt.Errorf("it begins with %.40q, expected %q", head, header+strconv.Itoa(version))
	}
	return form, nil
}

// decodeLine reads one line. If its key is unknown, the line is kept as it is.
func (r *Record) decodeLine(line string, form int) error {
	if err := checkText(line); err != nil {
		return err
	}
	key, _, _ := strings.Cut(line, " ")
	if count, _ := arity(key); count == 0 && key != oldStep {
		if !isKey(key) {
			return errors.New("it has no valid key")
		}
		r.unknown = append(r.unknown, line)
		return nil
	}
	var room [8]string
	key, values, err := fields(line, room[:0])
	if err != nil {
		return err
	}
	if key, values, err = modern(form, key, values); err != nil {
		return err
	}
	return r.set(key, values)
}

// isKey reports whether a word can be a key, perhaps one of a newer version.
func isKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i] | 0x20; (c < 'a' || c > 'z') && (i == 0 || key[i] < '0' || key[i] > '9') {
			return false
		}
	}
	return key != ""
}

// checkText refuses bytes that cannot be in a record, because strings are quoted.
func checkText(line string) error {
	ascii := true
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c < ' ' && c != '\n' || c == 0x7f {
			return errors.New("it is not valid text")
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(line) {
		return errors.New("it is not valid text")
	}
	return nil
}

// fields splits a line into its key and its values, which it appends to values.
func fields(line string, values []string) (key string, _ []string, err error) {
	key, rest, _ := strings.Cut(line, " ")
	for rest != "" {
		v, after := rest, ""
		if rest[0] == '"' {
			if v, after, err = unquote(rest); err != nil {
				return "", nil, err
			}
		}
		values = append(values, v)
		rest = strings.TrimPrefix(after, " ")
	}
	return key, values, nil
}

// arity returns how many values a key has, or with least how many it has at least. It
// returns 0 for an unknown key.
func arity(key string) (count int, least bool) {
	switch key {
	case "writer", "ociVersion", "id", "bundle", "rootfs", "created", "pid", "startTime", "inode", "bootID", "namespaces", "under",
		"netns", "hooks", "noKeyring", "first", sumKey:
		return 1, false
	case "annotation", "cgroup", "unit", "mount":
		return 2, false
	case "rdt":
		return 3, false
	case "netroutes":
		return 1, true
	case "tail":
		return 2, true
	case "netdev":
		return 6, true
	}
	return 0, false
}

// set stores the values of a known key; it ignores that of [sumKey].
func (r *Record) set(key string, v []string) (err error) {
	if want, least := arity(key); len(v) < want || len(v) > want && !least {
		return fmt.Errorf("it has %d values, expected %d", len(v), want)
	}
	switch key {
	case "writer":
		r.Writer = v[0]
	case "ociVersion":
		r.OCIVersion = v[0]
	case "id":
		r.ID = v[0]
	case "bundle":
		r.Bundle = v[0]
	case "rootfs":
		r.Rootfs = v[0]
	case "created":
		r.Created, err = time.Parse(time.RFC3339Nano, v[0])
	case "annotation":
		put(&r.Annotations, v)
	case "pid":
		r.Pid, err = natural(v[0])
	case "startTime":
		r.StartTime, err = strconv.ParseUint(v[0], 10, 64)
	case "inode":
		r.Inode, err = strconv.ParseUint(v[0], 10, 64)
	case "bootID":
		r.BootID = v[0]
	case "namespaces":
		r.Namespaces, err = strconv.ParseUint(v[0], 10, 64)
	case "cgroup":
		put(&r.Cgroups, v)
	case "unit":
		r.Unit.Name = v[0]
		r.Unit.User, err = strconv.ParseBool(v[1])
	case "under":
		r.Under, err = strconv.ParseUint(v[0], 10, 64)
	case "rdt":
		r.RDT.Class, r.RDT.Monitor = v[0], v[1]
		r.RDT.Remove, err = strconv.ParseBool(v[2])
	case "netns":
		r.Network.Namespace = v[0]
	case "netdev":
		err = r.addNetDevice(v)
	case "netroutes": // of the device before
		all := r.Network.Devices
		if len(all) == 0 {
			return errors.New("it must follow a network device")
		}
		d := &all[len(all)-1]
		d.Routes = append(d.Routes, v...)
	case "mount":
		m := Mount{Destination: v[1]}
		m.ID, err = strconv.ParseUint(v[0], 10, 64)
		r.Mounts = append(r.Mounts, m)
	case "hooks":
		r.Hooks, err = strconv.ParseBool(v[0])
	case "noKeyring":
		r.NoKeyring, err = strconv.ParseBool(v[0])
	case "first":
		r.First, err = natural(v[0])
	case "tail":
		r.Tail = append(r.Tail, Step{Op: v[0], Field: v[1], Words: about(v[2:])})
	}
	return err
}

// natural reads a number that is not negative.
func natural(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

// about keeps, of an operation's words, the one that error messages need.
func about(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	return []string{words[0]}
}

func put(m *map[string]string, v []string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[v[0]] = v[1]
}

func (r *Record) addNetDevice(v []string) error {
	from, err := strconv.ParseUint(v[1], 10, 32)
	if err != nil {
		return err
	}
	up, err := strconv.ParseBool(v[2])
	if err != nil {
		return err
	}
	to, err := strconv.ParseUint(v[4], 10, 32)
	if err != nil {
		return err
	}
	master, err := strconv.ParseUint(v[5], 10, 32)
	if err != nil {
		return err
	}
	d := netdev.Device{Name: v[0], Index: uint32(from), Up: up, NewName: v[3], NewIndex: uint32(to), Master: uint32(master)}
	d.Addresses = append(d.Addresses, v[6:]...)
	r.Network.Devices = append(r.Network.Devices, d)
	return nil
}
