// SPDX-License-Identifier: Apache-2.0

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

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// ErrDamaged means that this version of skiff cannot use a record: it is damaged, or a
// newer version wrote it.
var ErrDamaged = fault.New(fault.Damaged, "the container's record is damaged")

// damage is an error that says what is wrong with a record.
type damage struct {
	path string
	err  error
}

func (d *damage) Error() string {
	switch d.FaultCode() {
	case fault.NewerState:
		return fmt.Sprintf("the record %s: %v", d.path, d.err)
	case fault.NoPermission:
		return fmt.Sprintf("cannot read the container's record: %v", d.err)
	}
	return fmt.Sprintf("the record %s is damaged: %v", d.path, d.err)
}

// FaultCode returns the code of the error. A record that this user may not read need not
// be damaged.
func (d *damage) FaultCode() fault.Code {
	switch {
	case errors.As(d.err, new(*newerError)):
		return fault.NewerState
	case errors.Is(d.err, fs.ErrPermission):
		return fault.NoPermission
	}
	return fault.Damaged
}

func (d *damage) Is(target error) bool { return target == ErrDamaged }
func (d *damage) Unwrap() error        { return d.err }

// damaged is what Read returns if the record in file cannot be used.
func (e *Entry) damaged(file string, err error) (*Record, error) {
	return e.salvage(), &damage{filepath.Join(e.path, file), err}
}

// linkInit stores what identifies the first process as the text of a symlink, because
// one system call makes that, and it is never half written.
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

// linked reads what linkInit wrote, and reports whether it is complete.
func (r *Record) linked(text string) bool {
	pid, rest, _ := strings.Cut(text, " ")
	start, boot, ok := strings.Cut(rest, " ")
	start, number, _ := strings.Cut(start, "/") // older versions of skiff wrote no inode
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

// salvage collects what is left of a container whose record is damaged: from the
// record, from the spare one, which takes precedence, and from the symlink, which
// takes precedence over both. The result is good for ending the container only. If
// the checksum of a record is right, records without one are passed over. If none
// is right, all lines that can be read count, but what might belong to another
// container counts only where both records agree.
func (e *Entry) salvage() *Record {
	r := &Record{ID: e.ID()}
	var sure, doubtful []*Record
	for _, name := range [...]string{recordFile, spareFile} {
		b, err := e.dir().ReadRegular(name, maxFile)
		if err != nil {
			continue
		}
		found := gather(string(b))
		if found.ID != r.ID { // it belongs to another container, which must not be ended
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

// gather reads those lines of a record that can be read, whatever its form. The last
// line may be incomplete.
func gather(text string) *Record {
	found := new(Record)
	for line := range strings.Lines(text) {
		key, values, err := fields(strings.TrimSuffix(line, "\n"), nil)
		if err != nil || !strings.HasSuffix(line, "\n") || checkText(line) != nil {
			continue
		}
		before := *found
		if found.set(key, values) != nil {
			*found = before
		}
	}
	return found
}

// agreed removes, from records that have no right checksum, those values that they do
// not agree on and that name what delete kills, removes or unmounts. The first process
// needs no such care: its start time distinguishes it from any other.
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
	if r.Unit != other.Unit {
		r.Unit = Unit{}
	}
	if r.RDT.Class != other.RDT.Class || r.RDT.Monitor != other.RDT.Monitor { // Remove may differ: it is known only once the class is made
		r.RDT = RDT{}
	}
	if r.Rootfs != other.Rootfs || r.Under != other.Under {
		r.Under = 0
	}
	r.Network.Devices = nil
}

// merge takes over the values that other has.
func (r *Record) merge(other *Record) {
	for _, v := range [...]struct{ into, from *string }{
		{&r.OCIVersion, &other.OCIVersion}, {&r.Bundle, &other.Bundle}, {&r.Rootfs, &other.Rootfs},
		{&r.Network.Namespace, &other.Network.Namespace},
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
	if other.Unit.Name != "" {
		r.Unit = other.Unit
	}
	if other.RDT.Class != "" {
		r.RDT = other.RDT
	}
	for k, v := range other.Annotations {
		put(&r.Annotations, []string{k, v})
	}
	for k, v := range other.Cgroups {
		put(&r.Cgroups, []string{k, v})
	}
	r.Namespaces |= other.Namespaces
	r.Under = max(r.Under, other.Under)
	if len(r.Network.Devices) == 0 {
		r.Network.Devices = other.Network.Devices
	}
}

// sober removes what can be relied on only in a record that is not damaged, and
// values which are damaged so that they would keep delete from ending the container.
func (r *Record) sober() {
	r.Hooks = true // as far as is known: the configuration tells
	for name, p := range r.Cgroups {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			delete(r.Cgroups, name)
		}
	}
	if r.Pid != 0 {
		r.Network.Devices = nil // those of a container that has been made stay where they are
	}
	if filepath.Base(r.RDT.Class) != r.ID {
		r.RDT.Remove = false // other containers may share a class with another name
	}
}
