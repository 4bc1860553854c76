// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// takeConsole takes over the terminal's master: it goes to io.ConsoleSocket, or stays
// with the process.
func (p *Process) takeConsole(master *os.File, io IO) error {
	if io.ConsoleSocket == "" {
		p.Console = master
		if io.PlainOutput {
			return setPlain(master, true)
		}
		return nil
	}
	defer master.Close()
	// The message is the name of the device (runc's docs/terminals.md).
	m := trace.Begin()
	err := sys.SendFD(io.ConsoleSocket, "/dev/ptmx", int(master.Fd()))
	m.Done(err, "send the terminal to", io.ConsoleSocket)
	if err != nil {
		return fmt.Errorf("--console-socket: %w", err)
	}
	return nil
}

// setPlain sets whether a terminal leaves \n as it is or converts it to \r\n, which is
// the default of a new terminal.
func setPlain(master *os.File, plain bool) error {
	mode, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	if err == nil {
		mode.Oflag |= unix.ONLCR
		if plain {
			mode.Oflag &^= unix.ONLCR
		}
		err = unix.IoctlSetTermios(int(master.Fd()), unix.TCSETS, mode)
	}
	if err != nil {
		return fmt.Errorf("process.terminal: %w", err)
	}
	return nil
}

// Wait waits for the end of the process, reaps it, and returns its exit status: 128 and
// the signal's number if a signal killed it.
func (p *Process) Wait() (int, error) {
	// Wait by pidfd first: until the process is reaped below, its pid cannot be reused.
	if _, err := sys.WaitReadable(int(p.Pidfd.Fd()), -1); err != nil {
		return -1, err
	}
	code, err := sys.Wait(p.Pid)
	if p.begun.On() {
		p.begun.Noted(err, "wait for the end of the program", "", fmt.Sprintf("exit status %d", code))
	}
	return code, err
}

// Signal sends a signal to the process.
func (p *Process) Signal(sig unix.Signal) error { return sys.PidfdSignal(p.Pidfd, sig) }

// end kills the process and reaps it.
func (p *Process) end() error {
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	_, err := sys.Wait(p.Pid)
	return err
}
