// SPDX-License-Identifier: Apache-2.0

// Package fault adds to an error what a program wants to know about it: a stable code,
// the phase in which it came up, and a hint. None of that changes the error's text,
// which people and engines read.
package fault

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Phase is a part of a command.
type Phase string

// The phases of a command, in order.
const (
	Arguments Phase = "arguments" // the command line is read
	Config    Phase = "config"    // config.json, or another file of the caller, is read and checked
	Prepare   Phase = "prepare"   // the state directory and the cgroup are made
	Launch    Phase = "launch"    // the process sets itself up, up to the user's program
	Hooks     Phase = "hooks"     // a hook runs
	Operate   Phase = "operate"   // a container that exists is used, changed, or removed
)

// New returns an error with a code.
func New(code Code, text string) error { return &coded{errors.New(text), code} }

// With gives err a code, which takes precedence over those of the errors in it. It
// returns nil if err is nil, and err if there is no code.
func With(code Code, err error) error {
	if err == nil || code == "" {
		return err
	}
	return &coded{err, code}
}

// Default gives err a code if there is none in it. It returns nil if err is nil.
func Default(code Code, err error) error {
	var c collector
	if err != nil {
		c.walk(err)
	}
	if c.Code != "" {
		return err
	}
	return With(code, err)
}

type coded struct {
	error
	code Code
}

func (e *coded) Unwrap() error { return e.error }

// In marks an error with the phase in which it came up, unless it has one already. It
// returns nil if err is nil.
func In(phase Phase, err error) error {
	if err == nil || errors.As(err, new(*phased)) {
		return err
	}
	return &phased{err, phase}
}

type phased struct {
	error
	phase Phase
}

func (e *phased) Unwrap() error { return e.error }

// Hint adds to err what its reader can do, or what is likely wrong. It stands in
// parentheses behind the text. It returns nil if err is nil, and err if there is no
// hint.
func Hint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &hinted{err, hint}
}

type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() + " (" + e.hint + ")" }

func (e *hinted) Unwrap() error { return e.err }

// Prefix puts a name and a colon before the text of err, such as the command that failed.
// Unlike the path of a field, it does not say what the error is about: "mounts" is both
// a command and a field. It returns nil if err is nil.
func Prefix(name string, err error) error {
	if err == nil {
		return nil
	}
	return &prefixed{err, name}
}

type prefixed struct {
	err  error
	name string
}

func (e *prefixed) Error() string { return e.name + ": " + e.err.Error() }

func (e *prefixed) Unwrap() error { return e.err }

// About adds the field (its path in config.json: "process.args[0]") and the file that err
// is about, for errors whose text does not begin with the field. Both may be empty. It
// returns nil if err is nil.
func About(field, path string, err error) error {
	if err == nil {
		return nil
	}
	return &about{err, field, path}
}

type about struct {
	error
	field, path string
}

func (e *about) Unwrap() error { return e.error }

// Details are what a program wants to know about an error. Empty members are not known.
type Details struct {
	Code   Code     // never empty
	Phase  Phase    // the innermost that is marked; never empty
	Field  string   // JSON pointer into config.json (RFC 6901) of the first field at fault
	Fields []string // all of them, if there are several
	Errno  string   // "ENOENT"
	Path   string   // the file or directory that a system call failed on
	Hint   string   // all hints, each once, separated by "; "
}

// Errors of other packages may have details, too: a code, a phase, or the file that they
// are about.
type (
	withCode  interface{ FaultCode() Code }
	withPhase interface{ FaultPhase() Phase }
	withPath  interface{ FaultPath() string }
)

// Of collects the details of err.
func Of(err error) Details {
	var c collector
	c.walk(err)
	d := c.Details
	if d.Code == "" {
		d.Code = codeOf(c.errno)
	}
	if d.Phase == "" {
		d.Phase = phaseOf(d.Code)
	}
	if c.errno != 0 {
		d.Errno = unix.ErrnoName(c.errno)
	}
	var hints []string
	for _, hint := range c.hints {
		if !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	d.Hint = strings.Join(hints, "; ")
	if len(d.Fields) > 0 {
		d.Field = d.Fields[0]
	}
	if len(d.Fields) < 2 {
		d.Fields = nil
	}
	return d
}

// collector walks through the tree of an error, from the outside to the inside.
type collector struct {
	Details
	errno unix.Errno
	hints []string
}

func (c *collector) walk(err error) {
	found := c.note(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			c.inside(inner, found)
		}
	case interface{ Unwrap() []error }:
		before := len(c.Fields)
		for _, inner := range e.Unwrap() {
			c.inside(inner, found)
		}
		if len(c.Fields) == before {
			c.addField(err.Error())
		}
	}
}

// inside walks through an inner error. If a field was found outside of it, its own text
// is not searched for another: it would be a part of the same.
func (c *collector) inside(err error, found bool) {
	before := len(c.Fields)
	c.walk(err)
	if found {
		c.Fields = c.Fields[:before]
	}
}

// note takes what err itself says, and reports whether its text names a field.
func (c *collector) note(err error) bool {
	switch e := err.(type) {
	case *coded:
		c.setCode(e.code)
		return false // the text is that of the inner error, or of several
	case *phased:
		c.Phase = e.phase
		return false
	case *hinted:
		c.hints = append(c.hints, e.hint)
		return false
	case *prefixed:
		return false
	case *about:
		c.setPath(e.path)
		return c.addField(e.field + ": ")
	case unix.Errno:
		if c.errno == 0 {
			c.errno = e
		}
	case *fs.PathError:
		c.setPath(e.Path)
	}
	if e, ok := err.(withCode); ok {
		c.setCode(e.FaultCode())
	}
	if e, ok := err.(withPhase); ok {
		c.Phase = e.FaultPhase()
	}
	if e, ok := err.(withPath); ok {
		c.setPath(e.FaultPath())
	}
	if _, several := err.(interface{ Unwrap() []error }); several {
		return false
	}
	return c.addField(err.Error())
}

// addField adds the field that a text begins with, and reports whether there is one.
func (c *collector) addField(text string) bool {
	field := fieldOf(text)
	if field != "" {
		c.Fields = append(c.Fields, field)
	}
	return field != ""
}

func (c *collector) setCode(code Code) {
	if c.Code == "" {
		c.Code = code
	}
}

func (c *collector) setPath(path string) {
	if c.Path == "" && strings.HasPrefix(path, "/") {
		c.Path = path
	}
}

// Brief returns the text of err without its hints.
func Brief(err error) string {
	text := err.Error()
	var c collector
	c.walk(err)
	for _, hint := range c.hints {
		text = strings.Replace(text, " ("+hint+")", "", 1)
	}
	return text
}
