// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// signalBatch is how many pidfds [SignalMembers] holds at once. If descriptors run out
// before, it leaves spareFiles of them free.
const (
	signalBatch = 256
	spareFiles  = 8
)

// SignalMembers sends sig to those of the processes that are still members after their
// pidfds have been opened: a pid alone might belong to a stranger by then. It calls
// members once per batch, since that may take long.
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

// held is a batch of processes with open pidfds.
type held struct {
	pids, fds []int
	taken     int // how many pids were handled; some of these processes may have ended
}

// holdAll opens pidfds of as many of the processes as descriptors allow.
func holdAll(pids []int) (*held, error) {
	var h held
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == unix.ESRCH || err == unix.EINVAL || err == unix.ENOENT:
			// It has ended, or is a thread whose leader has ended.
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

// release closes the last n pidfds, and returns the pid of the first of these.
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
