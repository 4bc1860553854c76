// SPDX-License-Identifier: Apache-2.0

// Package trace records what a call of skiff does, step by step, for --debug and
// --trace: the runtime's own steps, and the operations of the child.
//
// There is one recorder for the process, as there is one log, because the steps are in
// packages that have nothing else in common. Without a recorder a step costs one
// comparison: neither the time nor the words of a step are taken before [Mark.On] says
// that somebody wants them.
//
//	if m := trace.Begin(); m.On() {
//		defer func() { m.Done(err, "write", path) }()
//	}
package trace

import (
	"fmt"
	"time"
)

// Step is something that was done.
type Step struct {
	Child bool   // the child did it
	Pid   int    // of the child
	Index int    // number of the child's operation in its program
	What  string // "write", "run hook"; the child's operation
	On    string // what it was done to: a path, a name
	Note  string // what came of it, if it did not fail
	Field string // JSON path of the field of config.json that asks for it
	Err   error  // why it failed

	Begun   time.Time
	Took    time.Duration
	Instant bool // it has no duration
}

// Title returns the words that name the step.
func (s *Step) Title() string {
	if s.On == "" {
		return s.What
	}
	return s.What + " " + s.On
}

// String returns the step as a line of --debug.
func (s *Step) String() string {
	line := "runtime: " + s.Title()
	if s.Child {
		line = fmt.Sprintf("child: %d %s", s.Index, s.Title())
	}
	if !s.Instant {
		line += fmt.Sprintf(": %d µs", s.Took.Microseconds())
	}
	if s.Note != "" {
		line += ": " + s.Note
	}
	if s.Err != nil {
		line += ": failed: " + s.Err.Error()
	}
	if s.Field != "" {
		line += " # " + s.Field
	}
	return line
}

// recorder is called with each step; nil: nobody wants them.
var recorder func(Step)

// To has r called with each step, at its end. r may be called by several goroutines at
// once. It must be called before the first step.
func To(r func(Step)) { recorder = r }

// On reports whether steps are recorded.
func On() bool { return recorder != nil }

// Record records a step that was measured elsewhere.
func Record(s Step) {
	if recorder != nil {
		recorder(s)
	}
}

// Say records something without a duration: mostly what was tried in vain, and what is
// done in its place.
func Say(format string, args ...any) {
	if recorder != nil {
		recorder(Step{What: fmt.Sprintf(format, args...), Begun: time.Now(), Instant: true})
	}
}

// Mark is the beginning of a step.
type Mark struct{ begun time.Time }

// Begin begins a step.
func Begin() Mark {
	if recorder == nil {
		return Mark{}
	}
	return now()
}

func now() Mark { return Mark{time.Now()} }

// On reports whether the step has been begun, and so is recorded.
func (m Mark) On() bool { return !m.begun.IsZero() }

// Done records the end of the step, which has failed if err is not nil.
func (m Mark) Done(err error, what, on string) { m.Noted(err, what, on, "") }

// Noted is [Mark.Done] with a note of what came of the step.
func (m Mark) Noted(err error, what, on, note string) {
	if m.On() {
		Record(Step{What: what, On: on, Note: note, Err: err, Begun: m.begun, Took: time.Since(m.begun)})
	}
}

// Timed calls f as one step.
func Timed(what, on string, f func() error) error {
	m := Begin()
	err := f()
	m.Done(err, what, on)
	return err
}
