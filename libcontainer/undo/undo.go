// SPDX-License-Identifier: Apache-2.0

// Package undo keeps what has been acquired, so that an error gives it all
// back in reverse order.
package undo

import (
	"errors"

	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Stack is a stack of clean-ups. The zero value is empty and ready.
//
//	var u undo.Stack
//	defer u.Unwind(&err)
//	...
//	u.Push(func() error { return os.Remove(path) })
//	...
//	u.Release()
type Stack struct {
	steps  []func() error
	failed bool
}

// Push adds the clean-up of something just acquired.
func (s *Stack) Push(f func() error) { s.steps = append(s.steps, f) }

// Release forgets all clean-ups: what they would undo is to stay.
func (s *Stack) Release() { s.steps = nil }

// Failed tells a clean-up that one before it has failed.
func (s *Stack) Failed() bool { return s.failed }

// Unwind runs the clean-ups, last one first, if *err is an error; their own
// errors are joined to it. A stack that was released does nothing.
func (s *Stack) Unwind(err *error) {
	if *err == nil {
		return
	}
	if m := trace.Begin(); m.On() && len(s.steps) > 0 {
		defer func(cause string) { m.Noted(nil, "undo what was done", "", "since it failed: "+cause) }((*err).Error())
	}
	for i := len(s.steps) - 1; i >= 0; i-- {
		if e := s.steps[i](); e != nil {
			s.failed = true
			*err = errors.Join(*err, e)
		}
	}
	s.steps = nil
}
