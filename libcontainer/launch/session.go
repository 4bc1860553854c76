// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// Stage is a point of a launch at which the caller has something to do. The stages
// come in this order, each at most once, except Enter: it comes again if the cgroup
// is full and the launch begins anew.
type Stage int

// The stages.
const (
	Enter    Stage = iota + 1 // with Waits.Entered: the caller moves the process into its cgroup
	AtWork                    // the process that becomes the user's is at work: what can be done meanwhile
	Console                   // the caller takes over File, the terminal's master
	Mounted                   // with Waits.Mounted: the namespaces and the mounts are made
	Ready                     // all is done except the user's program, and, without Waits.Ready, to become the user
	Listener                  // the caller passes on File, the listener of the process's seccomp filter
)

// Session is a launch under way. Its caller drives it:
//
//	s := launch.Begin(request)
//	defer s.Close()
//	for s.Next() {
//		switch s.Stage() {
//		case launch.Ready:
//			s.Answer(store(s.Process()))
//		}
//	}
//	process, err := s.Result()
//
// The child waits for the end of each stage, except AtWork and Listener: at the
// latter it may already wait for the seccomp agent.
type Session struct {
	request *Request
	b       *binding
	child   *spawned // nil before the start, and when the session is over
	process *Running

	step   func() (Stage, error) // what comes next; nil: the session is over
	stage  Stage
	script []wire.Type  // the messages that the child is yet to send
	asked  wire.Message // the message that is being answered
	begun  trace.Mark   // of its answer, or of the step
	waits  trace.Mark   // of the wait for the next message

	reported bool // the child has reported the failure that ends the session
	err      error
}

// Begin returns the session that starts the process of r. It does nothing before the
// first Next.
func Begin(r *Request) *Session {
	s := &Session{request: r}
	s.step = s.start
	return s
}

// Next goes on to the next stage. It returns false when the session is over: the
// user's program runs, or the process waits for start (Hold), or the launch has
// failed and the process is gone.
func (s *Session) Next() bool {
	for s.step != nil {
		stage, err := s.step()
		if err != nil {
			s.fail(err)
		} else if stage != 0 {
			s.stage = stage
			return true
		}
	}
	return false
}

// Stage returns the stage that the session has come to.
func (s *Session) Stage() Stage { return s.stage }

// Process returns the process. Its Pid and Pidfd are those of the child at Enter, and
// of the process that becomes the user's at the later stages.
func (s *Session) Process() *Running { return s.process }

// File returns the descriptor that the child has sent: at Console the caller takes it
// over, at Listener the session closes it when the stage ends.
func (s *Session) File() *os.File { return s.asked.File }

// Answer ends the launch if err, the outcome of the caller's part in this stage, is
// not nil.
func (s *Session) Answer(err error) {
	if err != nil {
		s.fail(err)
	}
}

// Result returns the process, or why it was not started.
func (s *Session) Result() (*Running, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.process, nil
}

// Close kills the process if the session is not over.
func (s *Session) Close() {
	if s.child != nil && s.step != nil {
		_ = s.end()
	}
	s.step = nil
}

// fail ends the session with an error, or begins anew outside of a cgroup that is
// full.
func (s *Session) fail(err error) {
	if s.child != nil {
		err = s.explain(err)
		if endErr := s.end(); endErr != nil {
			err = errors.Join(err, endErr)
		}
	}
	s.step, s.err, s.waits = nil, err, trace.Mark{}
	full := (*fullError)(nil)
	if !errors.As(err, &full) || s.request.Cgroup == nil {
		return
	}
	if s.request.Init == nil || s.request.late {
		s.err = full.explain(s.request.Cgroup)
		return
	}
	trace.Say("%v: what is to be cloned is cloned outside of the container's cgroup", err)
	again := s.request.anew()
	again.late = true
	s.request, s.step, s.reported, s.err = again, s.start, false, nil
}

// anew returns the request for another attempt, which does not give the warnings again.
func (r *Request) anew() *Request {
	again := *r
	again.Warn = func(string, ...any) {}
	return &again
}

// explain returns the cause of a failed step: it may be the consequence of a failure
// of the child, or of its death. Of two failures that were reported the first counts:
// a hook that cannot be executed reports that, and then ends with a status.
func (s *Session) explain(err error) error {
	if s.reported {
		return err
	}
	if m, failed := s.child.conn.Failure(); failed {
		return s.childFailed(m)
	}
	return s.child.interrupted(s.child.died(err))
}

// childFailed returns the error for an operation that the child reports as failed.
func (s *Session) childFailed(m wire.Message) error {
	return s.b.follow.failed(s.child.pid, m.Index, s.b.prog.At(m.Index), s.b.failure(s.child, m))
}

// end kills the child and ends the conversation.
func (s *Session) end() error {
	s.closeListener()
	err := s.child.kill()
	s.child.conn.Close()
	s.child, s.asked = nil, wire.Message{}
	return err
}

// start starts the child.
func (s *Session) start() (Stage, error) {
	b, files, err := open(s.request)
	if err != nil {
		return 0, err
	}
	child, err := b.spawn(files)
	if err != nil {
		return 0, err
	}
	s.b, s.child, s.script = b, child, b.prog.Script()
	s.process = &Running{Pid: child.pid, Pidfd: child.pidfd, Tail: b.left(), First: b.tail}
	s.begun, s.step = trace.Begin(), s.place
	if b.Waits.Entered && !b.placesFork() {
		return Enter, nil
	}
	return 0, nil
}

// place puts the child into its cgroups.
func (s *Session) place() (Stage, error) {
	if err := s.b.place(s.child); err != nil {
		return 0, err
	}
	s.begun.Done(nil, "put the child into its cgroups, and limit them", "")
	s.step = s.receive
	if s.b.forks {
		return 0, nil // the child itself does not become the user's program
	}
	return AtWork, nil
}

// receive waits for the child's next message, and does the part of the runtime that
// is not the caller's.
func (s *Session) receive() (Stage, error) {
	if len(s.script) == 0 {
		s.step = s.awaitExec
		return 0, nil
	}
	s.wait()
	m, err := s.child.next(s.script[0])
	if err != nil || s.b.passedOver(s.child.pid, m) {
		return 0, err
	}
	rest, err := wire.Accept(s.script, m)
	if err != nil {
		return 0, err
	}
	if m.Type == wire.Failed {
		s.reported = true
		return 0, s.childFailed(m)
	}
	s.waited(m.Type)
	s.asked, s.script, s.begun, s.step = m, rest, trace.Begin(), s.answer
	return s.prepare(m)
}

// prepare does what the answer to m takes, and returns the caller's part of it, if
// there is one.
func (s *Session) prepare(m wire.Message) (Stage, error) {
	b, pid := s.b, s.child.pid
	switch m.Type {
	case wire.Forked:
		return s.follow(int(m.Value))
	case wire.Maps:
		return 0, b.writeMaps(pid)
	case wire.IDMap:
		return 0, b.mapAsked(m)
	case wire.Console:
		return Console, nil
	case wire.Mounted:
		return Mounted, nil
	case wire.Ready:
		return Ready, b.limitProcess(pid)
	case wire.Listener:
		return Listener, b.schedule(pid)
	}
	return 0, fmt.Errorf("handshake: unexpected %s", m.Type)
}

// follow goes on with the process that the child has forked.
func (s *Session) follow(pid int) (Stage, error) {
	if err := s.child.forked(pid); err != nil {
		return 0, err
	}
	s.process.Pid, s.process.Pidfd = s.child.pid, s.child.pidfd
	s.step = s.placeFork
	if s.b.placesFork() && s.b.Waits.Entered {
		return Enter, nil
	}
	return 0, nil
}

// placeFork puts the forked process into its cgroups.
func (s *Session) placeFork() (Stage, error) {
	if err := s.b.placeFork(s.child.pid); err != nil {
		return 0, err
	}
	if _, err := s.answer(); err != nil {
		return 0, err
	}
	return AtWork, nil
}

// answer answers the child's message, unless the child does not wait.
func (s *Session) answer() (Stage, error) {
	m := s.asked
	s.closeListener()
	s.asked, s.step = wire.Message{}, s.receive
	if m.Type != wire.Listener {
		err := s.child.conn.Answer(m.Type, int64(s.child.pid))
		if m.Type == wire.Ready && !s.b.Hold && errors.Is(err, wire.ErrClosed) {
			err = nil // what it has said since it was ready is read next
		}
		if err != nil {
			return 0, err
		}
	}
	if s.begun.On() {
		s.begun.Done(nil, "answer to "+m.Type.String(), "")
	}
	return 0, nil
}

// closeListener closes the listener that the caller has passed on.
func (s *Session) closeListener() {
	if s.asked.Type == wire.Listener {
		s.asked.File.Close()
	}
}

// awaitExec waits for the end of the conversation, unless the process is to wait for
// start: execve(2) closes the child's socket.
func (s *Session) awaitExec() (Stage, error) {
	if s.b.Hold && s.b.synced() {
		s.finish()
		return 0, nil
	}
	s.wait()
	m, err := s.child.conn.Receive()
	switch {
	case errors.Is(err, wire.ErrClosed) && !s.child.conn.Unread():
		s.executed()
		s.finish()
		return 0, nil
	case err != nil:
		return 0, err
	case s.b.passedOver(s.child.pid, m):
		return 0, nil
	case m.Type != wire.Failed:
		return 0, fmt.Errorf("handshake: unexpected %s after %s", m.Type, wire.Ready)
	}
	s.reported = true
	return 0, s.childFailed(m)
}

// wait begins the wait for the child's next message.
func (s *Session) wait() {
	if !s.waits.On() {
		s.waits = trace.Begin()
	}
}

// waited records that a message has come, or with 0 the end of the conversation.
func (s *Session) waited(m wire.Type) {
	if s.waits.On() {
		what := "its program"
		if m != 0 {
			what = m.String()
		}
		s.waits.Done(nil, "wait for the child:", what)
		s.waits = trace.Mark{}
	}
}

// executed records that the user's program runs.
func (s *Session) executed() {
	if last := len(s.b.prog.Ops) - 1; s.waits.On() && !s.b.Hold {
		s.b.follow.executed(s.child.pid, last, s.b.prog.At(last))
	}
	s.waited(0)
}

// finish ends the session, and leaves the process to the caller.
func (s *Session) finish() {
	s.step = nil
	_ = s.child.conn.Close()
}
