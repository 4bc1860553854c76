// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain runs the tests as root of a user namespace, if an ordinary user runs them
// and one can be made: there network namespaces can be made and devices moved. The
// workers of a fuzz test are already in the one of their parent.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 && !strings.Contains(strings.Join(os.Args, " "), "-test.fuzzworker") {
		if code, ok := inUserNamespace(); ok {
			os.Exit(code)
		}
	}
	os.Exit(m.Run())
}

func inUserNamespace() (code int, ok bool) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), true
	}
	return 0, err == nil
}
