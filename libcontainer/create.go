// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Create makes a container, and unless io.Hold is set starts its program. raw is
// config.json as it was read: it is kept for exec. On error nothing is left;
// [ErrExist], [ErrInvalidID].
func (h *Host) Create(l *plan.Launch, raw []byte, io IO) (_ *Container, _ *Process, err error) {
	if err := CheckID(l.ID); err != nil {
		return nil, nil, err
	}
	if err := lsm.Check(l); err != nil {
		return nil, nil, err
	}
	network := networkAhead(l)
	defer network.Close()
	agent, err := seccomp.Dial(l.Seccomp, l.SeccompAgent)
	if err != nil {
		return nil, nil, err
	}
	defer agent.Close()
	m := h.newMaking(l, raw, io)
	phase := fault.Prepare
	defer func() { err = fault.In(phase, err) }()
	defer m.end(&err)

	if err := trace.Timed("find the cgroup", "", m.findCgroup); err != nil {
		return nil, nil, err
	}
	if err := delegable(l, m.group); err != nil {
		return nil, nil, err
	}
	err = trace.Timed("make the state directory and the cgroups", "", func() error { return m.claim(false) })
	if err != nil {
		return nil, nil, err
	}
	if err := m.addNotify(); err != nil {
		return nil, nil, err
	}
	r, err := m.request()
	if err != nil {
		return nil, nil, err
	}
	r.Network = network
	h.warnWithheld(r)
	if io.Subreaper {
		if err := sys.Subreaper(); err != nil {
			return nil, nil, err
		}
	}
	phase = fault.Launch
	if err := m.launch(r, agent); err != nil {
		return nil, nil, err
	}
	if !io.Hold {
		if err := m.sightLate(); err != nil {
			return nil, nil, err
		}
		if err := m.poststart(l.Hooks.Poststart); err != nil {
			return nil, nil, err
		}
	}
	c, p := m.made()
	return c, p, nil
}

// launch starts the container's first process.
func (m *making) launch(r *launch.Request, agent *seccomp.Agent) error {
	if r.Listener != nil {
		defer r.Listener.Close() // the child's from then on
	}
	s := launch.Begin(r)
	defer s.Close()
	for s.Next() {
		run, err := s.Process(), error(nil)
		switch s.Stage() {
		case launch.Enter:
			err = m.enter(run.Pid)
		case launch.AtWork:
			if err = m.unit.settle(); err == nil {
				err = m.prepare(run)
			}
		case launch.Console:
			err = m.process.takeConsole(s.File(), m.io)
		case launch.Mounted:
			err = m.mounted(m.plan, run)
		case launch.Ready:
			if err = delegate(m.plan, m.group, run.Pid); err == nil {
				err = m.ready(run)
			}
		case launch.Listener:
			err = agent.Hand(s.File(), run.Pid, hooks.State(m.plan, specs.StateCreating, run.Pid))
		}
		s.Answer(err)
	}
	run, err := s.Result()
	if err != nil {
		return initOOM(m.group, err)
	}
	m.process.Pid, m.process.Pidfd, m.process.group = run.Pid, run.Pidfd, m.group
	m.undo.Push(m.process.end)
	return nil
}

// request is what the container's first process is launched with.
func (m *making) request() (_ *launch.Request, err error) {
	r := m.host.request(m.plan, m.io)
	r.Cgroup, r.CgroupView, r.Limit = m.group, cgroupView(m.plan, m.group), true
	r.Waits = launch.Waits{Entered: m.enter != nil, Mounted: waitsMounted(m.plan), Ready: waitsReady(m.plan, m.io)}
	if m.io.Hold {
		r.Listener, err = m.entry.Listen()
	}
	return r, err
}

// request is what create and exec have in common.
func (h *Host) request(l *plan.Launch, io IO) *launch.Request {
	if io.ListenFDs > 0 {
		l = withListenFDs(l, io)
	}
	return &launch.Request{
		Launch:       l,
		Stdio:        [3]*os.File{io.Stdin, io.Stdout, io.Stderr},
		Preserve:     io.Preserve,
		Hold:         io.Hold,
		Keyring:      !io.NoNewKeyring,
		SeccompCache: h.seccompCache(),
		Scratch:      h.Root,
		Warn:         h.warn,
	}
}

// seccompCache is where compiled filters are kept: in one place for all roots of
// the user, or, where that cannot be, below this one.
func (h *Host) seccompCache() []string {
	const name = store.Private + "seccomp"
	own := filepath.Join(h.Root, name)
	if h.Shared == "" || h.Shared == h.Root {
		return []string{own}
	}
	return []string{filepath.Join(h.Shared, name), own}
}

// withListenFDs returns l with the environment that tells the process of the sockets
// that are passed on (sd_listen_fds(3)). The child adds LISTEN_PID: it alone knows its
// number in the pid namespace.
func withListenFDs(l *plan.Launch, io IO) *plan.Launch {
	with := *l
	with.Process = l.Process.WithoutEnv("LISTEN_PID").WithEnv("LISTEN_FDS", strconv.Itoa(io.ListenFDs))
	with.Process.ListenPID = true
	if io.ListenNames != "" {
		with.Process = with.Process.WithEnv("LISTEN_FDNAMES", io.ListenNames)
	}
	return &with
}

// waitsMounted reports whether the runtime has something to do when the namespaces
// and the mounts are made.
func waitsMounted(l *plan.Launch) bool {
	return len(l.Hooks.Prestart)+len(l.Hooks.CreateRuntime)+len(l.NetDevices) > 0
}

// waitsReady reports whether a pidfd is sent to others, who cannot be told later that the
// process was not started after all.
func waitsReady(l *plan.Launch, io IO) bool {
	_, ok := l.Annotations[plan.PidfdReceiver]
	return ok && !l.Joined || io.PidfdSocket != ""
}

// warnWithheld warns of capabilities that the runtime itself does not have.
func (h *Host) warnWithheld(r *launch.Request) {
	mask := launch.Withheld(r)
	if mask == 0 {
		return
	}
	var names []string
	for i := range 64 {
		if mask>>i&1 != 0 {
			names = append(names, plan.CapabilityName(i))
		}
	}
	h.warn("process.capabilities: cannot grant %s: skiff does not have it itself", strings.Join(names, ", "))
}

// Plan gives the program that Create would run, and makes nothing.
func (h *Host) Plan(l *plan.Launch, io IO) (*program.Program, error) {
	group, unit, err := h.newGroup(l)
	if err != nil {
		return nil, err
	}
	defer unit.Close()
	if manager := h.dialNotify(io.NotifySocket); manager != nil {
		manager.Close()
		l = notify.With(l, h.container(l.ID).notifyDir())
	}
	r := h.request(l, io)
	r.Cgroup, r.CgroupView = group, cgroupView(l, group)
	r.Waits = launch.Waits{Entered: unit.entered(), Mounted: waitsMounted(l), Ready: waitsReady(l, io)}
	return launch.Plan(r)
}
