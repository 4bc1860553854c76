// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"github.com/skiff-oci/skiff/libcontainer"
	"golang.org/x/sys/unix"
)

// foreground connects skiff's caller with the process that skiff waits for: it forwards
// signals, connects the terminals, and reaps orphans.
type foreground struct {
	signals int  // descriptor of catchSignals' pipe
	reap    bool // reap the container's orphans, as skiff is their subreaper
}

// newForeground starts to catch signals, so that none is lost between the start of the
// process and wait. The handlers stay installed: skiff exits soon after the process has
// ended.
func newForeground(reap bool) (*foreground, error) {
	fd, err := catchSignals(forwarded(reap))
	return &foreground{signals: fd, reap: reap}, err
}

// forwarded returns the signals to catch. Those of faults and SIGURG belong to the Go
// runtime. SIGPIPE is caused by our own writes. SIGTTIN and SIGTTOU have to stop us: if
// they were caught, a background job would retry its access to the terminal for ever.
func forwarded(reap bool) []unix.Signal {
	var all []unix.Signal
	for s := unix.Signal(1); s <= sigRTMax; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
		case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGPROF:
		case 32, 33: // reserved by C libraries, and used by the Go runtime
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

// wait waits until p has ended and all of its output has been written, and returns its
// exit status. plain is [libcontainer.IO].PlainOutput.
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

// handle forwards signals until the process has ended.
func (f *foreground) handle(p *libcontainer.Process, tty *terminal) error {
	if f.reap {
		reapOrphans(p.Pid) // those that ended before SIGCHLD was caught
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
		// This only fails if the process has just ended.
		_ = p.Signal(s)
	}
}
