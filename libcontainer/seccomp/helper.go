// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

//go:generate sh build.sh

// errNoHelper is the error of a build without the tag cparts.
var errNoHelper = fault.New(fault.IncompleteBuild, "linux.seccomp: this skiff was built without its filter compiler")

// LibraryVersion returns the version of the libseccomp that compiles filters, such as
// "2.5.4", or "none".
func LibraryVersion() string {
	version, _, _ := strings.Cut(helperFacts, "\n")
	return version
}

func helperSum() string {
	_, sum, _ := strings.Cut(helperFacts, "\n")
	return strings.TrimSpace(sum)
}

// compile runs the helper to make the program of p. Its input and output are memory
// files, so that neither side can block the other; the output is read after the helper
// has ended.
func compile(scratch string, p *specs.LinuxSeccomp) (f bpf.Filter, err error) {
	if len(helper) == 0 {
		return f, fault.Hint(errNoHelper, "build it with make")
	}
	profile, err := json.Marshal(p)
	if err != nil {
		return f, fmt.Errorf("linux.seccomp: %w", err)
	}
	in, err := sys.SealedMemfd("seccomp-profile", profile, false, 0)
	if err != nil {
		return f, err
	}
	defer unix.Close(in)
	if _, err := unix.Seek(in, 0, io.SeekStart); err != nil {
		return f, fmt.Errorf("seccomp: pass the profile to the filter compiler: %w", err)
	}
	out, err := sys.Memfd("seccomp-program")
	if err != nil {
		return f, err
	}
	defer unix.Close(out)
	status, err := runHelper(scratch, in, out)
	if err != nil {
		return f, fmt.Errorf("seccomp: run the filter compiler: %w", err)
	}
	return answer(status, out)
}

// runHelper runs the helper, and returns its exit status, or 128 and the number of the
// signal that killed it.
func runHelper(scratch string, in, out int) (int, error) {
	if err := sys.OwnFiles(); err != nil {
		return -1, err
	}
	// syscall.StartProcess moves descriptors to numbers above those of the new process,
	// before it executes the path with the number of exe: exe must be out of its reach.
	exe, err := sys.Executable("skiff-seccomp", helper, scratch, max(in, out)+16)
	if err != nil {
		return -1, err
	}
	defer unix.Close(exe)
	pid, _, err := syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", exe), []string{"skiff-seccomp"}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{uintptr(in), uintptr(out), uintptr(out)},
		// The signals of the terminal (^C) are for the container.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if errors.Is(err, unix.ENOENT) {
		return -1, fault.Hint(err, "is /proc mounted?")
	}
	if err != nil {
		return -1, err
	}
	return sys.Wait(pid)
}

// answer reads the helper's output: the filter, or if it failed, the reason.
func answer(status, out int) (f bpf.Filter, err error) {
	text := make([]byte, bpf.MaxEncoded+1)
	n, err := unix.Pread(out, text, 0)
	if err != nil {
		return f, fmt.Errorf("seccomp: read the compiled filter: %w", err)
	}
	if status != 0 {
		return f, failure(status, string(text[:n]))
	}
	f, ok := bpf.Decode(text[:n])
	if !ok {
		return f, fmt.Errorf("seccomp: the filter compiler returned an incomplete program of %d bytes", n)
	}
	return f, nil
}

// failure returns the helper's message unchanged, because it names the field of the
// profile. A helper that crashed writes several lines, of which the first has the
// reason.
func failure(status int, said string) error {
	line, _, _ := strings.Cut(said, "\n")
	switch {
	case status > 128:
		return fmt.Errorf("seccomp: the filter compiler was killed by signal %d (%s)", status-128, unix.SignalName(unix.Signal(status-128)))
	case status != 1 || line == "":
		return fmt.Errorf("seccomp: the filter compiler failed with status %d: %s", status, line)
	}
	if strings.HasPrefix(line, "linux.seccomp") {
		return fault.New(fault.InvalidConfig, line)
	}
	return errors.New(line)
}
