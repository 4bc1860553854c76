// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Explainer explains why an operation failed, and may look at the host for that.
// The package that adds the operation provides it. Explain returns nil if it has
// no explanation.
type Explainer interface {
	Explain(e Entry, f wire.Message) error
}

// hinter is an operation that has a hint for errors which users are likely to meet.
type hinter interface {
	hint(f wire.Message) string
}

// explainer is an operation with error messages of its own. explain returns nil
// for a failure that has none.
type explainer interface {
	explain(field string, f wire.Message) error
}

// Describe returns the error for a failure of the operation that the child reported.
func (e Entry) Describe(f wire.Message) error {
	if x, ok := e.Operation.(explainer); ok {
		if err := x.explain(e.Field, f); err != nil {
			return err
		}
	}
	if because := because(e.Operation); because != nil {
		if err := because.Explain(e, f); err != nil {
			return err
		}
	}
	what := e.What()
	switch {
	case f.Detail == wire.NotMade:
		return e.notMade(f)
	case f.Detail == wire.FSLog && f.Text != "":
		return at(e.Field, fault.Hint(fmt.Errorf("%s: %w", what, f.Errno), f.Text))
	case detailWords(f.Detail) != "":
		return at(e.Field, fault.Hint(fmt.Errorf("%s: %s", what, detailWords(f.Detail)), detailHint(f.Detail)))
	}
	return at(e.Field, hinted(fmt.Errorf("%s: %w", what, f.Errno), e.hint(f)))
}

// DescribeRefused is [Entry.Describe] for a system call that a seccomp filter
// around skiff has certainly refused: it leaves out hints about other reasons. The
// exceptions are operations where callers rely on the words or the type of the
// error.
func (e Entry) DescribeRefused(f wire.Message) error {
	switch e.Operation.(type) {
	case Hook, Lookup, Exec, Chdir:
		return e.Describe(f)
	}
	return at(e.Field, fmt.Errorf("%s: %w", e.What(), f.Errno))
}

func because(op Operation) Explainer {
	switch o := op.(type) {
	case OpenTree:
		return o.Because
	case SetAttr:
		return o.Because
	}
	return nil
}

func (e Entry) hint(f wire.Message) string {
	h, ok := e.Operation.(hinter)
	if ok {
		if s := h.hint(f); s != "" {
			return s
		}
	}
	return ifErrno(f, unix.EMFILE, " (the limit on open files, RLIMIT_NOFILE, is too low: see ulimit -Hn)")
}

func ifErrno(f wire.Message, errno unix.Errno, hint string) string {
	if f.Errno == errno {
		return hint
	}
	return ""
}

// notMade returns the error for a directory or a file that had to be made for the
// operation, and could not be.
func (e Entry) notMade(f wire.Message) error {
	verb := "mkdir"
	if f.Value != 0 {
		verb = "create"
	}
	err := fault.About("", f.Text, fmt.Errorf("%s %s: %w", verb, f.Text, f.Errno))
	if _, ok := e.Operation.(Attach); ok {
		return at(e.Field+".destination", err)
	}
	return at(e.Field, fmt.Errorf("%s: %w", e.What(), err))
}

// hinted adds a hint, which is in parentheses: " (...)".
func hinted(err error, hint string) error {
	hint, _ = strings.CutPrefix(hint, " (")
	return fault.Hint(err, strings.TrimSuffix(hint, ")"))
}

// at prefixes an error with the JSON path of a field, if there is one.
func at(field string, err error) error {
	if field == "" {
		return err
	}
	return fmt.Errorf("%s: %w", field, err)
}

// detailWords returns the message for what an errno cannot express; empty if there is
// none.
func detailWords(d wire.Detail) string {
	switch d {
	case wire.Symlink:
		return "the path is a symlink, but must be a directory"
	case wire.OnProc:
		return "the destination is on a proc file system, where mounts are not allowed"
	case wire.OnRoot:
		return "the destination must not be the container's root directory"
	case wire.OtherNode:
		return "a different file already exists there"
	case wire.OtherKind:
		return "not a directory"
	case wire.NotPtmx:
		return "/dev/pts/ptmx is not the kernel's terminal multiplexer"
	case wire.NotNull:
		return "/dev/null is not the null device"
	case wire.NotProc:
		return "not a proc file system"
	case wire.NotHost:
		return "the host's file of that path, which is used in a user namespace, is not that device"
	}
	return ""
}

// detailHint returns the hint for such a message.
func detailHint(d wire.Detail) string {
	switch d {
	case wire.OtherKind:
		return "a directory can only be mounted on a directory, and a file on a file"
	case wire.NotPtmx:
		return "process.terminal requires a devpts mount on /dev/pts"
	}
	return ""
}

// HookFailed is the error of a hook that failed.
type HookFailed struct {
	Field  string // "hooks.poststart[0]"
	Path   string
	Why    string
	Output string // what it printed
}

// FaultCode is what a program is told about it.
func (f *HookFailed) FaultCode() fault.Code { return fault.HookFailed }

// FaultPhase is the phase in which it fails.
func (f *HookFailed) FaultPhase() fault.Phase { return fault.Hooks }

// FaultPath is the hook's program.
func (f *HookFailed) FaultPath() string { return f.Path }

// keptOutput is how much of a hook's output an error shows, in bytes.
const keptOutput = 400

func (f *HookFailed) Error() string {
	output := strings.TrimSpace(f.Output)
	if len(output) > keptOutput {
		output = "... " + output[len(output)-keptOutput:]
	}
	if output == "" {
		return fmt.Sprintf("%s: %s: %s", f.Field, f.Path, f.Why)
	}
	return fmt.Sprintf("%s: %s: %s: %s", f.Field, f.Path, f.Why, strings.Join(strings.Fields(output), " "))
}

// What describes the operation: "mount proc on /proc".
func (e Entry) What() string { return e.what() }
