// SPDX-License-Identifier: Apache-2.0

// Package cgroup makes, limits, freezes, kills and removes the cgroups of a container,
// on hosts with cgroup v2 alone (unified), v1 alone (legacy) or both (hybrid).
//
// A [Group] is one directory in each hierarchy that the host has mounted. On a hybrid
// host each resource is limited in the hierarchy that its controller is in.
//
// Two rules hold everywhere. First, files are opened relative to the cgroup's own
// directory, as a single path component, after a check that the directory is on a
// cgroup file system; so a huge page size or a unified key from config.json cannot lead
// to a file elsewhere. Second, a root cgroup, or one that this process is in, is never
// killed, frozen or removed: the functions that do so check it themselves.
package cgroup

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// Delegation says how the container of an ordinary user gets a cgroup of its own.
const Delegation = "create it in a delegated cgroup: systemd-run --user --scope -p Delegate=yes skiff ..."

// Reasons to refuse a group; test with errors.Is.
var (
	// ErrProtected: it is the root cgroup, the caller's own or one above that.
	ErrProtected = fault.New(fault.CgroupInUse, "the cgroup is the root cgroup, or contains skiff itself")
	// ErrNotEmpty: there are processes in a cgroup that is to become a container's.
	ErrNotEmpty = fault.New(fault.CgroupInUse, "container's cgroup is not empty")
	// ErrNone: the container has no cgroup of its own and runs in that of its creator.
	ErrNone = fault.New(fault.NoCgroup, "the container has no cgroup of its own")
	// ErrForeignLegacy: cgroups made by systemd are supported only on hosts with cgroup
	// v2 alone.
	ErrForeignLegacy = fault.New(fault.NotSupported, "--systemd-cgroup requires a host with cgroup v2 only (cgroup2 mounted on /sys/fs/cgroup)")
	// ErrFrozen: a process started in the cgroup would not run.
	ErrFrozen = fault.New(fault.CgroupFrozen, "container's cgroup unexpectedly frozen")
)

// errNoDevices is the error of a host that cannot restrict the use of devices.
var errNoDevices = fault.New(fault.NoCgroup, "the host has neither cgroup v2 nor the devices controller of cgroup v1")

// invalid returns the error for a value that config.json must not have.
func invalid(format string, args ...any) error {
	return fault.With(fault.InvalidConfig, fmt.Errorf(format, args...))
}

// inUse returns the error for a cgroup that has processes where it must not have any.
func inUse(format string, args ...any) error {
	return fault.With(fault.CgroupInUse, fmt.Errorf(format, args...))
}

// FieldError is an error in a value of config.json. Its text begins with the JSON path
// of the field.
type FieldError struct {
	Field string // "linux.resources.cpu.quota"
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the error without the path.
func (e *FieldError) Unwrap() error { return e.Err }

// Faults are all errors found in a set of resources, as one error of one line.
type Faults []error

func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the single errors.
func (f Faults) Unwrap() []error { return f }

// err returns f as an error: nil if it is empty, and a single error as it is.
func (f Faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return f[0]
	}
	return f
}

// add appends err if it is not nil. If err is itself a list of faults, they are
// appended one by one.
func (f *Faults) add(err error) {
	if more, ok := err.(Faults); ok { // no errors.As: a wrapped list keeps its wrapper
		*f = append(*f, more...)
	} else if err != nil {
		*f = append(*f, err)
	}
}
