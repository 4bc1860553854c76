package commands

import (
	"errors"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// adoptTerminal makes the terminal of a process that is to be started in the
// foreground fit the caller's: it has its size before the process can ask for
// it. Without any terminal of the caller's there is nobody to type: a shell
// would wait for ever, and its keys could not end it.
func adoptTerminal(p *plan.Process, io *libcontainer.IO) error {
	if !p.Terminal {
		return nil
	}
	tty := callerTerminal()
	if tty == nil {
		return errors.New("cannot allocate tty: none of skiff's standard streams is a terminal, and it has no controlling terminal (/dev/tty); " +
			"do without one (--tty, or process.terminal in config.json), or detach with a --console-socket")
	}
	if ws, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil {
		p.ConsoleRows, p.ConsoleCols = ws.Row, ws.Col
	}
	io.PlainOutput = !rawOutput(os.Stdin, os.Stdout)
	return nil
}

// rawOutput reports whether output goes to a terminal that is about to be put in
// raw mode, and so takes it as it comes. What else it may go to, a file or a
// terminal that is not ours to change, wants no \r before a \n.
func rawOutput(in, out *os.File) bool { return sameTerminal(in, out) && inForeground(in) }

// callerTerminal is the terminal of skiff's user: one of the standard streams,
// or else the controlling terminal; nil if there is none.
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

// firstTerminal returns the first of the files that is a terminal, nil if
// none is.
func firstTerminal(files ...*os.File) *os.File {
	for _, f := range files {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return f
		}
	}
	return nil
}

// sameTerminal reports whether both files are one terminal.
func sameTerminal(a, b *os.File) bool {
	var sa, sb unix.Stat_t
	return firstTerminal(a) != nil && firstTerminal(b) != nil &&
		unix.Fstat(int(a.Fd()), &sa) == nil && unix.Fstat(int(b.Fd()), &sb) == nil && sa.Rdev == sb.Rdev
}

// foregroundTime is how often a process in the background looks whether it is in
// the foreground: a shell does not say so to one that runs.
const foregroundTime = 100 * time.Millisecond

// inForeground reports whether no job control keeps us from a file: it is no
// terminal, or not the one that controls us, or our process group has it.
func inForeground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// setMode changes a terminal. Should it be taken from us just now, we do not stop
// for it.
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
