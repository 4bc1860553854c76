// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Agent is a connection to the seccomp agent, the program that answers system calls
// with the action SCMP_ACT_NOTIFY. It takes one message (config-linux.md, "Seccomp").
type Agent struct {
	conn                  int
	path, metadata, field string
}

// Dial connects to the agent of p. field is the JSON path of its socket, for errors.
// The result is nil if no system call needs an agent. Connect before anything else is
// done: without its agent the container would hang.
func Dial(p *specs.LinuxSeccomp, field string) (*Agent, error) {
	if p == nil || !Notifies(p) {
		return nil, nil
	}
	m := trace.Begin()
	conn, err := sys.ConnectUnix(p.ListenerPath, unix.SOCK_STREAM)
	m.Done(err, "connect to the seccomp agent at", p.ListenerPath)
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("%s: failed to connect with seccomp agent: %w", field, err), "is the agent running?")
	}
	return &Agent{conn, p.ListenerPath, p.ListenerMetadata, field}, nil
}

// Hand sends the agent the listener of the process pid and the state of its container,
// and closes the connection, which marks the end of the message.
func (a *Agent) Hand(listener *os.File, pid int, s specs.State) error {
	defer a.Close()
	doc, err := json.Marshal(specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: a.metadata, State: s,
	})
	if err != nil {
		return err
	}
	m := trace.Begin()
	err = sys.SendAll(a.conn, doc, int(listener.Fd()))
	m.Done(err, "send the listener to the seccomp agent at", a.path)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", a.field, a.path, err)
	}
	return nil
}

// Close closes the connection, if there is one.
func (a *Agent) Close() {
	if a != nil && a.conn >= 0 {
		unix.Close(a.conn)
		a.conn = -1
	}
}
