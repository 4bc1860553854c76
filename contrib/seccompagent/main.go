// Seccompagent answers the system calls that a container's seccomp profile
// has with SCMP_ACT_NOTIFY. It is an example, and what skiff's tests use.
//
//	seccompagent -socket /run/agent.sock
//
// linux.seccomp.listenerPath of a container names the socket, and
// listenerMetadata what to answer: "mkdir=ENOMEDIUM,mkdirat=fake" lets mkdir
// fail, and mkdirat do nothing and succeed. What is not named there goes on as
// if there were no agent, which is no protection: the caller can exchange the
// arguments while the agent looks at them (seccomp_unotify(2)).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func main() {
	path := flag.String("socket", "/run/seccompagent.sock", "AF_UNIX socket to listen on")
	flag.Parse()
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGINT, unix.SIGTERM)
	go func() {
		<-end
		os.Exit(0)
	}()
	if err := serve(*path); err != nil {
		fmt.Fprintln(os.Stderr, "seccompagent:", err)
		os.Exit(1)
	}
}

func serve(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		return err
	}
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		if err := receive(conn); err != nil {
			log.Printf("error: %v", err)
		}
		conn.Close()
	}
}

// receive takes one message of a runtime, and starts to answer.
func receive(conn *net.UnixConn) error {
	state, fd, err := readState(conn)
	if err != nil {
		return err
	}
	rules, err := parseRules(state.Metadata)
	if err != nil {
		unix.Close(fd)
		return err
	}
	log.Printf("container %s (%s, pid %d): process %d, metadata %q", state.State.ID, state.State.Status, state.State.Pid, state.Pid, state.Metadata)
	go func() {
		defer unix.Close(fd)
		answerAll(state.State.ID, fd, rules)
	}()
	return nil
}

// readState reads the state of a process up to the end of the connection. The
// descriptor of the listener comes with its first byte.
func readState(conn *net.UnixConn) (*specs.ContainerProcessState, int, error) {
	doc, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(doc, oob)
	if err != nil {
		return nil, -1, err
	}
	fd, err := descriptor(oob[:oobn])
	if err != nil {
		return nil, -1, err
	}
	state, err := decodeState(conn, doc, n)
	if err != nil {
		unix.Close(fd)
		return nil, -1, err
	}
	return state, fd, nil
}

func decodeState(conn *net.UnixConn, doc []byte, n int) (*specs.ContainerProcessState, error) {
	for {
		more, err := conn.Read(doc[n:])
		n += more
		if more == 0 || err != nil {
			break
		}
	}
	state := new(specs.ContainerProcessState)
	if err := json.Unmarshal(doc[:n], state); err != nil {
		return nil, err
	}
	if len(state.Fds) != 1 || state.Fds[0] != specs.SeccompFdName {
		return nil, fmt.Errorf("descriptors %q, expected %s", state.Fds, specs.SeccompFdName)
	}
	return state, nil
}

func descriptor(oob []byte) (int, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return -1, errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(errors.New("one descriptor is expected"), err)
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}

// answerAll answers until nobody is left who has the filter.
func answerAll(id string, fd int, rules map[int32]rule) {
	for {
		call, err := next(fd)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
			continue // the caller was killed meanwhile
		}
		if err != nil {
			log.Printf("container %s: %v", id, err)
			return
		}
		if call == nil {
			log.Printf("container %s: end", id)
			return
		}
		r := rules[call.Data.Nr]
		log.Printf("container %s: %s of process %d: %s", id, callName(call.Data.Nr), call.Pid, r)
		if err := answer(fd, call, r); err != nil && !errors.Is(err, unix.ENOENT) {
			log.Printf("container %s: %v", id, err)
		}
	}
}

// rule is what is done with a call; the zero value lets it go on.
type rule struct {
	fake  bool
	errno syscall.Errno
}

func (r rule) String() string {
	switch {
	case r.fake:
		return "fake"
	case r.errno != 0:
		return unix.ErrnoName(r.errno)
	}
	return "continue"
}
