// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// Release lets a process that waits for start (Hold) go on: conn is a connection to
// the socket of process pid, tail and first are from [Running]. If the steps of create were
// recorded, the process reports its operations now as well. Release returns when the program runs, or with the error
// that kept it from running.
func Release(conn, pid int, tail []program.Step, first int) error {
	var follow follower
	c := wire.NewConn(conn)
	defer c.Close()
	waits := trace.Begin()
	m, err := c.Receive()
	if err == nil && m.Type == wire.Started {
		m, err = c.Receive()
		for err == nil && m.Type == wire.Trace {
			if i := m.Index - first; i >= 0 && i < len(tail) {
				follow.done(pid, tail[i].Entry(), m)
			}
			m, err = c.Receive()
		}
		if errors.Is(err, wire.ErrClosed) {
			waits.Done(nil, "wait for the child:", "its program")
			if last := len(tail) - 1; last >= 0 {
				follow.executed(pid, first+last, tail[last].Entry())
			}
			return nil
		}
	}
	switch {
	case err != nil:
		return err
	case m.Type != wire.Failed:
		return fmt.Errorf("handshake: unexpected %s on the connection of start", m.Type)
	case m.Index < first || m.Index-first >= len(tail):
		return fmt.Errorf("operation %d of the launch program, which is not in the state file: %w", m.Index, m.Errno)
	}
	e := tail[m.Index-first].Entry()
	return follow.failed(pid, m.Index, e, describe(e, m))
}
