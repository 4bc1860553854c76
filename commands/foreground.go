package commands

import (
	"github.com/skiff-oci/skiff/libcontainer"
	"golang.org/x/sys/unix"
)

// foreground stands in for a process that skiff waits for: signals go on to
// it, its terminal is the caller's, orphans are reaped.
type foreground struct {
	signals int // descriptor: each byte is a signal that was caught
	reap    bool
}

// newForeground catches signals from now on, so that none is lost between the
// start of the process and wait. It is not undone: the caller is about to exit
// when the process has ended.
func newForeground(reap bool) (*foreground, error) {
	fd, err := catchSignals(forwarded(reap))
	return &foreground{signals: fd, reap: reap}, err
}

// forwarded lists the signals to catch. Those of faults are the Go runtime's,
// as is SIGURG, SIGPIPE is the answer to a write of our own, and in a job in
// the background a read of the terminal that catches SIGTTIN would be tried
// for ever.
func forwarded(reap bool) []unix.Signal {
	var all []unix.Signal
	for s := unix.Signal(1); s <= sigRTMax; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
		case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGPROF:
		case 32, 33: // a C library's own, and the Go runtime's
		case unix.SIGCHLD:
			if reap {
				all = append(all, s)
			}
		default:
			all = append(all, s)
		}
	}
	return all
}

// wait returns the exit status of p, when it has ended and all of its output
// has been written. plain is IO.PlainOutput.
func (f *foreground) wait(p *libcontainer.Process, plain bool) (int, error) {
	var tty *terminal
	if p.Console != nil {
		tty = newTerminal(p.Console, plain)
		defer tty.restore()
		tty.start()
	}
	if err := f.handle(p, tty); err != nil {
		return -1, err
	}
	code, err := p.Wait()
	if tty != nil {
		tty.drain()
	}
	return code, err
}

// handle passes signals on until the process has ended.
func (f *foreground) handle(p *libcontainer.Process, tty *terminal) error {
	if f.reap {
		reapOrphans(p.Pid) // that ended before SIGCHLD was caught
	}
	poll := []unix.PollFd{{Fd: int32(p.Pidfd.Fd()), Events: unix.POLLIN}, {Fd: int32(f.signals), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return err
		}
		if poll[1].Revents != 0 {
			var b [64]byte
			n, err := unix.Read(f.signals, b[:])
			if err != nil && err != unix.EINTR {
				return err
			}
			for _, s := range b[:max(n, 0)] {
				f.forward(unix.Signal(s), p, tty)
			}
		}
		if poll[0].Revents != 0 {
			return nil
		}
	}
}

func (f *foreground) forward(s unix.Signal, p *libcontainer.Process, tty *terminal) {
	switch {
	case s == unix.SIGCHLD:
		reapOrphans(p.Pid)
	case s == unix.SIGWINCH && tty != nil:
		tty.resize()
	default:
		// Only a process that has just ended cannot be signalled.
		_ = p.Signal(s)
	}
}
