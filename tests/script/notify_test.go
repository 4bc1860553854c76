// SPDX-License-Identifier: Apache-2.0

package script

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// manager acts as a service manager: it reads the messages that are sent to a socket.
type manager struct {
	mu   sync.Mutex
	told strings.Builder
}

// cmdManager implements "manager [-deaf] SOCKET": it starts a manager and sets
// NOTIFY_SOCKET.
func cmdManager(ts *testscript.TestScript, neg bool, args []string) {
	deaf := len(args) > 0 && args[0] == "-deaf"
	if deaf {
		args = args[1:]
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: manager [-deaf] SOCKET")
	}
	name := args[0]
	if !strings.HasPrefix(name, "@") {
		name = ts.MkAbs(name)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	m := new(manager)
	worldOf(ts).manager = m
	if !deaf {
		go m.read(conn)
	}
	ts.Setenv("NOTIFY_SOCKET", name)
}

// read records each message with the number of descriptors that came with it, then closes
// them. A barrier needs no more than that. When the descriptor is closed, the message has
// been recorded.
func (m *manager) read(conn *net.UnixConn) {
	data, control := make([]byte, 1<<20), make([]byte, unix.CmsgSpace(4*253))
	for {
		n, c, _, _, err := conn.ReadMsgUnix(data, control)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		note := fmt.Sprintf("%q", data[:n])
		list, _ := unix.ParseSocketControlMessage(control[:c])
		var fds []int
		for i := range list {
			some, _ := unix.ParseUnixRights(&list[i])
			note += fmt.Sprintf(" fds=%d", len(some))
			fds = append(fds, some...)
		}
		m.mu.Lock()
		fmt.Fprintln(&m.told, note)
		m.mu.Unlock()
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// cmdTold implements "told TEXT": it waits until the manager has received TEXT, and
// prints all that it has received.
func cmdTold(ts *testscript.TestScript, neg bool, args []string) {
	m := worldOf(ts).manager
	if neg || len(args) != 1 || m == nil {
		ts.Fatalf("usage: told TEXT, after manager SOCKET")
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		m.mu.Lock()
		all := m.told.String()
		m.mu.Unlock()
		if strings.Contains(all, args[0]) {
			_, err := ts.Stdout().Write([]byte(all))
			ts.Check(err)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the manager was told\n%s", all)
		}
	}
}
