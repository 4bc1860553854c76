// SPDX-License-Identifier: Apache-2.0

// Package hooks runs the hooks of config.json. It runs those for the runtime's
// namespaces itself, and makes operations of the child for those in the container's.
package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// State returns the document that hooks read on stdin (runtime.md, "State").
func State(l *plan.Launch, status specs.ContainerState, pid int) specs.State {
	return specs.State{
		Version: l.OCIVersion, ID: l.ID, Status: status, Pid: pid, Bundle: l.Bundle, Annotations: l.Annotations,
	}
}

// Run runs hooks one after the other in the runtime's namespaces, up to the first
// that fails. point is their name in config.json, such as "poststart". A hook also
// fails if the process of the pidfd first, which may be nil, ends before the hook.
func Run(list []specs.Hook, point string, s specs.State, first *os.File) error {
	if len(list) == 0 {
		return nil
	}
	r, err := newRunner(s, first)
	if err != nil {
		return err
	}
	defer r.close()
	for i := range list {
		if err := r.run(&list[i], field(point, i)); err != nil {
			return err
		}
	}
	return nil
}

// RunAll runs all hooks, even if one fails, and returns all errors.
func RunAll(list []specs.Hook, point string, s specs.State) (errs []error) {
	r, err := newRunner(s, nil)
	if err != nil {
		errs = append(errs, err)
	}
	defer r.close()
	for i := range list {
		if err := r.run(&list[i], field(point, i)); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func field(point string, i int) string { return plan.At("hooks."+point, i) }

// limit converts a timeout in seconds; one that is too long becomes the longest possible.
func limit(seconds int) time.Duration {
	return time.Duration(min(int64(seconds), math.MaxInt64/int64(time.Second))) * time.Second
}

// directory returns the directory in which hooks run: the bundle, or "/" if it is
// gone, as it may be when a container is deleted.
func directory(bundle string) string {
	if unix.Faccessat(unix.AT_FDCWD, bundle, unix.X_OK, unix.AT_EACCESS) != nil {
		return "/"
	}
	return bundle
}

// runner runs the hooks of one point.
type runner struct {
	output
	doc   []byte // the state document
	dir   string
	first *os.File // pidfd of the container's first process, or nil
}

// newRunner prepares what the hooks have in common. Even if it returns an error, the
// runner can be used: the output of hooks is then only kept for their errors.
func newRunner(s specs.State, first *os.File) (r runner, err error) {
	r.dir, r.first = directory(s.Bundle), first
	if r.doc, err = json.Marshal(s); err == nil {
		r.output, err = openOutput(s.Annotations, s.Bundle)
	}
	return r, err
}

func (r *runner) run(h *specs.Hook, field string) error {
	var out bytes.Buffer
	pidfd := -1
	cmd := exec.Command(h.Path)
	cmd.Args = argv(h)
	cmd.Env = h.Env // nil if config.json has none: the runtime's own; an empty list: no environment
	cmd.Dir = r.dir
	cmd.Stdin = bytes.NewReader(r.doc)
	cmd.Stdout, cmd.Stderr = &out, &out
	if f := r.output[0]; f != nil {
		cmd.Stdout = f
	}
	if f := r.output[1]; f != nil {
		cmd.Stderr = f
	}
	// The hook gets a process group, so that it can be killed with all that it has
	// started. The kernel kills the hook itself when the thread that started it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL, PidFD: &pidfd}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Processes that a hook leaves in the background may keep its output open; they
	// are not waited for.
	cmd.WaitDelay = 100 * time.Millisecond
	m := trace.Begin()
	err := sys.Afresh(cmd.Start)
	if err == nil {
		err = wait(cmd, pidfd, r.first, h.Timeout)
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		if m.On() {
			m.Noted(nil, "run hook", field+" "+h.Path, Said(out.String()))
		}
		return nil
	}
	err = &Failed{Field: field, Path: h.Path, Why: err.Error(), Output: out.String()}
	m.Done(err, "run hook", field+" "+h.Path)
	return err
}

// Said returns the words for the result of a hook that has succeeded: the last lines of
// its output, as far as it has gone to no file.
func Said(output string) string {
	const most = 400
	output = strings.TrimSpace(output)
	if output == "" {
		return "exit status 0"
	}
	if n := len(output); n > most {
		output = "... " + output[n-most:]
	}
	return fmt.Sprintf("exit status 0; it printed %q", output)
}

// wait waits until a hook exits, and kills it if [await] returns an error.
func wait(cmd *exec.Cmd, pidfd int, first *os.File, timeout *int) error {
	defer unix.Close(pidfd)
	late := await(pidfd, first, timeout)
	if late != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	}
	if err := cmd.Wait(); late == nil {
		return err
	}
	return late
}

// await waits until the hook, a pidfd, has ended. It returns an error if the timeout
// or the end of first comes earlier.
func await(hook int, first *os.File, timeout *int) error {
	poll := []unix.PollFd{{Fd: int32(hook), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	if first != nil {
		poll[1].Fd = int32(first.Fd())
	}
	begun, left := time.Now(), -1
	for {
		if timeout != nil {
			rest := limit(*timeout) - time.Since(begun)
			if rest <= 0 {
				return fmt.Errorf("timed out after %d s", *timeout)
			}
			left = int(min(rest/time.Millisecond+1, math.MaxInt32))
		}
		_, err := unix.Poll(poll, left)
		switch {
		case err != nil && err != unix.EINTR:
			return os.NewSyscallError("poll", err)
		case poll[0].Revents != 0:
			return nil
		case poll[1].Revents != 0:
			return errors.New("the container's first process ended while the hook was running")
		}
	}
}

// Failed is the error of a hook that failed.
type Failed = program.HookFailed

// argv returns the arguments of a hook; if it has none, its path.
func argv(h *specs.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}

// pidMark stands for the pid in a state document that is written before the pid is
// known: the child replaces it by the number.
const pidMark = "##########"

// Output has the slots of the files that hooks run by the child print to, in the
// order of [OutputAnnotations]; [program.NoSlot] if there is none.
type Output [len(OutputAnnotations)]program.Slot

// Add adds hooks that run in the container's namespaces, in the child's working
// directory, with the runtime's privileges. They get only their own environment: the
// runtime's may have secrets, which must not be in the memory of the container's
// first process.
func Add(p *program.Program, list []specs.Hook, point string, s specs.State, o Output) error {
	return add(p, list, point, s, program.Hook{Stdout: o[0], Stderr: o[1]}, nil)
}

// AddConfined adds hooks that are programs of the container, and that may do what the
// container's program may do: the operations that come after them confine them, too.
// env is the program's environment, which a hook gets unless it has its own. With
// untraced they do not get CAP_SYS_PTRACE, by which they could make the child do what
// they themselves may not.
func AddConfined(p *program.Program, list []specs.Hook, point string, s specs.State, o Output, env []string, untraced bool) error {
	return add(p, list, point, s, program.Hook{Stdout: o[0], Stderr: o[1], Confined: true, Untraced: untraced}, env)
}

// add adds hooks as operations that are copies of like, with what differs filled in.
func add(p *program.Program, list []specs.Hook, point string, s specs.State, like program.Hook, env []string) error {
	if len(list) == 0 {
		return nil
	}
	s.Pid = 0
	doc, err := json.Marshal(s)
	if err != nil {
		return err
	}
	// "pid" has omitempty, so it is put in by hand, as the first member.
	doc = append([]byte(`{"pid":`+pidMark+`,`), doc[1:]...)
	for i := range list {
		h := &list[i]
		op := like
		op.Path, op.Args, op.Env, op.State = h.Path, argv(h), h.Env, doc
		if h.Env == nil && op.Confined {
			op.Env, op.Home = env, true
		}
		if h.Timeout != nil {
			op.Timeout = uint64(limit(*h.Timeout).Milliseconds())
		}
		p.Add(field(point, i), op)
	}
	return nil
}
