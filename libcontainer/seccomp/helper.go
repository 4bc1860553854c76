// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/compiler"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
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

// helperSum returns the SHA-256 of all that makes programs: the helper and the Go code of
// the compiler.
func helperSum() string {
	_, sum, _ := strings.Cut(helperFacts, "\n")
	return strings.TrimSpace(sum)
}

// compile makes the program of p. An error that names a field of the profile is about the
// configuration.
func compile(scratch string, p *specs.LinuxSeccomp) (bpf.Filter, error) {
	f, err := compiler.Compile(p, func(q *library.Question) (*library.Answer, error) {
		text, err := ask(scratch, q.Encode())
		if err != nil {
			return nil, err
		}
		a, err := q.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("seccomp: ask the filter compiler: %w", err)
		}
		return a, nil
	})
	if err != nil && !errors.Is(err, errNoHelper) && strings.HasPrefix(err.Error(), "linux.seccomp") {
		err = fault.New(fault.InvalidConfig, err.Error())
	}
	return f, err
}

// ask runs the helper to answer a question. Its input and output are memory files, so that
// neither side can block the other; the output is read after the helper has ended.
func ask(scratch string, question []byte) ([]byte, error) {
	if len(helper) == 0 {
		return nil, fault.Hint(errNoHelper, "build it with make")
	}
	in, err := sys.SealedMemfd("seccomp-profile", question, false, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(in)
	out, err := sys.Memfd("seccomp-program")
	if err != nil {
		return nil, err
	}
	defer unix.Close(out)
	status, err := runHelper(scratch, in, out)
	if err != nil {
		return nil, fmt.Errorf("seccomp: run the filter compiler: %w", err)
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

// maxAnswer is the maximum size of the helper's output in bytes: profiles name hundreds of
// calls, and programs are limited (bpf.MaxSize).
const maxAnswer = 16 << 20

// answer reads the helper's output.
func answer(status, out int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(out, &st); err != nil {
		return nil, fmt.Errorf("seccomp: read the compiled filter: %w", err)
	}
	text := make([]byte, min(st.Size, maxAnswer))
	n, err := unix.Pread(out, text, 0)
	if err != nil {
		return nil, fmt.Errorf("seccomp: read the compiled filter: %w", err)
	}
	if status != 0 {
		return nil, failure(status, string(text[:n]))
	}
	return text[:n], nil
}

// failure returns an error of the first line of what the helper said.
func failure(status int, said string) error {
	if status > 128 {
		return fmt.Errorf("seccomp: the filter compiler was killed by signal %d (%s)", status-128, unix.SignalName(unix.Signal(status-128)))
	}
	line, _, _ := strings.Cut(strings.TrimLeft(said, "\x00"), "\n")
	return fmt.Errorf("seccomp: the filter compiler failed with status %d: %.200q", status, line)
}
