// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/cgroup/stats"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/rdt"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Stats is the resource usage of a container, with runc's keys.
type Stats struct {
	*stats.Stats
	IntelRdt          rdt.Stats          `json:"intel_rdt"`
	NetworkInterfaces []NetworkInterface `json:"network_interfaces"` // those in the container's network namespace, if it has one of its own
}

// NetworkInterface has the traffic counters of a network device.
type NetworkInterface struct {
	Name      string
	RxBytes   uint64
	RxPackets uint64
	RxErrors  uint64
	RxDropped uint64
	TxBytes   uint64
	TxPackets uint64
	TxErrors  uint64
	TxDropped uint64
}

// Stats reads the resource usage of a container. If the container has stopped, the
// cgroup's part is still available as long as the cgroup exists; it shows, for example,
// how often the kernel OOM-killed a process.
func (c *Container) Stats() (*Stats, error) {
	status, err := c.Status()
	if err != nil {
		return nil, err
	}
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	s := new(Stats)
	if status == Creating || status == Stopped && g.Empty() {
		return nil, c.notRunning()
	}
	if s.Stats, err = stats.Read(g); err != nil {
		if status == Stopped && errors.Is(err, fs.ErrNotExist) {
			err = c.notRunning()
		}
		return nil, err
	}
	if status == Stopped {
		return s, nil
	}
	if s.IntelRdt, err = rdt.ReadStats(c.record.RDT.Class, c.record.RDT.Monitor); err != nil {
		return nil, err
	}
	s.NetworkInterfaces, err = c.interfaces()
	return s, err
}

// mustRun returns an error, in runc's words, if the container has no first process.
func (c *Container) mustRun() error {
	status, err := c.Status()
	if err == nil && (status == Stopped || status == Creating) {
		err = c.notRunning()
	}
	return err
}

func (c *Container) notRunning() error {
	return fault.With(fault.NotRunning, fmt.Errorf("container with id %s is not running", c.ID()))
}

// interfaces reads the counters of the devices in the container's own network
// namespace. The list is empty if it has none.
func (c *Container) interfaces() ([]NetworkInterface, error) {
	if c.record.Namespaces&unix.CLONE_NEWNET == 0 {
		return nil, nil
	}
	b, err := sys.ReadFile(sys.ProcPath(c.record.Pid, "net/dev"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESRCH) {
		return nil, nil // it has just ended
	}
	if err != nil {
		return nil, err
	}
	return parseNetDev(string(b))
}

// parseNetDev parses /proc/PID/net/dev (proc_pid_net(5)): two lines of headings, then
// one line per device, with eight counters of received and eight of sent traffic.
func parseNetDev(text string) ([]NetworkInterface, error) {
	var all []NetworkInterface
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		var v [16]uint64
		fields := strings.Fields(rest)
		for i := range v {
			if i == len(fields) {
				return nil, fmt.Errorf("/proc/PID/net/dev: %q has %d counters, expected 16", line, i)
			}
			n, err := strconv.ParseUint(fields[i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/PID/net/dev: %w", err)
			}
			v[i] = n
		}
		all = append(all, NetworkInterface{strings.TrimSpace(name), v[0], v[1], v[2], v[3], v[8], v[9], v[10], v[11]})
	}
	return all, nil
}
