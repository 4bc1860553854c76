package notify

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Service is whom the messages are about.
type Service struct {
	Init  int      // pid of the container's first process
	Pidfd *os.File // the same
	Main  int      // pid that the manager is told when the container is ready

	// UntilReady ends the passing on when the manager knows that the container
	// is ready; else it goes on until the container ends.
	UntilReady bool
}

// patience bounds what a manager may take to read (systemd-notify(1) waits as
// long). It is asked for only where somebody waits: in the foreground the
// container's end is enough.
const patience = 5 * time.Second

// maxLast is how many messages are read when the container has ended.
const maxLast = 512

// relay passes messages on. It never waits for the manager alone: a message
// that is not taken is kept, and no other is read, so that the senders wait as
// they would for the manager itself.
type relay struct {
	*Proxy
	Service
	clock clock
	inbox *inbox
	pace  pace

	out   []parcel
	stuck time.Time // since when the first of them is not taken; zero: it is not
	asked *barrier  // that the manager has not answered yet
	mute  bool      // the manager answers none
	ended bool      // the container has
	done  bool
	said  []error // what went wrong, of each kind once
}

// parcel is a message for the manager, with a descriptor unless it is negative.
type parcel struct {
	text  string
	fd    int
	ready bool     // it says that the container is ready
	asks  *barrier // it is that barrier
}

// barrier is a pipe whose other end the manager closes when it has read all
// that came before (sd_notify_barrier(3)), and the descriptor that somebody in
// the container waits for in the same way.
type barrier struct {
	reply  int
	client int       // negative: we wait ourselves
	since  time.Time // when it was handed on; zero: not yet
}

// own reports whether it is skiff that waits.
func (b *barrier) own() bool { return b.client < 0 }

// Run passes on messages until the container has ended, or is ready. The error
// says, in one line, what could not be passed on.
func (p *Proxy) Run(s Service) error {
	r := &relay{Proxy: p, Service: s, clock: clockOf(s.Init), inbox: newInbox()}
	defer r.release()
	for r.flush(); !r.done; r.flush() {
		r.step()
	}
	return errors.Join(r.said...)
}

func (r *relay) release() {
	for _, p := range r.out {
		closeFD(p.fd)
	}
	r.answer()
}

// say keeps an error, unless it is known.
func (r *relay) say(err error) {
	err = fmt.Errorf("%s: %w", Env, err)
	for _, known := range r.said {
		if known.Error() == err.Error() {
			return
		}
	}
	if len(r.said) < 8 {
		r.said = append(r.said, err)
	}
}

// step waits until there is something to do, and does it.
func (r *relay) step() {
	now := time.Now()
	poll, limit := r.interests(now)
	if _, err := unix.Poll(poll[:], milliseconds(limit)); err != nil && err != unix.EINTR {
		r.say(os.NewSyscallError("poll", err))
		r.done = true
		return
	}
	switch {
	case poll[onReply].Revents != 0:
		r.answer()
	case poll[onEnd].Revents != 0:
		r.last()
	case poll[onContainer].Revents != 0:
		r.take()
	case r.late(time.Now()):
		r.giveUp()
	}
}

// What step waits for.
const (
	onContainer = iota
	onEnd
	onManager
	onReply
	events
)

// interests are the descriptors that matter now, and for how long; negative is
// for ever.
func (r *relay) interests(now time.Time) (poll [events]unix.PollFd, limit time.Duration) {
	poll[onContainer] = unix.PollFd{Fd: -1, Events: unix.POLLIN}
	poll[onEnd] = unix.PollFd{Fd: -1, Events: unix.POLLIN}
	poll[onManager] = unix.PollFd{Fd: -1, Events: unix.POLLOUT}
	poll[onReply] = unix.PollFd{Fd: -1} // a pipe's end needs no asking
	if !r.ended {
		poll[onEnd].Fd = int32(r.Pidfd.Fd())
	}
	if r.asked != nil {
		poll[onReply].Fd = int32(r.asked.reply)
	}
	limit = -1
	switch wait := r.pace.wait(now); {
	case len(r.out) > 0:
		poll[onManager].Fd = int32(r.manager.fd)
	case r.asked != nil:
	case wait > 0:
		limit = wait
	default:
		poll[onContainer].Fd = int32(r.container)
	}
	if end := r.deadline(); !end.IsZero() {
		limit = max(0, end.Sub(now))
	}
	return poll, limit
}

func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(d.Milliseconds()) + 1
}

// deadline is until when the manager is waited for; zero: for ever.
func (r *relay) deadline() time.Time {
	switch {
	case r.asked != nil && !r.asked.since.IsZero():
		return r.asked.since.Add(patience)
	case r.UntilReady && !r.stuck.IsZero():
		return r.stuck.Add(patience)
	}
	return time.Time{}
}

func (r *relay) late(now time.Time) bool {
	end := r.deadline()
	return !end.IsZero() && now.After(end)
}

// giveUp stops to wait for the manager.
func (r *relay) giveUp() {
	if r.asked != nil {
		r.mute = true
		r.say(fmt.Errorf("the manager does not answer a barrier (for %v)", patience))
		r.answer()
		return
	}
	r.say(fmt.Errorf("the manager reads nothing (for %v)", patience))
	r.done = true
}

// last passes on what the container has said before it ended, as far as the
// manager takes it at once.
func (r *relay) last() {
	r.ended = true
	for range maxLast {
		if !r.flush() {
			r.say(errors.New("the manager did not read all that the container has said"))
			break
		}
		if r.done || !r.take() {
			break
		}
	}
	r.done = r.done || r.asked == nil || !r.asked.own()
}

// take reads a message, and reports whether there was one.
func (r *relay) take() bool {
	m, err := r.inbox.receive(r.container)
	if err != nil {
		if !errors.Is(err, unix.EAGAIN) {
			r.say(os.NewSyscallError("recvmsg", err))
			r.done = true
		}
		return false
	}
	r.pace.take(time.Now())
	if m.bad != "" {
		r.say(errors.New(m.bad + " of the container's is not passed on"))
		closeFD(m.fd)
		return true
	}
	r.accept(m)
	return true
}

func (r *relay) accept(m message) {
	main := r.Main
	if !r.manager.takesFDs() {
		main = 0 // it is on another machine
	}
	v := judge(m.text, main, &r.clock)
	for i, text := range v.messages {
		r.out = append(r.out, parcel{text: text, fd: -1, ready: v.ready && i == len(v.messages)-1})
	}
	if v.barrier && m.fd >= 0 {
		r.ask(m.fd)
	} else {
		closeFD(m.fd)
	}
}

// ask adds a barrier, which client gets to know of.
func (r *relay) ask(client int) {
	var pipe [2]int
	if r.mute || r.asked != nil || !r.manager.takesFDs() {
		r.out = append(r.out, parcel{fd: client}) // closed when all before is handed on
		return
	}
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		r.say(os.NewSyscallError("pipe", err))
		closeFD(client)
		return
	}
	r.asked = &barrier{reply: pipe[0], client: client}
	r.out = append(r.out, parcel{text: "BARRIER=1", fd: pipe[1], asks: r.asked})
}

// answer ends the barrier.
func (r *relay) answer() {
	if r.asked == nil {
		return
	}
	own := r.asked.own()
	closeFD(r.asked.client)
	closeFD(r.asked.reply)
	r.asked = nil
	r.done = r.done || own
}

// flush hands on what there is, and reports whether it was all taken.
func (r *relay) flush() bool {
	for len(r.out) > 0 {
		p := r.out[0]
		var err error
		if p.text != "" {
			err = r.manager.send(p.text, p.fd)
		}
		if errors.Is(err, unix.EAGAIN) {
			if r.stuck.IsZero() {
				r.stuck = time.Now()
			}
			return false
		}
		r.stuck, r.out = time.Time{}, r.out[1:]
		closeFD(p.fd)
		r.sent(&p, err)
	}
	return true
}

// sent is what comes when a parcel was handed on, or cannot be.
func (r *relay) sent(p *parcel, err error) {
	switch {
	case err != nil:
		r.say(fmt.Errorf("send: %w", err))
		r.done = r.done || r.UntilReady || r.ended // nobody is there who waits
	case p.asks != nil:
		p.asks.since = time.Now()
	case p.ready && r.UntilReady:
		r.settle()
	}
}

// settle is what comes when the manager has been sent word that the container
// is ready: skiff may not end before it is read, or the manager would not know
// whose word it is.
func (r *relay) settle() {
	if !r.manager.takesFDs() {
		r.done = true
		return
	}
	r.answer()
	r.ask(-1)
	r.done = r.asked == nil
}

func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}
