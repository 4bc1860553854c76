package seccomp

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Agent is a connection to the program that answers the system calls with
// SCMP_ACT_NOTIFY. It takes one message (config-linux.md, "Seccomp").
type Agent struct {
	conn                  int
	path, metadata, field string
}

// Dial connects to the agent of p, which the field of config.json names; nil if
// no system call asks for one. This comes first of all: without its agent the
// container would hang.
func Dial(p *specs.LinuxSeccomp, field string) (*Agent, error) {
	if p == nil || !Notifies(p) {
		return nil, nil
	}
	conn, err := sys.ConnectUnix(p.ListenerPath, unix.SOCK_STREAM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (is the seccomp agent running?)", field, err)
	}
	return &Agent{conn, p.ListenerPath, p.ListenerMetadata, field}, nil
}

// Hand gives the agent the listener of the process pid, and the state of its
// container. The connection is closed then: its end is that of the message.
func (a *Agent) Hand(listener *os.File, pid int, s specs.State) error {
	defer a.Close()
	doc, err := json.Marshal(specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: a.metadata, State: s,
	})
	if err != nil {
		return err
	}
	if err := sys.SendAll(a.conn, doc, int(listener.Fd())); err != nil {
		return fmt.Errorf("%s: %s: %w", a.field, a.path, err)
	}
	return nil
}

// Close ends the connection, if it is there.
func (a *Agent) Close() {
	if a != nil && a.conn >= 0 {
		unix.Close(a.conn)
		a.conn = -1
	}
}
