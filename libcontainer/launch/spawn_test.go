// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// TestInterrupted has a step fail for a child that is at work, for one that has
// exited, and for one that was killed: only the last explains the failure.
func TestInterrupted(t *testing.T) {
	failure := fmt.Errorf("linux.cgroupsPath: %w", fs.ErrNotExist)
	for _, c := range []struct {
		name, script, want string
	}{
		{"at work", "exec sleep 1000", ""},
		{"exited", "exit 3", ""},
		{"killed", "kill -KILL $$", "it was killed; this may be why the following failed: linux.cgroupsPath"},
		{"another signal", "kill -SEGV $$", "it was killed by SIGSEGV; this may be why the following failed: linux.cgroupsPath"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pidfd := -1
			cmd := exec.Command("sh", "-c", c.script)
			cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			s := &spawned{pid: cmd.Process.Pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd")}
			defer s.kill()
			if c.name != "at work" {
				if _, err := sys.WaitPeek(s.pid); err != nil {
					t.Fatal(err)
				}
			}
			err := s.interrupted(failure)
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if c.want == "" && err != failure {
				t.Errorf("%v was said of %v", err, failure)
			}
			if err := s.interrupted(wire.ErrClosed); err != wire.ErrClosed {
				t.Errorf("%v was said of a conversation that ended", err)
			}
		})
	}
}
