package launch

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// Release lets a process that waits for start (Hold) go on: conn is a connection to
// its socket, tail and first are from [Running]. If create was traced, the process
// sends traces now as well. Release returns when the program runs, or with the error
// that kept it from running.
func Release(conn int, tail []program.Step, first int, debug Debug) error {
	c := wire.NewConn(conn)
	defer c.Close()
	m, err := c.Receive()
	if err == nil && m.Type == wire.Started {
		m, err = c.Receive()
		for err == nil && m.Type == wire.Trace {
			if i := m.Index - first; i >= 0 && i < len(tail) {
				debug.traced(m.Index, tail[i].Entry(), m)
			}
			m, err = c.Receive()
		}
		if errors.Is(err, wire.ErrClosed) {
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
	return describe(tail[m.Index-first].Entry(), m)
}
