// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// Exec starts another process in the container.
func (c *Container) Exec(l *plan.Launch, io IO, o ExecOptions) (_ *Process, err error) {
	if err := c.takesExec(o); err != nil {
		return nil, err
	}
	if err := lsm.Check(l); err != nil {
		return nil, err
	}
	agent, err := seccomp.Dial(l.Seccomp, l.SeccompAgent)
	if err != nil {
		return nil, err
	}
	defer agent.Close()
	group, err := c.group()
	if err != nil {
		return nil, err
	}
	if len(l.Cgroup.Sub) > 0 {
		if group, err = group.Sub(l.Cgroup.Sub); err != nil {
			return nil, err
		}
	}
	init, err := sys.Pidfd(c.record.Pid)
	if err != nil {
		return nil, err
	}
	defer init.Close()
	if alive, err := c.init(); err != nil || !alive {
		return nil, errors.Join(err, ErrNotRunning)
	}
	var u undo.Stack
	defer u.Unwind(&err)
	p := &Process{group: group}
	io.NoNewKeyring = c.record.NoKeyring
	r := c.host.request(l, io)
	enter := c.attach(group, l.Cgroup.Sub)
	r.Cgroup, r.Waits = group, launch.Waits{Entered: enter != nil, Ready: waitsReady(l, io)}
	r.Init, r.InitPid, r.InitNamespaces = init, c.record.Pid, c.record.Namespaces
	if c.record.Under != 0 {
		if r.Root, err = sys.OpenPath(sys.ProcPath(c.record.Pid, "root"), unix.O_DIRECTORY); err != nil {
			return nil, err
		}
		defer r.Root.Close()
	}
	c.host.warnWithheld(r)
	markOOM(group, l)

	s := launch.Begin(r)
	defer s.Close()
	for s.Next() {
		run, err := s.Process(), error(nil)
		switch s.Stage() {
		case launch.Enter:
			err = enter(run.Pid)
		case launch.AtWork:
			err = c.joinClass(run.Pid)
		case launch.Console:
			err = p.takeConsole(s.File(), io)
		case launch.Ready:
			err = c.announce(run, io, &u)
		case launch.Listener:
			err = agent.Hand(s.File(), run.Pid, c.hookState(specs.StateRunning))
		}
		s.Answer(err)
	}
	run, err := s.Result()
	if err != nil {
		return nil, fault.In(fault.Launch, execOOM(group, err))
	}
	p.Pid, p.Pidfd, p.begun = run.Pid, run.Pidfd, trace.Begin()
	u.Release()
	return p, nil
}

func (c *Container) takesExec(o ExecOptions) error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Paused && !o.IgnorePaused:
		return fault.Hint(fault.New(fault.Paused, "cannot exec in a paused container"), "use --ignore-paused to override")
	case status == Stopped || status == Creating:
		return fault.With(fault.NotRunning, fmt.Errorf("cannot exec in a %s container", status))
	case o.IgnorePaused:
		return nil
	}
	return c.thawedAbove("exec in")
}

// thawedAbove refuses to do what would wait until the cgroup above the
// container's is thawed.
func (c *Container) thawedAbove(action string) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	above, err := g.FrozenAbove()
	if err != nil {
		return err
	}
	if above != "" {
		err = fmt.Errorf("cannot %s a container below the frozen cgroup %s", action, above)
		return fault.With(fault.CgroupFrozen, fault.Hint(err, "write 0 to its cgroup.freeze"))
	}
	return nil
}
