package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrDamaged says that the record of a container is of no use to this version.
var ErrDamaged = errors.New("the container's record is damaged")

// damage says what is wrong with a record.
type damage struct {
	path string
	err  error
}

func (d *damage) Error() string {
	var newer *newerError
	if errors.As(d.err, &newer) {
		return fmt.Sprintf("the record %s: %v", d.path, d.err)
	}
	return fmt.Sprintf("the record %s is damaged: %v", d.path, d.err)
}

func (d *damage) Is(target error) bool { return target == ErrDamaged }
func (d *damage) Unwrap() error        { return d.err }

// damaged is what Read returns of a record that is of no use.
func (e *Entry) damaged(err error) (*Record, error) {
	return e.salvage(), &damage{filepath.Join(e.path, recordFile), err}
}

// linkInit writes down, in the text of a symlink, what finds the first process.
// A symlink is one system call, and never half written.
func (e *Entry) linkInit(r *Record) error {
	if r.Pid == 0 {
		return nil
	}
	text := fmt.Sprintf("%d %d %s", r.Pid, r.StartTime, r.BootID)
	err := e.dir().Link(text, initLink)
	if errors.Is(err, fs.ErrExist) {
		_ = e.dir().Unlink(initLink)
		err = e.dir().Link(text, initLink)
	}
	return err
}

// linked reads what linkInit has written.
func (r *Record) linked(text string) bool {
	pid, rest, _ := strings.Cut(text, " ")
	start, boot, ok := strings.Cut(rest, " ")
	n, err := strconv.Atoi(pid)
	if err != nil || !ok || n <= 0 {
		return false
	}
	ticks, err := strconv.ParseUint(start, 10, 64)
	if err != nil {
		return false
	}
	r.Pid, r.StartTime, r.BootID = n, ticks, boot
	return true
}

// salvage gathers what there is of a container whose record is damaged: from
// the lines of the record that can be read, from the spare one, which is better,
// and from the symlink, which is best. It is for ending the container alone.
func (e *Entry) salvage() *Record {
	r := &Record{ID: e.id()}
	for _, name := range [...]string{recordFile, spareFile} {
		if b, err := e.dir().ReadRegular(name, maxFile); err == nil {
			r.gather(string(b))
		}
	}
	if text, err := e.dir().Linked(initLink); err == nil {
		r.linked(text)
	}
	r.sober()
	return r
}

// gather takes over the lines of a record that are of use for ending its
// container. The last line may have been cut off.
func (r *Record) gather(text string) {
	var found Record
	for line := range strings.Lines(text) {
		key, values, err := fields(strings.TrimSuffix(line, "\n"))
		if err != nil || !strings.HasSuffix(line, "\n") || checkText(line) != nil {
			continue
		}
		_ = found.set(key, values)
	}
	if found.ID == r.ID { // else it is about another, which is not to be ended
		r.merge(&found)
	}
}

// merge takes over what other knows.
func (r *Record) merge(other *Record) {
	for _, v := range [...]struct{ into, from *string }{
		{&r.OCIVersion, &other.OCIVersion}, {&r.Bundle, &other.Bundle}, {&r.Rootfs, &other.Rootfs}, {&r.NetNS, &other.NetNS},
	} {
		if *v.from != "" {
			*v.into = *v.from
		}
	}
	if !other.Created.IsZero() {
		r.Created = other.Created
	}
	if other.Pid > 0 {
		r.Pid, r.StartTime, r.BootID = other.Pid, other.StartTime, other.BootID
	}
	if other.Unit != "" {
		r.Unit, r.UserUnit = other.Unit, other.UserUnit
	}
	if other.RDTClass != "" {
		r.RDTClass, r.RDTMonitor, r.RDTRemove = other.RDTClass, other.RDTMonitor, other.RDTRemove
	}
	for k, v := range other.Annotations {
		put(&r.Annotations, []string{k, v})
	}
	for k, v := range other.Cgroups {
		put(&r.Cgroups, []string{k, v})
	}
	r.Namespaces |= other.Namespaces
	r.Under = max(r.Under, other.Under)
	if len(r.NetDevices) == 0 {
		r.NetDevices = other.NetDevices
	}
}

// sober takes back what is only true of a whole record, and what may be damaged
// itself and would keep the container from being ended.
func (r *Record) sober() {
	r.Hooks = true // as far as is known: the configuration tells
	for name, p := range r.Cgroups {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			delete(r.Cgroups, name)
		}
	}
	if r.Pid != 0 {
		r.NetDevices = nil // of a container that is made they stay where they are
	}
	if filepath.Base(r.RDTClass) != r.ID {
		r.RDTRemove = false // one with a name of its own may be others', too
	}
}
