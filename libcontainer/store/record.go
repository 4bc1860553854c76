package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

// Record is what is known of a container.
type Record struct {
	OCIVersion  string
	ID          string
	Bundle      string
	Rootfs      string
	Created     time.Time
	Annotations map[string]string

	// The first process; all zero while the container is being made.
	Pid       int
	StartTime uint64 // clock ticks after boot, /proc/PID/stat; 0 where that is hidden
	Inode     uint64 // of a pidfd, which no other process has until the next boot; 0 before Linux 6.9
	BootID    string // a pid means nothing after a reboot; empty where /proc does not say

	Namespaces uint64            // CLONE_NEW* flags of what an exec joins
	Cgroups    map[string]string // directory by controller; "" is cgroup v2
	Unit       string            // systemd's unit with the cgroup; empty: there is none
	UserUnit   bool              // it is of the user's systemd
	Under      uint64            // without a mount namespace: id of the mount that the container's root covers
	RDTClass   string            // directory of the class of service, for exec; empty without
	RDTMonitor string            // directory of the monitoring group, which goes with the container
	RDTRemove  bool              // so does the class
	NetNS      string            // while devices are moved: the network namespace that they go to, if it has a path
	NetDevices []netdev.Device   // and the devices
	Mounts     []Mount           // those that have been added since it was made, in order
	Hooks      bool              // the configuration has poststart or poststop hooks
	NoKeyring  bool              // its processes keep the session keyring of who starts them
	Tail       []program.Step    // what is left to do at start, for its errors
	First      int               // index of the first of these in the program

	unknown []string // lines of a newer version of skiff, as they are
}

// Mount is one that was added to a container.
type Mount struct {
	ID          uint64 // of the mount, see sys.LastingMountID
	Destination string // clean
}

// The record's form: a line with its version, then a line for each value, with
// a key before it, then a line that says that it is whole, and one with a
// checksum (sum.go); strings are quoted as in Go. It is no JSON, because every command reads it, and encoding/json takes
// longer to get ready than the rest of most commands.
//
// Other versions of skiff read it. What an older one may ignore is a new key,
// never one more value of a key that there is: lines with keys that are not
// known are kept, and written again. What it may not ignore is a new version of
// the form. All that is a number in this program alone is kept as a word.
//
// Version 1 has no last line, and has steps by number.
const (
	header  = "skiff state "
	version = 2
	last    = "end"
)

func (r *Record) encode() []byte {
	b := make([]byte, 0, 2048)
	b = strconv.AppendInt(append(b, header...), version, 10)
	text := func(key string, values ...string) {
		b = append(append(b, '\n'), key...)
		for _, v := range values {
			b = strconv.AppendQuote(append(b, ' '), v)
		}
	}
	number := func(key string, v uint64) {
		if v != 0 {
			b = append(append(b, '\n'), key...)
			b = strconv.AppendUint(append(b, ' '), v, 10)
		}
	}
	text("ociVersion", r.OCIVersion)
	text("id", r.ID)
	text("bundle", r.Bundle)
	text("rootfs", r.Rootfs)
	text("created", r.Created.Format(time.RFC3339Nano))
	for _, k := range slices.Sorted(maps.Keys(r.Annotations)) {
		text("annotation", k, r.Annotations[k])
	}
	number("pid", uint64(r.Pid))
	number("startTime", r.StartTime)
	number("inode", r.Inode)
	text("bootID", r.BootID)
	number("namespaces", r.Namespaces)
	for _, k := range slices.Sorted(maps.Keys(r.Cgroups)) {
		text("cgroup", k, r.Cgroups[k])
	}
	if r.Unit != "" {
		text("unit", r.Unit, strconv.FormatBool(r.UserUnit))
	}
	number("under", r.Under)
	if r.RDTClass != "" {
		text("rdt", r.RDTClass, r.RDTMonitor, strconv.FormatBool(r.RDTRemove))
	}
	if r.NetNS != "" {
		text("netns", r.NetNS)
	}
	for i := range r.NetDevices {
		d := &r.NetDevices[i]
		text("netdev", append([]string{d.Name, index(d.Index), strconv.FormatBool(d.Up), d.NewName, index(d.NewIndex), index(d.Master)}, d.Addresses...)...)
		if len(d.Routes) > 0 {
			text("netroutes", d.Routes...)
		}
	}
	for _, m := range r.Mounts {
		text("mount", strconv.FormatUint(m.ID, 10), m.Destination)
	}
	if r.Hooks {
		number("hooks", 1)
	}
	if r.NoKeyring {
		number("noKeyring", 1)
	}
	number("first", uint64(r.First))
	for i := range r.Tail {
		s := &r.Tail[i]
		text("step", append([]string{s.Kind.String(), strconv.FormatUint(s.Flags, 10), s.Field}, s.Words...)...)
	}
	for _, line := range r.unknown {
		b = append(append(b, '\n'), line...)
	}
	text(last)
	return seal(append(b, '\n'))
}

// newerError says that a record has a form that is not known here.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("a newer version of skiff wrote it (version %d of its form, %d is known)", e.version, version)
}

func decode(b []byte) (*Record, error) {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	form, err := formOf(b, head)
	if err != nil {
		return nil, err
	}
	r, whole := new(Record), false
	for line := range strings.Lines(string(rest)) {
		text, ended := strings.CutSuffix(line, "\n")
		if !ended {
			return nil, errors.New("it ends within a line")
		}
		if text == last {
			whole = true
			continue
		}
		if err := r.decodeLine(text, form); err != nil {
			return nil, fmt.Errorf("line %.80q: %w", text, err)
		}
	}
	if !whole && form > 1 {
		return nil, fmt.Errorf("its last line, %q, is missing", last)
	}
	if _, err := unseal(b); err != nil {
		return nil, err
	}
	return r, nil
}

// formOf reads the version of a record's form from its first line.
func formOf(b, head []byte) (int, error) {
	if len(b) == 0 {
		return 0, errors.New("it is empty")
	}
	number, ok := strings.CutPrefix(string(head), header)
	form, err := strconv.Atoi(number)
	switch {
	case !ok, err != nil, form < 1:
		return 0, fmt.Errorf("it begins with %.40q, %q is expected", head, header+strconv.Itoa(version))
	case form > version:
		return 0, &newerError{form}
	}
	return form, nil
}

func (r *Record) decodeLine(line string, form int) error {
	if err := checkText(line); err != nil {
		return err
	}
	key, values, err := fields(line)
	if err != nil {
		return err
	}
	if key == "step" && form == 1 && len(values) > 0 {
		if values[0], err = wordOf1(values[0]); err != nil {
			return err
		}
	}
	err = r.set(key, values)
	if errors.Is(err, errUnknown) && isKey(key) {
		r.unknown = append(r.unknown, line)
		return nil
	}
	return err
}

// errUnknown is what [Record.set] says of a key that it does not know.
var errUnknown = errors.New("unknown key")

func isKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i] | 0x20; (c < 'a' || c > 'z') && (i == 0 || key[i] < '0' || key[i] > '9') {
			return false
		}
	}
	return key != ""
}

// checkText refuses what no record has, as strings are quoted.
func checkText(line string) error {
	if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 || !utf8.ValidString(line) {
		return errors.New("it is no text")
	}
	return nil
}

// fields splits a line into its key and its values.
func fields(line string) (key string, values []string, err error) {
	key, rest, _ := strings.Cut(line, " ")
	for rest != "" {
		v, after := rest, ""
		if rest[0] == '"' {
			if v, err = strconv.QuotedPrefix(rest); err != nil {
				return "", nil, err
			}
			after = rest[len(v):]
			if v, err = strconv.Unquote(v); err != nil {
				return "", nil, err
			}
		}
		values = append(values, v)
		rest = strings.TrimPrefix(after, " ")
	}
	return key, values, nil
}

// wants is how many values a key has at least; 0: it is not known.
func wants(key string) int {
	switch key {
	case "ociVersion", "id", "bundle", "rootfs", "created", "pid", "startTime", "inode", "bootID", "namespaces", "under",
		"netns", "netroutes", "hooks", "noKeyring", "first", sumKey:
		return 1
	case "annotation", "cgroup", "unit", "mount":
		return 2
	case "step", "rdt":
		return 3
	case "netdev":
		return 6
	}
	return 0
}

func (r *Record) set(key string, v []string) (err error) {
	want := wants(key)
	if want == 0 {
		return errUnknown
	}
	if len(v) < want {
		return fmt.Errorf("%d values, expected %d", len(v), want)
	}
	switch key {
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
		r.Pid, err = strconv.Atoi(v[0])
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
		r.Unit = v[0]
		r.UserUnit, err = strconv.ParseBool(v[1])
	case "under":
		r.Under, err = strconv.ParseUint(v[0], 10, 64)
	case "rdt":
		r.RDTClass, r.RDTMonitor = v[0], v[1]
		r.RDTRemove, err = strconv.ParseBool(v[2])
	case "netns":
		r.NetNS = v[0]
	case "netdev":
		err = r.addNetDevice(v)
	case "netroutes": // of the device before
		if len(r.NetDevices) == 0 {
			return errors.New("no device before it")
		}
		d := &r.NetDevices[len(r.NetDevices)-1]
		d.Routes = append(d.Routes, v...)
	case "mount":
		m := Mount{Destination: v[1]}
		m.ID, err = strconv.ParseUint(v[0], 10, 64)
		r.Mounts = append(r.Mounts, m)
	case "hooks":
		r.Hooks = v[0] == "1"
	case "noKeyring":
		r.NoKeyring = v[0] == "1"
	case "first":
		r.First, err = strconv.Atoi(v[0])
	case "step":
		err = r.addStep(v)
	}
	return err
}

func put(m *map[string]string, v []string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[v[0]] = v[1]
}

func index(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

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
	r.NetDevices = append(r.NetDevices, d)
	return nil
}
