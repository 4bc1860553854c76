package libcontainer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// notifyDir is where the container's socket for sd_notify(3) is. It goes with
// the state directory.
func (c *Container) notifyDir() string { return filepath.Join(c.entry.Path(), "notify") }

// dialNotify connects to the manager at socket; nil: there is none. One that
// cannot be there is no reason to fail: the caller may have inherited its name.
func (h *Host) dialNotify(socket string) *notify.Manager {
	if socket == "" {
		return nil
	}
	m, err := notify.Dial(socket)
	if err != nil {
		h.warn("%v: the container has nobody to notify", err)
		return nil
	}
	return m
}

// addNotify gives a container that is being made a socket for sd_notify(3). It
// is opened at once only if the program is to start at once.
func (m *making) addNotify() (err error) {
	manager := m.host.dialNotify(m.io.NotifySocket)
	if manager == nil {
		return nil
	}
	defer func() {
		if m.process.notify == nil {
			manager.Close()
		}
	}()
	if err := notify.MakeDir(m.notifyDir()); err != nil {
		return err
	}
	m.plan = notify.With(m.plan, m.notifyDir())
	if m.io.Hold {
		return nil
	}
	p, err := manager.Listen(m.notifyDir())
	if err == nil {
		m.process.notify = p
		m.undo.Push(func() error { p.Close(); return nil })
	}
	return err
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
	manager := c.host.dialNotify(o.NotifySocket)
	if manager == nil {
		return nil, nil
	}
	p, err := manager.Listen(c.notifyDir())
	if err != nil {
		manager.Close()
	}
	return p, err
}

// awaitReady passes on what a container that has been started says to its
// manager, until it is ready, or has ended. That the manager does not hear of
// it is no reason to fail: the container runs.
func (c *Container) awaitReady(p *notify.Proxy, pidfd *os.File) {
	if p == nil {
		return
	}
	defer p.Close()
	if err := p.Run(notify.Service{Init: c.record.Pid, Pidfd: pidfd, Main: c.record.Pid, UntilReady: true}); err != nil {
		c.host.warn("%v", err)
	}
}

// Notify passes on what the container says to its manager by sd_notify(3),
// until it has ended, or with untilReady until it is ready. main is the pid
// that the manager is told when it is. A container without a socket for it
// says nothing. The error says what the manager was not told.
func (p *Process) Notify(main int, untilReady bool) error {
	if p.notify == nil {
		return nil
	}
	defer p.notify.Close()
	return p.notify.Run(notify.Service{Init: p.Pid, Pidfd: p.Pidfd, Main: main, UntilReady: untilReady})
}

// openInit opens the first process, to be waited for.
func (c *Container) openInit(p *notify.Proxy) (*os.File, error) {
	if p == nil {
		return nil, nil
	}
	return sys.Pidfd(c.record.Pid)
}
