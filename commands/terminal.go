// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// terminal connects the terminal of a process with the caller's.
type terminal struct {
	master  *os.File
	in, out *os.File // the caller's standard streams
	size    *os.File // the caller's terminal, whose size master gets; may be nil
	plain   bool     // IO.PlainOutput: the caller's terminal adds the \r before \n

	mode  sync.Mutex    // guards saved and final
	saved *unix.Termios // in's original settings; nil while they are unchanged
	final bool          // restore was called: raw changes nothing any more

	written chan struct{} // closed when all output of master has been written
	idle    atomic.Bool   // all that was read from master has been written
	chunks  atomic.Int64  // number of successful reads from master
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

// start puts the caller's terminal in raw mode, so that every key reaches the process's
// terminal, and starts to copy in both directions.
func (t *terminal) start() {
	t.resize()
	if inForeground(t.in) {
		t.raw()
	}
	go t.copyInput()
	go t.copyOutput()
}

// copyInput copies keys to the process. It first waits until skiff is in the foreground:
// a background process that reads from its terminal, or changes its mode, is stopped
// (SIGTTIN, SIGTTOU), and output would not be copied then.
func (t *terminal) copyInput() {
	for !inForeground(t.in) {
		time.Sleep(foregroundPoll)
	}
	t.raw()
	io.Copy(struct{ io.Writer }{t.master}, t.in)
}

// raw puts the caller's terminal in raw mode, as cfmakeraw(3) does, but keeps output
// processing if plain is set. It does nothing if standard input is no terminal.
func (t *terminal) raw() {
	t.mode.Lock()
	defer t.mode.Unlock()
	saved, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
	if err != nil || t.saved != nil || t.final {
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

// restore restores the settings of the caller's terminal, unless another job is in the
// foreground there by now: the shell has set the terminal for that one.
func (t *terminal) restore() {
	t.mode.Lock()
	defer t.mode.Unlock()
	t.final = true
	if t.saved != nil && inForeground(t.in) {
		_ = setMode(t.in, t.saved)
	}
}

// resize gives the process's terminal the size of the caller's, if there is one.
func (t *terminal) resize() {
	if t.size == nil {
		return
	}
	if ws, err := unix.IoctlGetWinsize(int(t.size.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, ws)
	}
}

// copyOutput copies output to the caller until a read fails, with EIO when the last
// process has closed the terminal. If the caller no longer reads, it discards the output,
// so that the process does not block.
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

// drainTime is how long the terminal must be silent after the process has ended: then
// all of its output has arrived. The kernel delivers output from a work queue, and the
// end of file does not come while background processes keep the terminal open.
const drainTime = 50 * time.Millisecond

// drain waits until all output of the ended process has been written.
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
