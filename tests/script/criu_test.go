// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// skipCRIU skips a script that needs CRIU if CRIU does not work here. The reason is the
// output of criu check, which tries what CRIU needs of the kernel.
func skipCRIU(e *testscript.Env) error {
	if !strings.HasPrefix(filepath.Base(e.WorkDir), "script-criu-") {
		return nil
	}
	if why := criuMissing(); why != "" {
		e.T().Skip(why)
	}
	return nil
}

var criuMissing = sync.OnceValue(func() string {
	out, err := exec.Command("criu", "check").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("criu check: %v: %s", err, bytes.TrimSpace(out))
	}
	return ""
})

// criuHas reports whether CRIU has a feature. The feature is one that criu check knows;
// "selinux", for support of labels; or "inet", for dumping internet sockets. CRIU before
// 4.2 cannot dump them if the kernel supports SO_PASSCRED only for unix sockets (Linux
// 6.16).
func criuHas(feature string) bool {
	if feature == "inet" {
		return criuDumpsInet() == nil
	}
	if feature == "selinux" {
		return criuHasSELinux()
	}
	return exec.Command("criu", "check", "--feature", feature).Run() == nil
}

// criuHasSELinux reports whether CRIU was built with support for SELinux labels, so is
// linked to libselinux.
func criuHasSELinux() bool {
	path, err := exec.LookPath("criu")
	if err != nil {
		return false
	}
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	return err == nil && slices.ContainsFunc(libraries, func(name string) bool { return strings.HasPrefix(name, "libselinux.") })
}

var criuDumpsInet = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "criu-inet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var config net.ListenConfig
	config.SetMultipathTCP(false) // CRIU does not support it
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer socket.Close()
	holder := exec.Command("sleep", "60")
	holder.ExtraFiles = []*os.File{socket}
	holder.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Descriptors that the tests inherited may be on mounts that CRIU does not see.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	if err := holder.Start(); err != nil {
		return err
	}
	defer func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	}()
	return exec.Command("criu", "dump", "-t", strconv.Itoa(holder.Process.Pid), "-D", dir, "--leave-running").Run()
})
