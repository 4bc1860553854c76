// Package cgroup makes, limits, freezes, kills and removes the control groups
// of a container, on a unified (v2), a legacy (v1) and a hybrid host.
//
// A [Group] is one directory in every hierarchy that the host has mounted. On
// a hybrid host each resource is set where its controller lives.
//
// Two rules hold everywhere. Files are opened relative to the cgroup's own
// directory, one name at a time, on what is checked to be a cgroup file
// system, so neither a page size nor a unified key can lead elsewhere. And a
// root cgroup, or one that this process is in, is never killed, frozen or
// removed: the functions that do it look for themselves.
package cgroup

import (
	"errors"
	"strings"
)

// Why a group is refused; test with errors.Is.
var (
	// ErrProtected: the root cgroup, the caller's own, or one above it.
	ErrProtected = errors.New("the cgroup is the root, the runtime's own, or above it")
	// ErrNotEmpty: processes are in a cgroup that a container is to be made in.
	ErrNotEmpty = errors.New("container's cgroup is not empty")
	// ErrNone: the container runs in the cgroup of the user who made it.
	ErrNone = errors.New("the container has no cgroup of its own")
	// ErrForeignLegacy: a process cannot be kept by systemd in v1 hierarchies.
	ErrForeignLegacy = errors.New("cgroups through systemd need a host with cgroup v2 alone (cgroup2 on /sys/fs/cgroup)")
	// ErrFrozen: a process started in the cgroup would not run.
	ErrFrozen = errors.New("container's cgroup unexpectedly frozen")
)

// FieldError is an error that config.json brought about. Its text begins with
// the field's JSON path.
type FieldError struct {
	Field string // "linux.resources.cpu.quota"
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap gives what is wrong with the field.
func (e *FieldError) Unwrap() error { return e.Err }

// Faults is all that is wrong with some resources, in one line.
type Faults []error

func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives each fault.
func (f Faults) Unwrap() []error { return f }

// err is f as an error: nil without faults.
func (f Faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return f[0]
	}
	return f
}

// add adds err, if it is one, and those in it.
func (f *Faults) add(err error) {
	if more, ok := err.(Faults); ok { // itself, not one that it wraps
		*f = append(*f, more...)
	} else if err != nil {
		*f = append(*f, err)
	}
}
