package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	text := fmt.Sprintf("%d %d/%d %s", r.Pid, r.StartTime, r.Inode, r.BootID)
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
	start, number, _ := strings.Cut(start, "/") // an older skiff has written none
	n, err := strconv.Atoi(pid)
	if err != nil || !ok || n <= 0 {
		return false
	}
	ticks, err := strconv.ParseUint(start, 10, 64)
	if err != nil {
		return false
	}
	inode, err := strconv.ParseUint(cmp.Or(number, "0"), 10, 64)
	if err != nil {
		return false
	}
	r.Pid, r.StartTime, r.Inode, r.BootID = n, ticks, inode, boot
	return true
}

// salvage gathers what there is of a container whose record is damaged: from
// the record and from the spare one, which is better, and from the symlink,
// which is best. It is for ending the container alone. One of the two whose
// checksum is right is gone by alone; without such a one, the lines that can be
// read, as far as both have them where they name what might be another's.
func (e *Entry) salvage() *Record {
	r := &Record{ID: e.id()}
	var sure, doubtful []*Record
	for _, name := range [...]string{recordFile, spareFile} {
		b, err := e.dir().ReadRegular(name, maxFile)
		if err != nil {
			continue
		}
		found := gather(string(b))
		if found.ID != r.ID { // it is about another, which is not to be ended
			continue
		}
		if sealed, err := unseal(b); sealed && err == nil {
			sure = append(sure, found)
		} else {
			doubtful = append(doubtful, found)
		}
	}
	if len(sure) == 0 {
		sure = agreed(doubtful)
	}
	for _, found := range sure {
		r.merge(found)
	}
	if text, err := e.dir().Linked(initLink); err == nil {
		r.linked(text)
	}
	r.sober()
	return r
}

// gather reads the lines of a record that can be read. The last one may have
// been cut off.
func gather(text string) *Record {
	found := new(Record)
	for line := range strings.Lines(text) {
		key, values, err := fields(strings.TrimSuffix(line, "\n"))
		if err != nil || !strings.HasSuffix(line, "\n") || checkText(line) != nil {
			continue
		}
		_ = found.set(key, values)
	}
	return found
}

// agreed leaves of records, none of which is sure, what all of them have, where
// it names what is killed, removed or unmounted. A first process needs no such
// care: its start time tells it from any other.
func agreed(all []*Record) []*Record {
	if len(all) == 1 {
		all = append(all, new(Record))
	}
	for i, r := range all {
		r.agree(all[len(all)-1-i])
	}
	return all
}

func (r *Record) agree(other *Record) {
	maps.DeleteFunc(r.Cgroups, func(name, path string) bool { return other.Cgroups[name] != path })
	if r.Unit != other.Unit || r.UserUnit != other.UserUnit {
		r.Unit = ""
	}
	if r.RDTClass != other.RDTClass || r.RDTMonitor != other.RDTMonitor {
		r.RDTClass = ""
	}
	if r.Rootfs != other.Rootfs || r.Under != other.Under {
		r.Under = 0
	}
	r.NetDevices = nil
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
		r.Pid, r.StartTime, r.Inode, r.BootID = other.Pid, other.StartTime, other.Inode, other.BootID
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
