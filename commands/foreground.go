package commands

import (
	"os"
	"os/signal"

	"github.com/skiff-oci/skiff/libcontainer"
	"golang.org/x/sys/unix"
)

// foreground stands in for a process that skiff waits for: signals go on to
// it, its terminal is the caller's, orphans are reaped.
type foreground struct {
	signals chan os.Signal
	reap    bool
	done    chan struct{} // closed when the process has ended
	idle    chan struct{} // closed when no signal is handled any more
	ready   chan struct{} // closed when all signals are caught
}

// newForeground begins to catch signals, so that none is lost between the start
// of the process and wait. To catch all of them takes the Go runtime longer than
// to make a container, so that is done meanwhile, and is not undone: the caller
// is about to exit when the process has ended.
func newForeground(reap bool) *foreground {
	f := &foreground{
		signals: make(chan os.Signal, 128),
		reap:    reap,
		done:    make(chan struct{}),
		idle:    make(chan struct{}),
		ready:   make(chan struct{}),
	}
	go func() {
		signal.Notify(f.signals, forwarded(reap)...)
		close(f.ready)
	}()
	return f
}

// forwarded lists the signals to catch. The Go runtime sends itself SIGURG,
// SIGPIPE is the answer to a write of our own, and in a job in the background
// a read of the terminal that catches SIGTTIN would be tried for ever.
func forwarded(reap bool) []os.Signal {
	var all []os.Signal
	for s := unix.Signal(1); s <= sigRTMax; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
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
// has been written.
func (f *foreground) wait(p *libcontainer.Process) (int, error) {
	var tty *terminal
	if p.Console != nil {
		tty = newTerminal(p.Console)
		defer tty.restore()
		tty.start()
	}
	<-f.ready
	go f.handle(p, tty)
	code, err := p.Wait()
	close(f.done)
	<-f.idle
	if tty != nil {
		tty.drain()
	}
	return code, err
}

func (f *foreground) handle(p *libcontainer.Process, tty *terminal) {
	defer close(f.idle)
	if f.reap {
		reapOrphans(p.Pid) // that ended before SIGCHLD was caught
	}
	for {
		select {
		case <-f.done:
			return
		case s := <-f.signals:
			f.forward(s.(unix.Signal), p, tty)
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
