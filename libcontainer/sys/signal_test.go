// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// SignalMembers reaches all members with few descriptors, and spares other processes.
func TestSignalMembers(t *testing.T) {
	var cmds []*exec.Cmd
	var pids []int
	for range 40 {
		c := exec.Command("sleep", "60")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		cmds, pids = append(cmds, c), append(pids, c.Process.Pid)
	}
	few(t, 20)
	if err := SignalMembers(pids, unix.SIGTERM, func() ([]int, error) { return pids[1:], nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range cmds[1:] {
		_ = c.Wait()
		if ws := c.ProcessState.Sys().(interface{ Signal() unix.Signal }); ws.Signal() != unix.SIGTERM {
			t.Errorf("%v", c.ProcessState)
		}
	}
	if err := unix.Kill(pids[0], 0); err != nil {
		t.Errorf("no member: %v", err)
	}
}
