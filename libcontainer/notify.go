package libcontainer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// notifyDir is where the container's socket for sd_notify(3) is. It goes with
// the state directory.
func (c *Container) notifyDir() string { return filepath.Join(c.entry.Path(), "notify") }

// addNotify gives a container that is being made a socket for sd_notify(3). It
// is opened at once only if the program is to start at once.
func (c *Container) addNotify(l *plan.Launch, io IO, u *undo.Stack) (*notify.Proxy, error) {
	if io.NotifySocket == "" {
		return nil, nil
	}
	if err := notify.Check(io.NotifySocket); err != nil {
		return nil, err
	}
	if err := notify.MakeDir(c.notifyDir()); err != nil {
		return nil, err
	}
	notify.Add(l, c.notifyDir())
	if io.Hold {
		return nil, nil
	}
	p, err := notify.Listen(c.notifyDir(), io.NotifySocket)
	if err == nil {
		u.Push(func() error { p.Close(); return nil })
	}
	return p, err
}

// listenNotify opens the socket of a container that is about to be started;
// nil if it has none.
func (c *Container) listenNotify(o StartOptions) (*notify.Proxy, error) {
	if o.NotifySocket == "" {
		return nil, nil
	}
	if _, err := os.Stat(c.notifyDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return notify.Listen(c.notifyDir(), o.NotifySocket)
}

// awaitReady passes on what a container that has been started says to its
// manager, until it is ready, or has ended. That the manager does not hear of
// it is no reason to fail: the container runs.
func (c *Container) awaitReady(p *notify.Proxy, pidfd *os.File) {
	if p == nil {
		return
	}
	defer p.Close()
	if err := p.Run(int(pidfd.Fd()), c.record.Pid, true); err != nil {
		c.host.warn("%v", err)
	}
}

// Notify passes on what the container says to its manager by sd_notify(3),
// until it has ended, or with untilReady until it is ready. main is the pid
// that the manager is told when it is. A container without a socket for it
// says nothing.
func (p *Process) Notify(main int, untilReady bool) error {
	if p.notify == nil {
		return nil
	}
	defer p.notify.Close()
	return p.notify.Run(int(p.Pidfd.Fd()), main, untilReady)
}

// openInit opens the first process, to be waited for.
func (c *Container) openInit(p *notify.Proxy) (*os.File, error) {
	if p == nil {
		return nil, nil
	}
	return sys.Pidfd(c.record.Pid)
}
