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

import "errors"

// Why a group is refused; test with errors.Is.
var (
	// ErrProtected: the root cgroup, the caller's own, or one above it.
	ErrProtected = errors.New("the cgroup is the root, the runtime's own, or above it")
	// ErrNotEmpty: processes are in a cgroup that a container is to be made in.
	ErrNotEmpty = errors.New("container's cgroup is not empty")
	// ErrNone: the container runs in the cgroup of the user who made it.
	ErrNone = errors.New("the container has no cgroup of its own: its user may not make any")
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
