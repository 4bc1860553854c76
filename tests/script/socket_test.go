// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// cmdListen implements "listen SOCKET": it creates a socket for file descriptors.
func cmdListen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen SOCKET")
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	worldOf(ts).sockets[args[0]] = l
	ts.Defer(func() { l.Close() })
}

// cmdReceived implements "received SOCKET": it receives the file descriptor that was sent
// to the socket, and prints the name that came with it and the target of its link in
// /proc; then, for a pidfd, its fdinfo, otherwise all output of the terminal.
func cmdReceived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || worldOf(ts).sockets[args[0]] == nil {
		ts.Fatalf("usage: received SOCKET, after listen SOCKET")
	}
	l := worldOf(ts).sockets[args[0]]
	ts.Check(l.SetDeadline(time.Now().Add(patience)))
	conn, err := l.AcceptUnix()
	ts.Check(err)
	defer conn.Close()
	name, f, err := receiveFile(conn)
	ts.Check(err)
	defer f.Close()
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	ts.Check(err)
	text := name + "\n" + link + "\n"
	if strings.Contains(link, "pidfd") {
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
		ts.Check(err)
		text += string(info)
	} else {
		text += readTerminal(f)
	}
	_, err = ts.Stdout().Write([]byte(text))
	ts.Check(err)
}

func receiveFile(conn *net.UnixConn) (name string, f *os.File, err error) {
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := conn.ReadMsgUnix(data, control)
	if err != nil {
		return "", nil, err
	}
	list, err := unix.ParseSocketControlMessage(control[:m])
	if err != nil || len(list) != 1 {
		return "", nil, fmt.Errorf("%d control messages, %w", len(list), err)
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return "", nil, fmt.Errorf("%d descriptors, %w", len(fds), err)
	}
	return string(bytes.TrimRight(data[:n], "\x00")), os.NewFile(uintptr(fds[0]), "received"), nil
}

// readTerminal reads until the last process has closed the terminal.
func readTerminal(f *os.File) string {
	b, err := io.ReadAll(f)
	if perr := (*fs.PathError)(nil); err != nil && !(errors.As(err, &perr) && perr.Err == unix.EIO) {
		return string(b) + err.Error()
	}
	return string(b)
}
