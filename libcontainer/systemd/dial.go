// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

const (
	service = "org.freedesktop.systemd1"
	manager = service + ".Manager"
	object  = "/org/freedesktop/systemd1"
)

// Manager is a connection to a systemd instance.
type Manager struct {
	conn    *conn
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
			value, err := unescape(value)
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

// unescape replaces each %XX in the value of an address by its byte.
func unescape(value string) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(value, "%")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		b, err := strconv.ParseUint(after[:min(2, len(after))], 16, 8)
		if err != nil || len(after) < 2 {
			return "", fmt.Errorf("%q: %% must be followed by two hexadecimal digits", value)
		}
		out.WriteByte(byte(b))
		value = after[2:]
	}
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
	fd, err := sys.ConnectUnix(at.path, unix.SOCK_STREAM)
	if err != nil {
		return nil, withoutAddress(err)
	}
	file, err := pollable(fd, at.path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := file.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	c := newConn(file)
	if err := authenticate(file, c.r, hostUID()); err != nil {
		return nil, fmt.Errorf("D-Bus authentication: %w", asTimeout(err, wait, "a reply"))
	}
	if err := file.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	go c.listen()
	m := &Manager{conn: c, jobWait: jobWait}
	if !at.private {
		if err := m.subscribe(wait); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// pollable returns the socket fd as a file with deadlines, if its peer can be told of
// processes. It takes fd over.
func pollable(fd int, path string) (*os.File, error) {
	err := checkPeer(fd)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// withoutAddress returns err without the address, which the caller adds.
func withoutAddress(err error) error {
	if e := (*sys.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Call, e.Errno)
	}
	return err
}

// cause returns the error of a file without the file's name, which the caller adds.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// checkPeer refuses a systemd outside of this pid namespace: a pid of this namespace is
// that of another process there, which systemd would move.
func checkPeer(fd int) error {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return fmt.Errorf("SO_PEERCRED: %w", err)
	}
	if cred.Pid == 0 {
		return errors.New("systemd is in another pid namespace than skiff, where the container's processes have other numbers")
	}
	return nil
}

// asTimeout adds to a timeout what was waited for, and how long. Other errors are
// returned as they are.
func asTimeout(err error, wait time.Duration, what string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("waited %v for %s: %w", wait, what, unix.ETIMEDOUT)
	}
	return err
}

// subscribe asks a bus for systemd's signals. On systemd's own socket they need no
// subscription.
func (m *Manager) subscribe(wait time.Duration) error {
	const bus = "org.freedesktop.DBus"
	call := func(method string, body *dbus.Body) error {
		_, err := m.conn.call(&dbus.Message{Destination: bus, Path: "/org/freedesktop/DBus", Interface: bus, Member: method}, body, wait)
		if err != nil {
			return fmt.Errorf("D-Bus: %w", asTimeout(err, wait, "the reply to "+method))
		}
		return nil
	}
	if err := call("Hello", nil); err != nil {
		return err
	}
	if err := call("AddMatch", new(dbus.Body).String("type='signal',interface='"+manager+"',member='JobRemoved'")); err != nil {
		return err
	}
	reply, err := m.call("Subscribe", nil)
	if err != nil {
		return err
	}
	m.conn.trust(reply.Sender)
	return nil
}

// Close closes the connection.
func (m *Manager) Close() {
	if m != nil {
		m.conn.close()
	}
}
