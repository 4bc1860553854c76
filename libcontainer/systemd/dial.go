// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

const (
	service = "org.freedesktop.systemd1"
	manager = service + ".Manager"
	object  = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// Manager is a connection to a systemd instance.
type Manager struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
	jobWait time.Duration
}

// address is a socket on which systemd may be reached.
type address struct {
	path    string
	private bool // systemd's own socket, without a bus in between
}

// Dial connects to the systemd instance of the system, or to that of the calling user.
// It tries systemd's own socket first, since a bus would have to forward each message.
func Dial(user bool) (*Manager, error) {
	list := systemAddresses()
	if user {
		list = userAddresses()
	}
	var errs []error
	for _, a := range list {
		t := trace.Begin()
		m, err := connect(a, callWait)
		t.Done(err, "connect to systemd at", a.path)
		if err == nil {
			return m, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", a.path, err))
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, oneLine(errs))
}

// oneLine joins errors into one of one line.
func oneLine(errs []error) error {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return errors.New(strings.Join(all, "; "))
}

func systemAddresses() []address {
	list := []address{{"/run/systemd/private", true}}
	if named := busPaths(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")); len(named) > 0 {
		return append(list, named...)
	}
	return append(list, address{"/run/dbus/system_bus_socket", false})
}

func userAddresses() []address {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + hostUID()
	}
	list := []address{{filepath.Join(dir, "systemd/private"), true}}
	list = append(list, busPaths(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))...)
	return append(list, address{filepath.Join(dir, "bus"), false})
}

// busPaths returns the sockets in a list of addresses (D-Bus Specification, "Server
// Addresses"): "unix:path=/run/bus,guid=...;unix:abstract=...".
func busPaths(list string) (all []address) {
	for one := range strings.SplitSeq(list, ";") {
		keys, ok := strings.CutPrefix(one, "unix:")
		if !ok {
			continue
		}
		for key := range strings.SplitSeq(keys, ",") {
			name, value, _ := strings.Cut(key, "=")
			value, err := url.PathUnescape(value)
			switch {
			case err != nil:
			case name == "path":
				all = append(all, address{value, false})
			case name == "abstract":
				all = append(all, address{"@" + value, false})
			}
		}
	}
	return all
}

// hostUID returns the caller's user id outside of its user namespace, where systemd
// runs.
func hostUID() string {
	uid := os.Geteuid()
	text, err := sys.ReadFile("/proc/self/uid_map")
	if err != nil {
		return strconv.Itoa(uid)
	}
	list, _ := proc.IDMap(string(text))
	if out, ok := proc.HostID(list, uint32(uid)); ok {
		return strconv.FormatUint(uint64(out), 10)
	}
	return strconv.Itoa(uid)
}

func connect(at address, wait time.Duration) (_ *Manager, err error) {
	c, err := net.DialTimeout("unix", at.path, wait)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := checkPeer(c.(*net.UnixConn)); err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	a, err := authenticate(c, hostUID())
	if err != nil {
		return nil, fmt.Errorf("D-Bus authentication: %w", asTimeout(err, wait, "a reply"))
	}
	conn, err := dbus.NewConn(a)
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal("")}); err != nil {
		return nil, fmt.Errorf("D-Bus authentication: %w", err)
	}
	m := &Manager{conn: conn, signals: make(chan *dbus.Signal, 16), jobWait: jobWait}
	if !at.private {
		if err := m.subscribe(wait); err != nil {
			return nil, err
		}
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	conn.Signal(m.signals)
	return m, nil
}

// withoutAddress returns err without the address, which the caller adds.
func withoutAddress(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// checkPeer refuses a systemd outside of this pid namespace: a pid of this namespace is
// that of another process there, which systemd would move.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("SO_PEERCRED: %w", credErr)
	}
	if cred.Pid == 0 {
		return errors.New("systemd is in another pid namespace than skiff, where the container's processes have other numbers")
	}
	return nil
}

// asTimeout adds to a timeout what was waited for, and how long. Other errors are
// returned as they are.
func asTimeout(err error, wait time.Duration, what string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("waited %v for %s: %w", wait, what, unix.ETIMEDOUT)
	}
	return err
}

// subscribe asks a bus for systemd's signals. On systemd's own socket they need no
// subscription.
func (m *Manager) subscribe(wait time.Duration) error {
	if err := m.conn.Hello(); err != nil {
		return fmt.Errorf("D-Bus: %w", asTimeout(err, wait, "the reply to Hello"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := m.conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(manager), dbus.WithMatchMember("JobRemoved")); err != nil {
		return fmt.Errorf("D-Bus: %w", asTimeout(err, wait, "the reply to AddMatch"))
	}
	return m.call("Subscribe").Err
}

// Close stops the delivery of signals. The connection itself is left open until this
// process exits: godbus panics if a connection is closed while its reader is in the
// middle of a message.
func (m *Manager) Close() {
	if m != nil {
		m.conn.RemoveSignal(m.signals)
	}
}
