// Package hooks runs the hooks of config.json: those of the runtime's
// namespaces by itself, those of the container's as operations of the child.
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
	"syscall"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// State is the document that hooks read on stdin (runtime.md, "State").
func State(l *plan.Launch, status specs.ContainerState, pid int) specs.State {
	return specs.State{
		Version: l.OCIVersion, ID: l.ID, Status: status, Pid: pid, Bundle: l.Bundle, Annotations: l.Annotations,
	}
}

// Run runs hooks one after the other in the runtime's namespaces, up to the
// first that fails. point is their name in config.json: "poststart". They fail
// when the process of the pidfd first ends; nil: of none.
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

// RunAll runs hooks whether one fails or not, and returns all errors.
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

// limit is a timeout in seconds: as long as there can be, if it is longer.
func limit(seconds int) time.Duration {
	return time.Duration(min(int64(seconds), math.MaxInt64/int64(time.Second))) * time.Second
}

// directory is where hooks run: the bundle, which may be gone when a container
// is deleted.
func directory(bundle string) string {
	if unix.Faccessat(unix.AT_FDCWD, bundle, unix.X_OK, unix.AT_EACCESS) != nil {
		return "/"
	}
	return bundle
}

// runner runs the hooks of one point.
type runner struct {
	output
	doc   []byte // the state
	dir   string
	first *os.File // pidfd of the container's first process, or nil
}

// newRunner prepares all that hooks have in common. With an error they can still
// be run, and print to their error alone.
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
	cmd.Env = h.Env // without one, nil: the runtime's own. An empty list is none
	cmd.Dir = r.dir
	cmd.Stdin = bytes.NewReader(r.doc)
	cmd.Stdout, cmd.Stderr = &out, &out
	if f := r.output[0]; f != nil {
		cmd.Stdout = f
	}
	if f := r.output[1]; f != nil {
		cmd.Stderr = f
	}
	// A group, so that all of it can be ended. The kernel ends the hook itself
	// with the thread that has started it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL, PidFD: &pidfd}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What a hook has left in the background may hold its output open, which is
	// not waited for.
	cmd.WaitDelay = 100 * time.Millisecond
	err := sys.Afresh(cmd.Start)
	if err == nil {
		err = wait(cmd, pidfd, r.first, h.Timeout)
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return &Failed{Field: field, Path: h.Path, Why: err.Error(), Output: out.String()}
}

// wait waits for the end of a hook, and ends it where that comes too late.
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

// await returns when the hook has ended, or an error if something comes before
// that.
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
				return fmt.Errorf("no end after its timeout of %d s", *timeout)
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
			return errors.New("the container's first process has ended meanwhile")
		}
	}
}

// Failed is a hook that has failed.
type Failed = program.HookFailed

// argv is what the hook is started with; without args, its path.
func argv(h *specs.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}

// pidMark stands for the pid in a state document that is written before there
// is one: the child puts the number in its place.
const pidMark = "##########"

// Output are the slots of the files that hooks inside print to, as
// [OutputAnnotations]; [program.NoSlot] where there is none.
type Output [len(OutputAnnotations)]program.Slot

// Add adds the hooks that run in the container's namespaces, in the child's
// working directory, with the runtime's privileges. Their environment is their
// own alone: the runtime's may have secrets, which the container's first process
// is not to hold.
func Add(p *program.Program, list []specs.Hook, point string, s specs.State, o Output) error {
	return add(p, list, point, s, program.Hook{Stdout: o[0], Stderr: o[1]}, nil)
}

// AddConfined adds those that are programs of the container's, and may do what
// its program may do: the operations that come after these confine them, too.
// env is the program's environment, which is theirs unless they have one. With
// untraced they do not get CAP_SYS_PTRACE, by which they could have the child do
// what they may not.
func AddConfined(p *program.Program, list []specs.Hook, point string, s specs.State, o Output, env []string, untraced bool) error {
	return add(p, list, point, s, program.Hook{Stdout: o[0], Stderr: o[1], Confined: true, Untraced: untraced}, env)
}

// add adds hooks as operations like the one that is given.
func add(p *program.Program, list []specs.Hook, point string, s specs.State, like program.Hook, env []string) error {
	if len(list) == 0 {
		return nil
	}
	s.Pid = 0
	doc, err := json.Marshal(s)
	if err != nil {
		return err
	}
	// "pid" has omitempty, so it goes in by hand, as the first member.
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
