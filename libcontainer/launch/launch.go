// Package launch is the runtime's half of starting a process: it compiles a plan to
// a program for this host, starts the child that runs it, answers the child, and on
// failure returns an error that explains it and leaves nothing behind.
//
// order.go defines the order of all operations.
package launch

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Request is one process to start.
type Request struct {
	Launch *plan.Launch

	Stdio    [3]*os.File
	Preserve []int    // the caller's descriptors to pass on, ascending from 3, each under its own number
	Hold     bool     // wait for start before the user's program
	Listener *os.File // with Hold: the listening socket that start connects to
	Keyring  bool     // join a new session keyring

	Cgroup       *cgroup.Group       // the cgroup to start in; nil: the caller's
	Limit        bool                // set the cgroup's limits, too
	Enter        func(pid int) error // moves the child into the cgroup, if Waits.Entered; else it is cloned into it
	CgroupView   rootfs.CgroupView
	SeccompCache []string // directories of compiled filters, the preferred one first
	Scratch      string   // directory for a file without a name

	Warn  func(format string, args ...any) // is called for problems that do not prevent the start
	Debug Debug

	// Exec: the container's init, and the CLONE_NEW* flags of its namespaces
	// to join.
	Init           *os.File
	InitPid        int
	InitNamespaces uint64
	Root           *os.File // its root directory; only if the container has no mount namespace of its own

	byChild     bool // the runtime was refused to clone mounts
	rootByChild bool // the runtime was refused to clone the root
	late        bool // the cgroup is full: the process is moved into it when nothing is left to clone

	Waits Waits

	// What the caller does while the child is at work, and when it waits.
	Meanwhile func(r *Running) error      // what can be done while the child is at work; may be nil
	Mounted   func(r *Running) error      // called when the mounts are made, if Waits.Mounted
	Console   func(master *os.File) error // takes over the terminal's master
	Ready     func(r *Running) error      // called when all is done except the user's program

	// Notify passes on the listener of the seccomp filter of process pid. Meanwhile
	// the process does not wait for the runtime: it may already wait for the agent.
	Notify func(listener *os.File, pid int) error
}

// Waits are the points at which the child waits for the caller, besides those that
// the plan asks for.
type Waits struct {
	Entered bool // for Enter: the child cannot be cloned into the cgroup
	Mounted bool // for Mounted
}

// Running is a process that was started, or that waits for start (Hold).
type Running struct {
	Pid   int
	Pidfd *os.File
	Tail  []program.Step // with Hold: the operations that are left, for [Release]
	First int            // index of the first of these
}

// Plan makes the program of r without running it.
func Plan(r *Request) (*program.Program, error) {
	b, err := bind(r, Probe())
	if err != nil {
		return nil, err
	}
	return b.prog, nil
}

// Withheld returns the capabilities, as a mask, that r asks for and that this
// runtime cannot give.
func Withheld(r *Request) uint64 {
	if r.InUserNamespace() {
		return 0
	}
	return cred.Withheld(&r.Launch.Process, cred.Granted())
}

// Run starts the process. When it returns without an error, the user's program
// runs, or the process waits for start (Hold). On error the process is gone.
func Run(r *Request) (*Running, error) {
	run, err := runOnce(r)
	full := (*fullError)(nil)
	if !errors.As(err, &full) || r.Cgroup == nil {
		return run, err
	}
	if r.Init == nil {
		return nil, full.explain(r.Cgroup)
	}
	r.Debug.say("exec: the container has as many processes as it may: what is to be cloned is cloned outside of it")
	again := *r
	again.late = true
	again.Warn = func(string, ...any) {} // the warnings have been given
	if run, err = runOnce(&again); errors.As(err, &full) {
		return nil, full.explain(r.Cgroup)
	}
	return run, err
}

func runOnce(r *Request) (_ *Running, err error) {
	b, files, err := open(r)
	if err != nil {
		return nil, err
	}
	var u undo.Stack
	defer u.Unwind(&err)
	s, err := b.spawn(files)
	if err != nil {
		return nil, err
	}
	u.Push(s.kill)
	defer s.conn.Close()
	begun := b.Debug.now()
	err = b.place(s)
	b.Debug.since(begun, "put the child into its cgroups, and limit them", 0)
	if err != nil {
		if m, failed := s.conn.Failure(); failed {
			return nil, b.failed(m) // the child has ended, so it could not be placed
		}
		return nil, s.interrupted(err)
	}
	run := &Running{Pid: s.pid, Pidfd: s.pidfd, Tail: b.left(), First: b.tail}
	if !b.forks {
		if err := b.meanwhile(run); err != nil {
			return nil, s.interrupted(err)
		}
	}
	if err := b.converse(s, run); err != nil {
		return nil, s.interrupted(err)
	}
	u.Release()
	return run, nil
}

// place sets the cgroup's limits while the child is at work, and moves the child
// into its v1 cgroups. The limits of v1 come before the move: device rules are
// written one by one, and the child must not make a node in between. For a child
// that has yet to fork they come after the fork, as the limit may be one process.
func (b *binding) place(s *spawned) error {
	g := b.Cgroup
	if g == nil || b.late && b.forks {
		return nil
	}
	if b.Waits.Entered {
		if err := b.Enter(s.pid); err != nil {
			return err
		}
	}
	if b.Limit && !b.forks {
		if err := g.Limit(); err != nil {
			return err
		}
	}
	if b.awaitsGo() {
		if err := b.moveInto(g, s); err != nil {
			return fmt.Errorf("linux.cgroupsPath: %w", err)
		}
		return s.conn.Answer(wire.Go, int64(s.pid))
	}
	return nil
}

// moveInto moves the child into the cgroups that it was not cloned into.
func (b *binding) moveInto(g *cgroup.Group, s *spawned) error {
	switch {
	case b.Waits.Entered:
		return nil
	case s.inCgroup:
		return g.Join(s.pid)
	}
	return b.joinAll(g, s.pid)
}

// awaitsGo reports whether the child has to wait until it has been moved into
// cgroups.
func (b *binding) awaitsGo() bool {
	if b.late {
		return !b.forks
	}
	return b.Waits.Entered || b.Cgroup != nil && b.Cgroup.Legacy()
}

// converse answers the child's messages until it needs nothing more.
func (b *binding) converse(s *spawned, run *Running) error {
	script := b.prog.Script()
	for len(script) > 0 {
		m, err := s.next(script[0])
		if err != nil {
			return s.died(err)
		}
		if b.passedOver(m) {
			continue
		}
		rest, err := wire.Accept(script, m)
		if err != nil {
			return err
		}
		if m.Type == wire.Failed {
			return b.failure(s, m)
		}
		begun := b.Debug.now()
		if err := b.answer(s, run, m); err != nil {
			return s.died(err)
		}
		b.Debug.since(begun, "answer to", m.Type)
		if m.Type == wire.Forked {
			if err := b.meanwhile(run); err != nil {
				return err
			}
		}
		script = rest
	}
	if b.Hold {
		return nil
	}
	return b.awaitExec(s)
}

// kept warns of a read-only flag that the child could not clear.
func (b *binding) kept(e program.Entry) {
	if op, ok := e.Operation.(program.SetAttr); ok {
		b.Warn("%s.options: %s", e.Field, rootfs.StaysReadonly(op.Source))
	}
}

// meanwhile calls Meanwhile. The process that becomes the user's is known then, and
// is busy.
func (b *binding) meanwhile(run *Running) error {
	if b.Meanwhile == nil {
		return nil
	}
	return b.Meanwhile(run)
}

// left describes the operations that create leaves to start.
func (b *binding) left() (steps []program.Step) {
	for i := b.tail; b.Hold && i < len(b.prog.Ops); i++ {
		steps = append(steps, b.prog.Step(i))
	}
	return steps
}

// awaitExec waits for the end of the conversation: execve(2) closes the
// child's socket.
func (b *binding) awaitExec(s *spawned) error {
	for {
		m, err := s.conn.Receive()
		switch {
		case errors.Is(err, wire.ErrClosed):
			return nil
		case err != nil:
			return err
		case b.passedOver(m):
			continue
		case m.Type != wire.Failed:
			return fmt.Errorf("handshake: %s after %s", m.Type, wire.Ready)
		}
		return describe(b.prog.At(m.Index), m)
	}
}

func (b *binding) answer(s *spawned, run *Running, m wire.Message) error {
	var err error
	switch m.Type {
	case wire.Forked:
		err = s.forked(int(m.Value))
		run.Pid, run.Pidfd = s.pid, s.pidfd
		if err == nil && b.late {
			err = b.enterLate(s.pid)
		}
		if err == nil && b.Limit {
			err = b.Cgroup.Limit()
		}
	case wire.Maps:
		if b.made&unix.CLONE_NEWUSER != 0 {
			err = idmap.Write(s.pid, b.Launch.UserMaps, "linux.")
		} else {
			err = idmap.Check(s.pid, b.Launch.UserMaps)
		}
	case wire.IDMap:
		err = b.mapAsked(m)
	case wire.Console:
		err = b.Console(m.File)
	case wire.Mounted:
		err = b.Mounted(run)
	case wire.Ready:
		if err = b.limits(s.pid); err == nil && b.tunes() && !b.notifies() {
			err = tune.Apply(s.pid, &b.Launch.Process)
		}
		if err == nil {
			err = b.Ready(run)
		}
	case wire.Listener:
		return b.listener(s, m.File) // the child waits for no answer
	default:
		err = fmt.Errorf("handshake: %s is not expected", m.Type)
	}
	if err != nil {
		return err
	}
	return s.conn.Answer(m.Type, int64(s.pid))
}

// listener passes the listener on. Before that it sets the scheduler: not earlier,
// since a child that spins in real time (load_with_listener in child/src/seccomp.c)
// would keep a CPU to itself.
func (b *binding) listener(s *spawned, f *os.File) error {
	defer f.Close()
	if b.tunes() {
		if err := tune.Apply(s.pid, &b.Launch.Process); err != nil {
			return err
		}
	}
	return b.Notify(f, s.pid)
}

// checkLimits refuses early what the child would fail to do: without the privilege
// it cannot raise a hard limit either, and would fail at start only.
func (b *binding) checkLimits() error {
	if b.setsLimits() {
		return nil
	}
	for _, r := range b.Launch.Process.Rlimits {
		_, hard, err := b.facts.Limit(r.Resource)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Field, err)
		}
		if r.Hard > hard {
			return fmt.Errorf("%s.hard: %s %s is above skiff's own hard limit %s: %w (CAP_SYS_RESOURCE is needed to raise it)",
				r.Field, r.Name, amount(r.Hard), amount(hard), unix.EPERM)
		}
	}
	return nil
}

// limits sets the resource limits from outside: the child has none of the
// privileges left that raising one takes. The one on descriptors would be in
// the child's way, so here it is raised at most.
func (b *binding) limits(pid int) error {
	if !b.setsLimits() {
		return nil // the child does it
	}
	for _, r := range b.Launch.Process.Rlimits {
		soft, hard := r.Soft, r.Hard
		if r.Resource == unix.RLIMIT_NOFILE {
			var err error
			if soft, hard, err = sys.Getrlimit(r.Resource); err != nil {
				return fmt.Errorf("%s: %w", r.Field, err)
			}
			hard = max(hard, r.Hard) // the child lowers it
		}
		if err := sys.Prlimit(pid, r.Resource, soft, hard); err != nil {
			return fmt.Errorf("%s: %s soft %s, hard %s: %w%s", r.Field, r.Name, amount(r.Soft), amount(r.Hard), err, limitHint(r.Resource, r.Hard, nrOpen(), err))
		}
	}
	return nil
}

func amount(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

// Release lets a process that waits for start (Hold) go on: conn is a connection to
// its socket, tail and first are from [Running]. If create was traced, the process
// sends traces now as well. Release returns when the program runs, or with the error
// that kept it from running.
func Release(conn int, tail []program.Step, first int, debug Debug) error {
	c := wire.NewConn(conn)
	defer c.Close()
	m, err := c.Receive()
	if err == nil && m.Type == wire.Started {
		m, err = c.Receive()
		for err == nil && m.Type == wire.Trace {
			if i := m.Index - first; i >= 0 && i < len(tail) {
				debug.traced(m.Index, tail[i].Entry(), m)
			}
			m, err = c.Receive()
		}
		if errors.Is(err, wire.ErrClosed) {
			return nil
		}
	}
	switch {
	case err != nil:
		return err
	case m.Type != wire.Failed:
		return fmt.Errorf("handshake: %s on start's connection", m.Type)
	case m.Index < first || m.Index-first >= len(tail):
		return fmt.Errorf("operation %d of the launch program, of which the state file says nothing: %w", m.Index, m.Errno)
	}
	return describe(tail[m.Index-first].Entry(), m)
}
