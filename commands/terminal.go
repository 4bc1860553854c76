package commands

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// terminal joins the terminal of a process to the caller's.
type terminal struct {
	master  *os.File
	in, out *os.File // the caller's standard streams
	size    *os.File // the caller's terminal, whose size is taken over; may be nil
	plain   bool     // as IO.PlainOutput: that a line begins at the left is the caller's terminal's to see to

	mode  sync.Mutex
	saved *unix.Termios // in's settings, to be restored; nil if they are as they were
	over  bool          // they are to stay so

	written chan struct{} // closed when master has no more output
	idle    atomic.Bool   // all that was read from master has been written
	chunks  atomic.Int64  // how often something was read from it
}

func newTerminal(master *os.File, plain bool) *terminal {
	return &terminal{
		master:  master,
		in:      os.Stdin,
		out:     os.Stdout,
		size:    callerTerminal(),
		plain:   plain,
		written: make(chan struct{}),
	}
}

// start puts the caller's terminal in raw mode, so that every key reaches the
// process's terminal, and copies in both directions from then on.
func (t *terminal) start() {
	t.resize()
	if inForeground(t.in) {
		t.raw()
	}
	go t.copyInput()
	go t.copyOutput()
}

// copyInput waits until keys are ours: to read them in the background, or to
// change the terminal of those in the foreground, stops a process (SIGTTIN,
// SIGTTOU), and so the copying of output.
func (t *terminal) copyInput() {
	for !inForeground(t.in) {
		time.Sleep(foregroundTime)
	}
	t.raw()
	io.Copy(struct{ io.Writer }{t.master}, t.in)
}

// raw sets what cfmakeraw(3) sets, but for what the output needs. A caller
// without a terminal on standard input has no keys to pass on as they are.
func (t *terminal) raw() {
	t.mode.Lock()
	defer t.mode.Unlock()
	saved, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
	if err != nil || t.saved != nil || t.over {
		return
	}
	raw := *saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	if !t.plain {
		raw.Oflag &^= unix.OPOST
	}
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if setMode(t.in, &raw) == nil {
		t.saved = saved
	}
}

// restore gives the caller's terminal its settings back, unless it is another
// job's by now: who gave it to that one has set it.
func (t *terminal) restore() {
	t.mode.Lock()
	defer t.mode.Unlock()
	t.over = true
	if t.saved != nil && inForeground(t.in) {
		_ = setMode(t.in, t.saved)
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
		now := t.chunks.Load()
		if t.idle.Load() && now == seen {
			return
		}
		seen = now
	}
}
