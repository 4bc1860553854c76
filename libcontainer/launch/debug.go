// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// follower records the operations that the child reports as done.
type follower struct {
	seen  bool      // the child has reported one
	last  int       // the one reported last
	ended time.Time // when that one was done
}

// done records operation e of the child pid, which m reports.
func (f *follower) done(pid int, e program.Entry, m wire.Message) {
	if !trace.On() {
		return // create was traced, and start is not
	}
	t := m.Traced()
	if t.Begun.IsZero() { // another version's child, whose message has just come
		t.Begun = time.Now().Add(-t.Took)
	}
	// A step that is begun at this very time would overlap once the times are rounded.
	f.seen, f.last, f.ended = true, m.Index, t.Begun.Add(t.Took+time.Nanosecond)
	s := trace.Step{Child: true, Pid: pid, Index: m.Index, What: e.Brief(), Field: e.Field, Begun: t.Begun, Took: t.Took}
	_, hook := e.Operation.(program.Hook)
	switch {
	case hook:
		s.Note = hooks.Said(t.Output)
	case t.Refused >= 0:
		s.Note = fmt.Sprintf("went on without %s, which was refused: %v", sys.CallName(uintptr(t.Refused)), t.Errno)
	}
	trace.Record(s)
}

// failed records the operation e that the child reports as failed, with the error that
// came of it. Its beginning is the end of the one before.
func (f *follower) failed(pid, index int, e program.Entry, err error) error {
	if trace.On() {
		s := trace.Step{Child: true, Pid: pid, Index: index, What: e.Brief(), Field: e.Field, Err: err, Begun: time.Now()}
		if f.seen {
			s.Begun, s.Took = f.ended, time.Since(f.ended)
		}
		trace.Record(s)
	}
	return err
}

// executed records the operations that the child does not report: the last one, which
// is the execution of the program e, and those from the seccomp filter on, which may
// forbid the report. Their end is that of the conversation.
func (f *follower) executed(pid, index int, e program.Entry) {
	if !trace.On() || !f.seen {
		return
	}
	s := trace.Step{Child: true, Pid: pid, Index: index, What: e.Brief(), Field: e.Field, Begun: f.ended, Took: time.Since(f.ended)}
	if f.last+1 < index {
		s.Note = fmt.Sprintf("with operations %d to %d, which a seccomp filter may keep from reporting", f.last+1, index-1)
	}
	trace.Record(s)
}

// synced reports whether the child has reported the last operation before start that it
// can report.
func (b *binding) synced() bool {
	// If there is a listener, its message came after all others.
	return !b.prog.Traces || b.notifies() || b.follow.seen && b.follow.last >= b.tail-1
}
