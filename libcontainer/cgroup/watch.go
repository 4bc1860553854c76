// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Watch has descriptors to poll for events of a group: OOM kills, and with cgroup v2
// the end of a freeze or a thaw. cgroup v1 does not notify of the latter.
type Watch struct {
	group  *Group
	events int // cgroup.events of cgroup v2, or -1
	memory int // memory.events of cgroup v2, or -1
	legacy int // eventfd of memory.oom_control, or -1
	kills  uint64
}

// Watch starts to watch the group. The caller closes the Watch.
func (g *Group) Watch() (*Watch, error) {
	w := &Watch{group: g, events: -1, memory: -1, legacy: -1}
	err := w.open()
	if err == nil {
		w.kills, err = g.OOMKills()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Watch) open() (err error) {
	if m := w.group.unified(); m != nil {
		if w.events, err = m.open("cgroup.events"); err != nil {
			return err
		}
	}
	if m := w.group.legacy("memory"); m != nil {
		return w.openLegacy(m)
	}
	if m := w.group.unified(); m != nil {
		if w.memory, err = m.open("memory.events"); errors.Is(err, unix.ENOENT) {
			return nil // no memory controller
		}
	}
	return err
}

func (m *member) open(name string) (int, error) {
	d, err := openDir(m.path)
	if err != nil {
		return -1, err
	}
	defer d.close()
	return d.open(name, unix.O_RDONLY)
}

// openLegacy has the kernel notify an eventfd whenever the cgroup runs out of memory
// (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control").
func (w *Watch) openLegacy(m *member) error {
	control, err := m.open("memory.oom_control")
	if err != nil {
		return err
	}
	defer unix.Close(control)
	if w.legacy, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	return m.write("cgroup.event_control", strconv.Itoa(w.legacy)+" "+strconv.Itoa(control))
}

// PollFds returns the descriptors for poll(2), which ignores those that are -1.
func (w *Watch) PollFds() []unix.PollFd {
	return []unix.PollFd{
		{Fd: int32(w.events), Events: unix.POLLPRI},
		{Fd: int32(w.memory), Events: unix.POLLPRI},
		{Fd: int32(w.legacy), Events: unix.POLLIN},
	}
}

// OOMs returns how often memory has run out since the last call; with cgroup v2 it is
// the number of OOM kills. It also reads the files again, without which poll(2) would
// return at once.
func (w *Watch) OOMs() (uint64, error) {
	rearm(&w.events)
	before := w.kills
	if now, ok := rearm(&w.memory); ok {
		kills, err := strconv.ParseUint(keyed(now, "oom_kill"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("memory.events: %w", err)
		}
		w.kills = kills
		return kills - before, nil
	}
	return w.legacyOOMs()
}

// legacyOOMs reads the eventfd. The kernel notifies it when the cgroup is removed too,
// which does not count.
func (w *Watch) legacyOOMs() (uint64, error) {
	if w.legacy < 0 {
		return 0, nil
	}
	var b [8]byte
	if _, err := unix.Read(w.legacy, b[:]); err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("eventfd: %w", err)
	}
	if _, err := w.group.legacy("memory").peek("memory.oom_control"); err != nil {
		if gone(err) {
			err = nil
		}
		return 0, err
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

// rearm reads a file of cgroup v2 from the start, so that poll(2) waits for the next
// event. If the cgroup is gone it closes the file, which would otherwise always be
// ready.
func rearm(fd *int) (string, bool) {
	if *fd < 0 {
		return "", false
	}
	b := make([]byte, 512)
	n, err := unix.Pread(*fd, b, 0)
	if err != nil {
		closeFD(fd)
		return "", false
	}
	return strings.TrimSpace(string(b[:n])), true
}

func closeFD(fd *int) {
	if *fd >= 0 {
		_ = unix.Close(*fd)
	}
	*fd = -1
}

// Close ends the watch.
func (w *Watch) Close() {
	closeFD(&w.events)
	closeFD(&w.memory)
	closeFD(&w.legacy)
}
