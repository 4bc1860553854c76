package sys

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// signalBatch is how many pidfds [SignalMembers] holds at once, and spareFiles
// how many descriptors it leaves to others where there are not that many.
const (
	signalBatch = 256
	spareFiles  = 8
)

// SignalMembers sends sig to those of the processes that are still members once
// a pidfd holds them: a pid alone may belong to a stranger by then. members is
// called once for many, since it may take long.
func SignalMembers(pids []int, sig unix.Signal, members func() ([]int, error)) error {
	for len(pids) > 0 {
		batch, err := holdAll(pids[:min(len(pids), signalBatch)])
		if err != nil {
			return err
		}
		pids = pids[batch.taken:]
		err = batch.signal(sig, members)
		batch.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// held are processes that pidfds hold.
type held struct {
	pids, fds []int
	taken     int // of those that were to be held; some may have ended
}

// holdAll opens pidfds of as many processes as there are descriptors for.
func holdAll(pids []int) (*held, error) {
	var h held
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == unix.ESRCH || err == unix.EINVAL || err == unix.ENOENT:
			// It has ended; or a thread whose leader has.
		case err == unix.EMFILE && len(h.fds) > spareFiles:
			h.taken = slices.Index(pids, h.release(spareFiles))
			return &h, nil
		case err != nil:
			h.close()
			return nil, wrap("pidfd_open", fmt.Sprint(pid), err)
		default:
			h.pids, h.fds = append(h.pids, pid), append(h.fds, fd)
		}
		h.taken++
	}
	return &h, nil
}

// release gives up the last n, and tells the first of these.
func (h *held) release(n int) (first int) {
	kept := len(h.fds) - n
	for _, fd := range h.fds[kept:] {
		_ = unix.Close(fd)
	}
	first = h.pids[kept]
	h.pids, h.fds = h.pids[:kept], h.fds[:kept]
	return first
}

func (h *held) close() {
	for _, fd := range h.fds {
		_ = unix.Close(fd)
	}
}

func (h *held) signal(sig unix.Signal, members func() ([]int, error)) error {
	now, err := members()
	if err != nil {
		return err
	}
	slices.Sort(now)
	for i, pid := range h.pids {
		if _, is := slices.BinarySearch(now, pid); !is {
			continue
		}
		err := unix.PidfdSendSignal(h.fds[i], sig, nil, 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return wrap("pidfd_send_signal", fmt.Sprint(pid), err)
		}
	}
	return nil
}
