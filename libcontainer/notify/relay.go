// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Service is the container that the messages are about.
type Service struct {
	Init  int      // pid of the container's first process
	Pidfd *os.File // pidfd of the same process
	Main  int      // MAINPID for the manager when the container is ready

	// UntilReady stops the relay when the manager knows that the container is ready;
	// otherwise it runs until the container ends.
	UntilReady bool
}

// patience is how long to wait for the manager to read a message (systemd-notify(1)
// waits as long). It applies to barriers, and with UntilReady to all messages;
// otherwise the relay waits until the container ends.
const patience = 5 * time.Second

// maxLast is the maximum number of messages that are read after the container's end.
const maxLast = 512

// relay is a run of a Proxy. It does not block on an AF_UNIX manager: a message that
// the manager does not take is kept, and no other is read, so that the senders block as
// they would on the manager's own socket.
type relay struct {
	*Proxy
	Service
	clock clock
	inbox *inbox
	pace  pace

	out   []parcel  // to be sent, in order
	stuck time.Time // since when the manager has not taken the first of them; zero if it has not refused it
	asked *barrier  // barrier that the manager has not lifted yet; nil if there is none
	mute  bool      // the manager does not lift barriers
	ended bool      // the container has ended
	done  bool
	errs  []error // what went wrong, each once
}

// parcel is a message for the manager, with a descriptor unless it is negative.
type parcel struct {
	text  string
	fd    int
	ready bool     // it has READY=1
	asks  *barrier // the barrier that it requests; nil if it requests none
}

// barrier is a pipe whose write end the manager closes when it has read everything that
// came before (sd_notify_barrier(3)). client is the same for a sender in the container:
// its descriptor, which is closed when the manager has closed the pipe's.
type barrier struct {
	reply  int       // read end of the pipe
	client int       // negative if skiff itself waits
	since  time.Time // when it was sent; zero before
}

// ours reports whether it is skiff that waits.
func (b *barrier) ours() bool { return b.client < 0 }

// Run relays messages until the container has ended or, with UntilReady, is ready. The
// errors that it returns, one per line, say what could not be relayed.
func (p *Proxy) Run(s Service) error {
	r := &relay{Proxy: p, Service: s, clock: clockOf(s.Init), inbox: newInbox()}
	defer r.release()
	for r.flush(); !r.done; r.flush() {
		r.step()
	}
	return errors.Join(r.errs...)
}

func (r *relay) release() {
	for _, p := range r.out {
		closeFD(p.fd)
	}
	r.endBarrier()
}

// fail stores an error, unless it is there already.
func (r *relay) fail(err error) {
	err = fmt.Errorf("%s: %w", Env, err)
	for _, known := range r.errs {
		if known.Error() == err.Error() {
			return
		}
	}
	if len(r.errs) < 8 {
		r.errs = append(r.errs, err)
	}
}

// step waits until there is something to do, and does it.
func (r *relay) step() {
	now := time.Now()
	poll, limit := r.interests(now)
	if _, err := unix.Poll(poll[:], milliseconds(limit)); err != nil && err != unix.EINTR {
		r.fail(os.NewSyscallError("poll", err))
		r.done = true
		return
	}
	switch {
	case poll[onReply].Revents != 0:
		r.endBarrier()
	case poll[onEnd].Revents != 0:
		r.drain()
	case poll[onContainer].Revents != 0:
		r.receive()
	case r.late(time.Now()):
		r.giveUp()
	}
}

// Indices of the descriptors that step polls.
const (
	onContainer = iota
	onEnd
	onManager
	onReply
	events
)

// interests returns the descriptors to poll now, and the timeout; a negative one means
// none.
func (r *relay) interests(now time.Time) (poll [events]unix.PollFd, limit time.Duration) {
	poll[onContainer] = unix.PollFd{Fd: -1, Events: unix.POLLIN}
	poll[onEnd] = unix.PollFd{Fd: -1, Events: unix.POLLIN}
	poll[onManager] = unix.PollFd{Fd: -1, Events: unix.POLLOUT}
	poll[onReply] = unix.PollFd{Fd: -1} // POLLHUP is always reported
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

// deadline returns until when to wait for the manager; zero means without limit.
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

// giveUp stops waiting for the manager.
func (r *relay) giveUp() {
	if r.asked != nil {
		r.mute = true
		r.fail(fmt.Errorf("the service manager did not answer a barrier within %v", patience))
		r.endBarrier()
		return
	}
	r.fail(fmt.Errorf("the service manager read no message for %v", patience))
	r.done = true
}

// drain relays what the container has sent before it ended, as far as the manager takes
// it at once.
func (r *relay) drain() {
	r.ended = true
	for range maxLast {
		if !r.flush() {
			r.fail(errors.New("the service manager did not read all messages of the container"))
			break
		}
		if r.done || !r.receive() {
			break
		}
	}
	r.done = r.done || r.asked == nil || !r.asked.ours()
}

// receive reads a message, and reports whether there was one.
func (r *relay) receive() bool {
	m, err := r.inbox.receive(r.container)
	if err != nil {
		if !errors.Is(err, unix.EAGAIN) {
			r.fail(os.NewSyscallError("recvmsg", err))
			r.done = true
		}
		return false
	}
	r.pace.take(time.Now())
	if m.bad != "" {
		r.fail(errors.New(m.bad + " from the container is not forwarded"))
		closeFD(m.fd)
		return true
	}
	r.accept(m)
	return true
}

func (r *relay) accept(m message) {
	main := r.Main
	if !r.manager.takesFDs() {
		main = 0 // the manager is on another machine
	}
	v := judge(m.text, main, &r.clock)
	for i, text := range v.messages {
		r.out = append(r.out, parcel{text: text, fd: -1, ready: v.ready && i == len(v.messages)-1})
	}
	if v.barrier && m.fd >= 0 {
		r.addBarrier(m.fd)
	} else {
		closeFD(m.fd)
	}
}

// addBarrier queues a barrier. client is closed when it is lifted.
func (r *relay) addBarrier(client int) {
	var pipe [2]int
	if r.mute || r.asked != nil || !r.manager.takesFDs() {
		r.out = append(r.out, parcel{fd: client}) // closed when everything before it has been sent
		return
	}
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		r.fail(os.NewSyscallError("pipe", err))
		closeFD(client)
		return
	}
	r.asked = &barrier{reply: pipe[0], client: client}
	r.out = append(r.out, parcel{text: "BARRIER=1", fd: pipe[1], asks: r.asked})
}

// endBarrier lifts the barrier, if there is one: it closes the client's descriptor, or
// ends the relay if skiff itself waits.
func (r *relay) endBarrier() {
	if r.asked == nil {
		return
	}
	ours := r.asked.ours()
	closeFD(r.asked.client)
	closeFD(r.asked.reply)
	r.asked = nil
	r.done = r.done || ours
}

// flush sends what is queued, and reports whether the manager took it all.
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

// sent handles the result of sending a parcel.
func (r *relay) sent(p *parcel, err error) {
	switch {
	case err != nil:
		r.fail(fmt.Errorf("send: %w", err))
		r.done = r.done || r.UntilReady || r.ended // there is no manager to wait for
	case p.asks != nil:
		p.asks.since = time.Now()
	case p.ready && r.UntilReady:
		r.awaitRead()
	}
}

// awaitRead makes the relay end when the manager has read the message that the
// container is ready. skiff must not exit before, because then the manager could not
// tell which unit the sender belonged to.
func (r *relay) awaitRead() {
	if !r.manager.takesFDs() {
		r.done = true
		return
	}
	r.endBarrier()
	r.addBarrier(-1)
	r.done = r.asked == nil
}

func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}
