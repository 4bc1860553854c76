package commands

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// terminal joins the terminal of a process to the caller's.
type terminal struct {
	master  *os.File
	in, out *os.File      // the caller's standard streams
	size    *os.File      // the caller's terminal, whose size is taken over; may be nil
	saved   *unix.Termios // in's settings, to be restored; nil if it is no terminal

	written chan struct{} // closed when master has no more output
	idle    atomic.Bool   // all that was read from master has been written
	chunks  atomic.Int64  // how often something was read from it
}

func newTerminal(master *os.File) *terminal {
	return &terminal{
		master:  master,
		in:      os.Stdin,
		out:     os.Stdout,
		size:    callerTerminal(),
		written: make(chan struct{}),
	}
}

// adoptSize gives a process that is to be started in the foreground a terminal
// of the size of the caller's, before it can ask for it.
func adoptSize(p *plan.Process) {
	tty := callerTerminal()
	if !p.Terminal || tty == nil {
		return
	}
	if ws, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil {
		p.ConsoleRows, p.ConsoleCols = ws.Row, ws.Col
	}
}

func callerTerminal() *os.File { return firstTerminal(os.Stdin, os.Stdout, os.Stderr) }

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

// start puts the caller's terminal in raw mode, so that every key reaches the
// process's terminal, and copies in both directions from then on.
func (t *terminal) start() {
	t.resize()
	t.raw()
	go io.Copy(struct{ io.Writer }{t.master}, t.in)
	go t.copyOutput()
}

// raw sets what cfmakeraw(3) sets. A caller without a terminal on standard
// input has no keys to pass on as they are.
func (t *terminal) raw() {
	saved, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
	if err != nil {
		return
	}
	raw := *saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &raw) == nil {
		t.saved = saved
	}
}

// restore gives the caller's terminal its settings back.
func (t *terminal) restore() {
	if t.saved != nil {
		_ = unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, t.saved)
	}
}

// resize takes over the size of the caller's terminal, if it has one.
func (t *terminal) resize() {
	if t.size == nil {
		return
	}
	if ws, err := unix.IoctlGetWinsize(int(t.size.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, ws)
	}
}

// copyOutput ends with EIO when the last process has closed the terminal. When
// the caller no longer reads, output is thrown away, so that the process does
// not block.
func (t *terminal) copyOutput() {
	defer close(t.written)
	buf := make([]byte, 32<<10)
	for out := io.Writer(t.out); ; {
		t.idle.Store(true)
		n, err := t.master.Read(buf)
		t.idle.Store(false)
		if err != nil {
			return
		}
		t.chunks.Add(1)
		if _, err := out.Write(buf[:n]); err != nil {
			out = io.Discard
		}
	}
}

// drainTime is how long the terminal must be silent, after the process has
// ended, to have no more output of it. The kernel passes output on from a
// work queue, and processes left in the background keep the terminal open.
const drainTime = 50 * time.Millisecond

// drain waits until the output of the ended process has been written.
func (t *terminal) drain() {
	for seen := int64(-1); ; {
		select {
		case <-t.written:
			return
		case <-time.After(drainTime):
		}
		if now := t.chunks.Load(); t.idle.Load() && now == seen {
			return
		} else {
			seen = now
		}
	}
}
