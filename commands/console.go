// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// adoptTerminal prepares the terminal of a process that runs in the foreground: it gets
// the size of the caller's terminal, before the process can ask for it, and the output
// mode that fits. It is an error if the caller has no terminal: nobody could type, so a
// shell would wait forever, and no key could end it: the remedy is the hint of that error.
func adoptTerminal(p *plan.Process, io *libcontainer.IO, remedy string) error {
	if !p.Terminal {
		return nil
	}
	tty := callerTerminal()
	if tty == nil {
		err := misuse("cannot allocate tty: none of skiff's standard streams is a terminal, and skiff has no controlling terminal (/dev/tty)")
		return fault.Hint(err, remedy)
	}
	if ws, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil {
		p.ConsoleRows, p.ConsoleCols = ws.Row, ws.Col
	}
	io.PlainOutput = !rawOutput(os.Stdin, os.Stdout)
	return nil
}

// rawOutput reports whether output goes to the terminal that is about to be put in raw
// mode, which needs \r before \n. Any other output, a file or a terminal that we do not
// change, gets plain \n.
func rawOutput(in, out *os.File) bool { return sameTerminal(in, out) && inForeground(in) }

// callerTerminal returns the caller's terminal: the first of the standard streams that
// is one, else the controlling terminal. It is nil if there is none.
func callerTerminal() *os.File {
	if tty := firstTerminal(os.Stdin, os.Stdout, os.Stderr); tty != nil {
		return tty
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	return tty
}

// The hints for a caller without a terminal, of run and restore, and of exec.
const (
	noTerminalToRun  = "set process.terminal in config.json to false, or use --detach with --console-socket"
	noTerminalToExec = "omit --tty, or use --detach with --console-socket"
)

// firstTerminal returns the first file that is a terminal, or nil.
func firstTerminal(files ...*os.File) *os.File {
	for _, f := range files {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return f
		}
	}
	return nil
}

// sameTerminal reports whether both files are the same terminal.
func sameTerminal(a, b *os.File) bool {
	var sa, sb unix.Stat_t
	return firstTerminal(a) != nil && firstTerminal(b) != nil &&
		unix.Fstat(int(a.Fd()), &sa) == nil && unix.Fstat(int(b.Fd()), &sb) == nil && sa.Rdev == sb.Rdev
}

// foregroundPoll is how often skiff, when it is in the background, checks whether it is
// in the foreground: a shell does not notify a running process of that.
const foregroundPoll = 100 * time.Millisecond

// inForeground reports whether job control lets us use a file: it is not our
// controlling terminal, or our process group is in the foreground there.
func inForeground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// setMode sets the mode of a terminal. It blocks SIGTTOU: if we have just been put in
// the background, the signal would stop us.
func setMode(tty *os.File, mode *unix.Termios) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	block := signalSet(unix.SIGTTOU)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &before); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, mode)
}

func signalSet(s unix.Signal) (set unix.Sigset_t) {
	const bits = 8 * unsafe.Sizeof(set.Val[0])
	set.Val[(uintptr(s)-1)/bits] |= 1 << ((uintptr(s) - 1) % bits)
	return set
}
