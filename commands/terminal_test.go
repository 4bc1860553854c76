// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// openPty returns both ends of a new pseudoterminal.
func openPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func localFlags(t *testing.T, tty *os.File) uint32 {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return s.Lflag & (unix.ICANON | unix.ECHO | unix.ISIG)
}

func TestRawAndRestore(t *testing.T) {
	_, caller := openPty(t)
	before := localFlags(t, caller)
	if before == 0 {
		t.Fatal("a new terminal is raw")
	}
	tty := &terminal{in: caller}
	tty.raw()
	if got := localFlags(t, caller); got != 0 {
		t.Errorf("raw: local flags %#x, want 0", got)
	}
	tty.restore()
	if got := localFlags(t, caller); got != before {
		t.Errorf("restored: local flags %#x, want %#x", got, before)
	}
}

func TestNoTerminalToMakeRaw(t *testing.T) {
	r, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tty := &terminal{in: r}
	tty.raw()
	tty.restore()
	tty.resize()
	if tty.saved != nil || firstTerminal(r) != nil {
		t.Error("a pipe is taken for a terminal")
	}
}

func TestResize(t *testing.T) {
	_, caller := openPty(t)
	master, _ := openPty(t)
	if err := unix.IoctlSetWinsize(int(caller.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}); err != nil {
		t.Fatal(err)
	}
	tty := &terminal{master: master, size: firstTerminal(caller)}
	tty.resize()
	ws, err := unix.IoctlGetWinsize(int(master.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Row != 33 || ws.Col != 99 {
		t.Errorf("got %+v, %v, want 33 rows and 99 columns", ws, err)
	}
}

// Only a terminal in raw mode gets output with \r\n.
func TestRawOutput(t *testing.T) {
	_, one := openPty(t)
	_, other := openPty(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, tt := range []struct {
		name    string
		in, out *os.File
		want    bool
	}{
		{"terminal", one, one, true},
		{"two terminals", one, other, false},
		{"output to a pipe", one, w, false},
		{"input from a pipe", r, one, false},
		{"pipes", r, w, false},
	} {
		if got := rawOutput(tt.in, tt.out); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, plain := range []bool{false, true} {
		tty := &terminal{in: one, plain: plain}
		tty.raw()
		s, err := unix.IoctlGetTermios(int(one.Fd()), unix.TCGETS)
		if err != nil || s.Oflag&unix.OPOST != 0 != plain {
			t.Errorf("plain %v: output flags %#x, %v", plain, s.Oflag, err)
		}
		tty.restore()
	}
}

// A process without a terminal keeps the size in its configuration.
func TestAdoptSizeWithoutTerminal(t *testing.T) {
	p := plan.Process{ConsoleRows: 1, ConsoleCols: 2}
	if err := adoptTerminal(&p, new(libcontainer.IO), noTerminalToRun); err != nil {
		t.Fatal(err)
	}
	if p.ConsoleRows != 1 || p.ConsoleCols != 2 {
		t.Errorf("got %d, %d, want 1, 2", p.ConsoleRows, p.ConsoleCols)
	}
}

// drain returns after all output, although a background process keeps the terminal open.
func TestDrain(t *testing.T) {
	master, slave := openPty(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	copied := make(chan struct{})
	go func() { io.Copy(out, r); close(copied) }()
	tty := &terminal{master: master, out: w, written: make(chan struct{})}
	go tty.copyOutput()
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
	cmd.Stdout = slave
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	tty.drain() // slave is still open
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	w.Close()
	<-copied
	if got := strings.Count(out.String(), "\n"); got != 3000 {
		t.Errorf("got %d lines, want 3000", got)
	}
}

func TestReapOrphansSparesTheProcess(t *testing.T) {
	spare := startExit(t, 7)
	waitUntilEnded(t, spare)
	reapOrphans(spare)
	var ws unix.WaitStatus
	if pid, err := unix.Wait4(spare, &ws, 0, nil); pid != spare || err != nil || ws.ExitStatus() != 7 {
		t.Errorf("wait: %d, %v, status %d, want the process and its status 7", pid, err, ws.ExitStatus())
	}
	orphan := startExit(t, 3)
	waitUntilEnded(t, orphan)
	reapOrphans(spare)
	if _, err := unix.Wait4(orphan, nil, 0, nil); err != unix.ECHILD {
		t.Errorf("wait for a reaped orphan: %v, want ECHILD", err)
	}
}

func startExit(t *testing.T, code int) int {
	t.Helper()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", fmt.Sprintf("exit %d", code)}, new(os.ProcAttr))
	if err != nil {
		t.Fatal(err)
	}
	return p.Pid
}

func waitUntilEnded(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}
