// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func notifying(path string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: path, ListenerMetadata: "data",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}},
	}
}

// The message is the specification's. It is sent completely, however long it is, and
// the connection ends after it.
func TestAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := Dial(notifying(path), "linux.seccomp.listenerPath")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	state := specs.State{Version: "1.0.0", ID: "web", Status: specs.StateCreating, Pid: 7, Bundle: "/b", Annotations: map[string]string{"long": strings.Repeat("x", 1<<20)}}
	done := make(chan error)
	go func() { done <- a.Hand(w, 8, state); w.Close() }()
	first, oob := make([]byte, 4096), make([]byte, 64)
	n, oobn, _, _, err := conn.ReadMsgUnix(first, oob)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var got specs.ContainerProcessState
	if err := json.Unmarshal(append(first[:n], rest...), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != specs.Version || got.Pid != 8 || got.Metadata != "data" || got.State.Pid != 7 || len(got.State.Annotations["long"]) != 1<<20 || got.Fds[0] != "seccompFd" {
		got.State.Annotations = nil
		t.Errorf("got %+v", got)
	}
	checkRights(t, oob[:oobn], r)
}

// checkRights checks that the received descriptor is the write end of the pipe r.
func checkRights(t *testing.T, oob []byte, r *os.File) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	w := os.NewFile(uintptr(fds[0]), "listener")
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestAgentMissing(t *testing.T) {
	if a, err := Dial(notifying("/nosuch"), "linux.seccomp.listenerPath"); a != nil || err == nil || !strings.HasPrefix(err.Error(), "linux.seccomp.listenerPath: failed to connect with seccomp agent: connect /nosuch: ") {
		t.Errorf("%v, %v", a, err)
	}
	p := notifying("/nosuch")
	p.Syscalls[0].Action = specs.ActLog
	for _, p := range []*specs.LinuxSeccomp{nil, p} {
		if a, err := Dial(p, ""); a != nil || err != nil {
			t.Errorf("nobody asks for it: %v, %v", a, err)
		}
	}
}

// With a listener, TSYNC is dropped: the thread that hands it over must not be
// filtered.
func TestListenerFlags(t *testing.T) {
	p := notifying("/nosuch")
	p.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"}
	f, err := settings(p)
	if err != nil {
		t.Fatal(err)
	}
	if want := uint(unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER); f.Flags != want || !f.Notify {
		t.Errorf("flags %#x, expected %#x", f.Flags, want)
	}
}
