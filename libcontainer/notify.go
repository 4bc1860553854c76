// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// notifyDir returns the directory of the container's sd_notify(3) socket. It is removed
// with the state directory.
func (c *Container) notifyDir() string { return filepath.Join(c.entry.Path(), "notify") }

// dialNotify connects to the manager at socket. It returns nil if there is none; a
// manager that cannot be reached only causes a warning, because the caller may have
// inherited a stale name.
func (h *Host) dialNotify(socket string) *notify.Manager {
	if socket == "" {
		return nil
	}
	m, err := notify.Dial(socket)
	if err != nil {
		h.warn("%v: the container gets no notification socket", err)
		return nil
	}
	return m
}

// addNotify gives a container that is being created an sd_notify(3) socket. It opens
// the socket only if the program starts at once.
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

// listenNotify opens the socket of a container that is about to be started. It returns
// nil if the container has no socket.
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

// awaitReady relays the messages of a started container to its manager, until it is
// ready or has ended. An error only causes a warning: the container runs.
func (c *Container) awaitReady(p *notify.Proxy, pidfd *os.File) {
	if p == nil {
		return
	}
	defer p.Close()
	service := notify.Service{Init: c.record.Pid, Pidfd: pidfd, Main: c.record.Pid, UntilReady: true}
	if err := trace.Timed("wait for", "READY=1", func() error { return p.Run(service) }); err != nil {
		c.host.warn("%v", err)
	}
}

// Notify relays the container's sd_notify(3) messages to its manager, until the
// container has ended or, with untilReady, until it is ready. main is the MAINPID that
// the manager gets when the container is ready. Without a socket Notify does nothing.
// The error lists what could not be relayed.
func (p *Process) Notify(main int, untilReady bool) error {
	if p.notify == nil {
		return nil
	}
	defer p.notify.Close()
	return p.notify.Run(notify.Service{Init: p.Pid, Pidfd: p.Pidfd, Main: main, UntilReady: untilReady})
}

// openInit returns a pidfd of the first process, to wait for it. It returns nil if
// there is no proxy.
func (c *Container) openInit(p *notify.Proxy) (*os.File, error) {
	if p == nil {
		return nil, nil
	}
	return sys.Pidfd(c.record.Pid)
}
