// SPDX-License-Identifier: Apache-2.0

package child

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// interpret runs operations on this host, the last of which executes a program, and
// returns what the program prints, or the message of the operation that failed.
func interpret(t *testing.T, ops ...program.Operation) (string, wire.Message) {
	t.Helper()
	out := new(strings.Builder)
	cmd, conn := begin(t, out, ops...)
	defer conn.Close()
	_ = cmd.Wait() // what went wrong is in the message
	m, err := conn.Receive()
	if err != nil && !errors.Is(err, wire.ErrClosed) {
		t.Fatal(err)
	}
	return out.String(), m
}

// begin starts a child that runs operations.
func begin(t *testing.T, out io.Writer, ops ...program.Operation) (*exec.Cmd, *wire.Conn) {
	t.Helper()
	needBinary(t)
	p := new(program.Program)
	p.Inherit(0)
	p.Slots += 8
	for _, op := range ops {
		p.Add("", op)
	}
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	exe, program := filepath.Join(t.TempDir(), "child"), filepath.Join(t.TempDir(), "program")
	if err := errors.Join(os.WriteFile(exe, Binary, 0o755), os.WriteFile(program, text, 0o644)); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ours, theirs, err := sys.SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(theirs), "socket")
	defer socket.Close()
	cmd := exec.Command(exe)
	cmd.Stdout, cmd.ExtraFiles = out, []*os.File{file, socket} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, wire.NewConn(ours)
}

// The child opens an attribute file on a procfs of its own, or on /proc if it can make
// none, but nowhere else; it opens the first file that exists.
func TestAttr(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("needs root to mount a procfs: the effective uid is %d", os.Geteuid())
	}
	attr := program.Attr{Out: 8, Files: []string{"self/attr/nosuch/exec", "self/oom_score_adj"}}
	write := program.Label{File: 8, Value: "321"}
	show := program.Exec{Args: []string{"/bin/cat", "/proc/self/oom_score_adj"}}
	users := program.Unshare{Namespaces: unix.CLONE_NEWUSER | unix.CLONE_NEWNS}
	for name, ops := range map[string][]program.Operation{
		"own procfs":     {attr, write, show},
		"the host's own": {users, attr, write, show},
	} {
		if out, m := interpret(t, ops...); out != "321\n" {
			t.Errorf("%s: %q, %+v", name, out, m)
		}
	}
	private := program.Propagate{Path: "/", Propagation: unix.MS_PRIVATE, Tree: true}
	empty := program.FSMount{Out: 9, Type: "tmpfs", Source: "tmpfs"}
	cover := program.Attach{Mount: 9, Destination: "/proc"}
	if _, m := interpret(t, users, private, empty, cover, attr, write, show); m.Type != wire.Failed || m.Index != 4 || m.Detail != wire.NotProc {
		t.Errorf("a tmpfs on /proc: %+v", m)
	}
	missing := program.Attr{Out: 8, Files: []string{"self/attr/nosuch/exec", "self/attr/neither"}}
	if _, m := interpret(t, missing); m.Type != wire.Failed || m.Errno != unix.ENOENT {
		t.Errorf("no such attribute: %+v", m)
	}
	link := program.Attr{Out: 8, Files: []string{"self/root/proc/self/oom_score_adj"}}
	if _, m := interpret(t, link); m.Type != wire.Failed || m.Errno != unix.ELOOP && m.Errno != unix.EXDEV {
		t.Errorf("a magic link on the way: %+v", m)
	}
}
