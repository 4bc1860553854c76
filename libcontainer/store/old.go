// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What older versions of skiff wrote, oldest first:
//
//	form 0  one JSON object, in a file of another name
//	form 1  lines, without the last one; operations by number
//	form 2  operations by name, in lines of the key "step", with numbers and words
//	        that no error message needs
//
// Form 2 was extended later: by the checksum, by keys for new facilities, and by "tail"
// in place of "step".

// oldFile is the name of the file of form 0.
const oldFile = "state.json"

// oldStep is the key of an operation before there was "tail".
const oldStep = "step"

// modern converts a line of an older version into the one that is written now.
func modern(form int, key string, v []string) (string, []string, error) {
	switch {
	case key == oldStep && len(v) < 3:
		return "", nil, fmt.Errorf("it has %d values, expected 3", len(v))
	case key == oldStep:
		return "tail", append([]string{v[0], v[2]}, v[3:]...), nil
	case form == 1 && key == "netdev" && len(v) >= 5 && !hasMaster(v):
		return key, slices.Insert(v, 5, "0"), nil
	}
	return key, v, nil
}

// hasMaster reports whether a device of form 1 has the number of a master before its
// addresses. An address is in the kernel's binary form, and does not begin with a digit.
func hasMaster(v []string) bool {
	if len(v) == 5 {
		return false
	}
	_, err := strconv.ParseUint(v[5], 10, 32)
	return err == nil
}

// steps1 lists the names of the operations in the order in which form 1 numbers them,
// from 1. It never changes.
const steps1 = `nodump unshare setns fork sync await setsid keyring sethostname setdomainname
	linkup write oomscore close becomeroot
	propagate fsmount opentree setattr attach mount remount copyup pivot moveroot chroot mask readonly
	mknod symlink console devnull
	hook umask setgroups setid stdio bounding keepcaps capset ambient nonewprivs seccomp
	chdir lookup home rlimit sched ioprio affinity personality mempolicy attr label keepfds listen exec
	timens workdir`

// nameSteps replaces the numbers of the operations in forms 0 and 1 by names. When form
// 1 was new there was no "attr", so the operations after it had lower numbers. Which
// numbering a record uses is seen from the last operation of a tail: it is always
// "exec".
func (r *Record) nameSteps() error {
	names := strings.Fields(steps1)
	before := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "attr" })
	if n := len(r.Tail); n > 0 && r.Tail[n-1].Op == strconv.Itoa(1+slices.Index(before, "exec")) {
		names = before
	}
	for i := range r.Tail {
		op := &r.Tail[i].Op
		n, err := strconv.Atoi(*op)
		if err != nil || n < 1 || n > len(names) {
			return fmt.Errorf("%s %q: must be a number from 1 to %d", oldStep, *op, len(names))
		}
		*op = names[n-1]
	}
	return nil
}

// record0 is form 0.
type record0 struct {
	Version     int               `json:"version"`
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations"`
	Pid         int32             `json:"pid"`
	StartTime   uint64            `json:"startTime"`
	BootID      string            `json:"bootID"`
	Namespaces  uint64            `json:"namespaces"`
	Cgroups     map[string]string `json:"cgroups"`
	Under       uint64            `json:"under"`
	Hooks       bool              `json:"hooks"`
	First       int32             `json:"first"`
	Tail        []struct {
		Kind  int      `json:"kind"`
		Field string   `json:"field"`
		Words []string `json:"words"`
	} `json:"tail"`
}

func decode0(b []byte) (*Record, error) {
	var o record0
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, err
	}
	if o.Version != 1 || o.Pid < 0 || o.First < 0 {
		return nil, fmt.Errorf("it has version %d, pid %d and first %d: version must be 1, and the others must not be negative", o.Version, o.Pid, o.First)
	}
	r := &Record{
		OCIVersion: o.OCIVersion, ID: o.ID, Bundle: o.Bundle, Rootfs: o.Rootfs, Created: o.Created, Annotations: o.Annotations,
		Pid: int(o.Pid), StartTime: o.StartTime, BootID: o.BootID, Namespaces: o.Namespaces, Cgroups: o.Cgroups, Under: o.Under,
		Hooks: o.Hooks, First: int(o.First),
	}
	for _, s := range o.Tail {
		r.Tail = append(r.Tail, Step{Op: strconv.Itoa(s.Kind), Field: s.Field, Words: about(s.Words)})
	}
	return r, r.nameSteps()
}
