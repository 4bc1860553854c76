// SPDX-License-Identifier: Apache-2.0

// Seccompagent handles the system calls for which the seccomp profile of a container says
// SCMP_ACT_NOTIFY. It is an example, and skiff's tests use it.
//
//	seccompagent -socket /run/agent.sock
//
// A container's linux.seccomp.listenerPath names the socket, and its listenerMetadata how
// to handle calls: with "mkdir=ENOMEDIUM,mkdirat=fake" mkdir fails, and mkdirat does
// nothing and returns success. Other calls continue as if there were no agent. To let
// calls continue is no protection: the caller can replace the arguments after the agent
// has looked at them (seccomp_unotify(2)).
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

// receive receives one message from a runtime, and starts to handle the container's
// calls.
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

// readState reads the state of the container and its process, up to the end of the
// connection. The listener's descriptor comes with the first byte.
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

// answerAll handles calls until there is no process left with the filter.
func answerAll(id string, fd int, rules map[int32]rule) {
	for {
		call, err := next(fd)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
			continue // the caller was killed, or a signal came
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

// rule is how a system call is handled; with the zero value it continues.
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
