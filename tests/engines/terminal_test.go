// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a command that runs on its own pseudo-terminal, with the output so far.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	argv   []string
	mutex  sync.Mutex
	screen bytes.Buffer
	closed chan struct{} // closed when the last process has closed the terminal
}

// onTerminal starts a command on a terminal of the given size.
func onTerminal(t *testing.T, rows, columns uint16, argv ...string) *terminal {
	t.Helper()
	master, slave := openPair(t)
	defer slave.Close()
	term := &terminal{t: t, master: master, argv: argv, closed: make(chan struct{})}
	term.resize(rows, columns)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	term.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = slave, slave, slave
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(term.closed)
		_, _ = io.Copy(term, master) // ends with EIO when the slave is closed
	}()
	t.Cleanup(func() { cancel(); _ = master.Close() })
	return term
}

// openPair opens a new pseudo-terminal (pts(4)).
func openPair(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatalf("unlock the terminal: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatalf("number of the terminal: %v", err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// Write records output of the terminal.
func (term *terminal) Write(data []byte) (int, error) {
	term.mutex.Lock()
	defer term.mutex.Unlock()
	return term.screen.Write(data)
}

// text returns the output so far, without carriage returns.
func (term *terminal) text() string {
	term.mutex.Lock()
	defer term.mutex.Unlock()
	return strings.ReplaceAll(term.screen.String(), "\r", "")
}

// resize changes the window size, so the command gets SIGWINCH.
func (term *terminal) resize(rows, columns uint16) {
	term.t.Helper()
	size := unix.Winsize{Row: rows, Col: columns}
	if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		term.t.Fatalf("resize the terminal: %v", err)
	}
}

// enter types a text.
func (term *terminal) enter(text string) {
	term.t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		term.t.Fatalf("type %q: %v", text, err)
	}
}

// await waits until a text appears.
func (term *terminal) await(word string) {
	term.t.Helper()
	eventually(term.t, func() error {
		if text := term.text(); !strings.Contains(text, word) {
			return fmt.Errorf("%q does not appear; on the terminal of %s:\n%s", word, strings.Join(term.argv, " "), text)
		}
		return nil
	})
}

// end waits until the command ends, and returns its exit code and the output.
func (term *terminal) end() outcome {
	term.t.Helper()
	err := term.cmd.Wait()
	select {
	case <-term.closed:
	case <-time.After(5 * time.Second):
		err = errors.Join(err, errors.New("a process keeps the terminal open"))
	}
	return outcome{argv: term.argv, out: strings.TrimSpace(term.text()), code: exitCode(term.cmd, err)}
}
