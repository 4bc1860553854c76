package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rdt"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// endWait is how long the end of killed processes may take.
const endWait = 10 * time.Second

// Create makes a container, and unless io.Hold is set starts its program. raw
// is config.json as it was read: it is kept for exec. On error nothing is
// left; [ErrExist], [ErrInvalidID].
//
// The state comes first, then what it tells of.
func (h *Host) Create(l *plan.Launch, raw []byte, io IO) (_ *Container, _ *Process, err error) {
	if err := CheckID(l.ID); err != nil {
		return nil, nil, err
	}
	if err := lsm.Check(l); err != nil {
		return nil, nil, err
	}
	agent, err := seccomp.Dial(l.Seccomp, l.SeccompAgent)
	if err != nil {
		return nil, nil, err
	}
	defer agent.Close()
	var unit *unit // undoing takes it
	defer func() { unit.Close() }()
	c := h.container(l.ID)
	defer c.entry.Unlock() // after the undoing
	var u undo.Stack
	defer u.Unwind(&err)

	// A cgroup that is refused belongs to others: this comes before the record,
	// since whoever deletes a container kills all that is in its cgroups.
	var group *cgroup.Group
	if group, unit, err = c.newGroup(l); err == nil {
		err = delegable(l, group)
	}
	if err != nil {
		return nil, nil, err
	}
	var enter func(pid int) error
	err = h.timed("make the state directory and the cgroups", func() (err error) {
		enter, err = c.claim(l, group, unit, io, &u)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	p := new(Process)
	if p.notify, err = c.addNotify(l, io, &u); err != nil {
		return nil, nil, err
	}
	r := h.request(l, io)
	r.Cgroup, r.Limit, r.Enter = group, true, enter
	r.Waits.Entered = enter != nil
	r.CgroupView = cgroupView(l, group)
	r.Meanwhile = func(run *launch.Running) error {
		if err := unit.settle(); err != nil {
			return err
		}
		return c.prepare(run, raw)
	}
	if err := c.connect(r, l, io, p, &u); err != nil {
		return nil, nil, err
	}
	if agent != nil {
		r.Notify = func(listener *os.File, pid int) error {
			return agent.Hand(listener, pid, hooks.State(l, specs.StateCreating, pid))
		}
	}
	h.warnWithheld(r)
	if io.Subreaper {
		if err := sys.Subreaper(); err != nil {
			return nil, nil, err
		}
	}
	run, err := launch.Run(r)
	if r.Listener != nil {
		r.Listener.Close() // the child's now
	}
	if err != nil {
		return nil, nil, initOOM(group, err)
	}
	p.Pid, p.Pidfd, p.group = run.Pid, run.Pidfd, group
	u.Push(p.end)
	if !io.Hold {
		if err := c.sightLate(); err != nil {
			return nil, nil, err
		}
		if err := c.poststart(l.Hooks.Poststart); err != nil {
			return nil, nil, err
		}
	}
	u.Release()
	if c.net != nil {
		c.net.Close()
	}
	return c, p, nil
}

// claim writes down what the container is to have outside itself, and makes it.
// The result puts a process into its cgroup; nil: it is cloned into it.
func (c *Container) claim(l *plan.Launch, group *cgroup.Group, unit *unit, io IO, u *undo.Stack) (enter func(pid int) error, err error) {
	class, err := findClass(l)
	if err != nil {
		return nil, err
	}
	if err := c.intent(l, group, unit, class, io, u); err != nil {
		return nil, err
	}
	if enter, err = unit.create(group, false, u); err != nil {
		return nil, err
	}
	return enter, c.makeClass(class, u)
}

// newGroup is [Host.newGroup] for a container that is to be made. A cgroup that
// is refused is most likely that of the container that has the id; or that was
// so a moment ago, and it is deleted now.
func (c *Container) newGroup(l *plan.Launch) (g *cgroup.Group, u *unit, err error) {
	for range 10 {
		if g, u, err = c.host.newGroup(l); err == nil {
			return g, u, nil
		}
		if c.entry.Exists() {
			return nil, nil, fmt.Errorf("%w: %s", ErrExist, l.ID)
		}
		if !errors.Is(err, cgroup.ErrNotEmpty) && !errors.Is(err, cgroup.ErrFrozen) {
			break
		}
	}
	return nil, nil, err
}

// newGroup resolves the container's cgroup, and the systemd unit that is to have
// it, if any.
func (h *Host) newGroup(l *plan.Launch) (*cgroup.Group, *unit, error) {
	c := cgroup.Config{
		Path: l.Cgroup.Path, ID: l.ID, Resources: l.Cgroup.Resources, OwnerUID: cgroupOwner(l),
		Rootless: h.Rootless, Disabled: h.NoCgroup, Foreign: l.Cgroup.Systemd,
	}
	if !l.Cgroup.Systemd {
		g, err := cgroup.New(c)
		return g, nil, err
	}
	u, err := h.newUnit(l)
	if err != nil {
		return nil, nil, err
	}
	c.Path = path.Join(u.path, l.Cgroup.Subgroup)
	g, err := cgroup.New(c)
	if err != nil {
		u.Close()
		return nil, nil, err
	}
	return g, u, nil
}

// cgroupOwner is the host's id of the user whom the container's cgroup is to
// belong to, if it is to: the one who runs the program, where that sees it as
// the root of a cgroup namespace of its own, and may write to it
// (config-linux.md, "Cgroup ownership").
func cgroupOwner(l *plan.Launch) *int {
	own := func(n plan.Namespace) bool { return n.Flag == unix.CLONE_NEWCGROUP && n.Path == "" }
	if !l.Cgroup.Mounted || !slices.ContainsFunc(l.Namespaces, own) {
		return nil
	}
	uid := l.Process.UID
	if namespaceFlags(l)&unix.CLONE_NEWUSER != 0 {
		var ok bool
		if uid, ok = proc.HostID(l.UserMaps.UID, uid); !ok {
			return nil
		}
	}
	owner := int(uid)
	return &owner
}

// intent makes the state directory, locks it and writes down what is about to be
// made.
func (c *Container) intent(l *plan.Launch, group *cgroup.Group, unit *unit, class *rdt.Group, io IO, u *undo.Stack) error {
	c.record = &store.Record{
		OCIVersion: l.OCIVersion, ID: l.ID, Bundle: l.Bundle, Rootfs: l.Rootfs.Path, Created: time.Now().UTC(),
		Annotations: l.Annotations, Cgroups: group.Paths(), Namespaces: namespaceFlags(l),
		Hooks: len(l.Hooks.Poststart)+len(l.Hooks.Poststop) > 0, NoKeyring: io.NoNewKeyring,
	}
	if unit != nil {
		c.record.Unit = store.Unit{Name: unit.Name, User: c.host.Rootless}
	}
	if class != nil {
		c.record.RDT = store.RDT{Class: class.Class, Monitor: class.Monitor, Remove: class.Made}
	}
	if launch.SharesMounts(l) {
		var err error
		if c.record.Under, err = sys.MountID(l.Rootfs.Path); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if err := c.make(); err != nil {
		return err
	}
	u.Push(func() error { return c.forget(u, l.Hooks.Poststop) })
	u.Push(c.unmountRoot)
	return nil
}

// make makes the state directory with the record, and locks it.
func (c *Container) make() error {
	err := c.entry.Make(c.record)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %s", ErrExist, c.ID())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("--root: %w (name a directory that this user may write to, or set XDG_RUNTIME_DIR)", err)
	}
	return err
}

// forget removes the state directory, unless something that it tells of could
// not be undone: that is left to delete, and so are the poststop hooks. From the
// moment at which the directory was made they run after each failure (runtime.md,
// "Lifecycle", steps 3 to 5), even if no hook has run before: they do not know
// how far create has come, and delete runs them for one that was killed as well.
func (c *Container) forget(u *undo.Stack, poststop []specs.Hook) error {
	if u.Failed() {
		return fmt.Errorf("what is left of the container can be removed with delete --force %s", c.ID())
	}
	c.runPoststop(poststop)
	return c.entry.Remove()
}

// unmountRoot takes the tree of a container without a mount namespace off the
// host. What was on the rootfs's path before stays.
func (c *Container) unmountRoot() error {
	if c.record.Under == 0 {
		return nil
	}
	now, err := sys.MountID(c.record.Rootfs)
	if err != nil || now == c.record.Under {
		return nil // not there (any more)
	}
	return sys.Detach(c.record.Rootfs)
}

// namespaceFlags are those that an exec has to join.
func namespaceFlags(l *plan.Launch) (flags uint64) {
	for _, n := range l.Namespaces {
		flags |= n.Flag
	}
	return flags
}

// request is what create and exec have in common.
func (h *Host) request(l *plan.Launch, io IO) *launch.Request {
	r := &launch.Request{
		Launch:       l,
		Stdio:        [3]*os.File{io.Stdin, io.Stdout, io.Stderr},
		Preserve:     io.Preserve,
		Hold:         io.Hold,
		Keyring:      !io.NoNewKeyring,
		SeccompCache: h.seccompCache(),
		Scratch:      h.Root,
		Warn:         h.warn,
		Debug:        h.Debug,
	}
	if io.ListenFDs > 0 {
		listenEnv(&l.Process, io)
	}
	return r
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

// listenEnv tells a process of the sockets that are passed on (sd_listen_fds(3)).
// The child adds LISTEN_PID: it alone knows its number in the pid namespace.
func listenEnv(p *plan.Process, io IO) {
	p.UnsetEnv("LISTEN_PID")
	p.ListenPID = true
	p.SetEnv("LISTEN_FDS", fmt.Sprint(io.ListenFDs))
	if io.ListenNames != "" {
		p.SetEnv("LISTEN_FDNAMES", io.ListenNames)
	}
}

// waitsMounted tells that the runtime has something to do when the namespaces
// and the mounts are made.
func waitsMounted(l *plan.Launch) bool {
	return len(l.Hooks.Prestart)+len(l.Hooks.CreateRuntime)+len(l.NetDevices) > 0
}

// connect says what happens at the points where the child waits for us.
func (c *Container) connect(r *launch.Request, l *plan.Launch, io IO, p *Process, u *undo.Stack) error {
	r.Console = p.console(io.ConsoleSocket, io.PlainOutput)
	r.Waits.Mounted = waitsMounted(l)
	r.Mounted = func(run *launch.Running) error { return c.mounted(l, run, u) }
	r.Ready = func(run *launch.Running) error {
		if err := delegate(l, r.Cgroup, run.Pid); err != nil {
			return err
		}
		return c.ready(run, io, u)
	}
	if !io.Hold {
		return nil
	}
	s, err := c.entry.Listen()
	r.Listener = s
	return err
}

// mounted does the runtime's part when the namespaces and the mounts are made.
func (c *Container) mounted(l *plan.Launch, run *launch.Running, u *undo.Stack) error {
	if err := c.moveDevices(l, run.Pid, u); err != nil {
		return err
	}
	s := hooks.State(l, specs.StateCreating, run.Pid)
	if err := c.runHooks(l.Hooks.Prestart, "prestart", s, run.Pidfd); err != nil {
		return err
	}
	return c.runHooks(l.Hooks.CreateRuntime, "createRuntime", s, run.Pidfd)
}

// prepare writes the configuration and the record of a container that is being
// made, which [Container.ready] puts in its place: by then the child waits for
// us, now it does not.
func (c *Container) prepare(run *launch.Running, raw []byte) error {
	if err := c.joinClass(run.Pid); err != nil {
		return err
	}
	if err := c.entry.PutConfig(raw); err != nil {
		return err
	}
	if err := c.sight(run); err != nil {
		return err
	}
	c.record.Tail, c.record.First = leftSteps(run.Tail), run.First
	return c.entry.Prepare(c.record)
}

// ready makes the container known as made, and tells the caller.
func (c *Container) ready(run *launch.Running, io IO, u *undo.Stack) error {
	if err := c.entry.Commit(); err != nil {
		return err
	}
	return c.announceInit(run, io, u)
}

// announceInit hands out the pid and the pidfd of the first process, the pidfd
// also where an annotation says.
func (c *Container) announceInit(run *launch.Running, io IO, u *undo.Stack) error {
	if path, ok := c.record.Annotations[plan.PidfdReceiver]; ok {
		if !filepath.IsAbs(path) && !strings.HasPrefix(path, "@") {
			path = filepath.Join(c.record.Bundle, path)
		}
		if err := sys.SendFD(path, "pidfd", int(run.Pidfd.Fd())); err != nil {
			return fmt.Errorf("%s: %w", plan.AnnotationField(plan.PidfdReceiver), err)
		}
	}
	return c.announce(run, io, u)
}

// announce hands out the pid and the pidfd.
func (c *Container) announce(run *launch.Running, io IO, u *undo.Stack) error {
	if io.PidfdSocket != "" {
		if err := sys.SendFD(io.PidfdSocket, "pidfd", int(run.Pidfd.Fd())); err != nil {
			return fmt.Errorf("--pidfd-socket: %w", err)
		}
	}
	if io.PidFile != "" {
		remove, err := sys.Publish(io.PidFile, strconv.AppendInt(nil, int64(run.Pid), 10), 0o666, c.entry.Path())
		if err != nil {
			return fmt.Errorf("--pid-file: %w", err)
		}
		u.Push(remove)
	}
	return nil
}

// end kills what is in a group and removes it.
func end(g *cgroup.Group) error {
	if err := g.Kill(); err != nil {
		return err
	}
	return g.Remove(time.Now().Add(endWait))
}

// cgroupView is what a mount of type cgroup shows.
func cgroupView(l *plan.Launch, g *cgroup.Group) rootfs.CgroupView {
	v := rootfs.CgroupView{Namespace: namespaceFlags(l)&unix.CLONE_NEWCGROUP != 0}
	unified := ""
	for _, d := range inCgroups(g) {
		if d.Controllers != nil {
			v.Hierarchies = append(v.Hierarchies, hierarchy(d))
			continue
		}
		unified = d.Mount
	}
	if len(v.Hierarchies) == 0 {
		v.Unified = unified
	}
	return v
}

// inCgroups lists where the processes of a group are in each hierarchy.
func inCgroups(g *cgroup.Group) []cgroup.Directory {
	if g.Empty() {
		return g.Outside()
	}
	return g.Directories()
}

func hierarchy(d cgroup.Directory) rootfs.Hierarchy {
	h := rootfs.Hierarchy{Name: filepath.Base(d.Mount), Path: d.Path}
	for _, c := range d.Controllers {
		if strings.HasPrefix(c, "name=") {
			h.Options = append(h.Options, "none")
		}
		h.Options = append(h.Options, c)
	}
	return h
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
	h.warn("process.capabilities: %s cannot be granted: skiff itself does not have it", strings.Join(names, ", "))
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
		notify.Add(l, h.container(l.ID).notifyDir())
	}
	r := h.request(l, io)
	r.Cgroup, r.CgroupView = group, cgroupView(l, group)
	r.Waits = launch.Waits{Entered: unit.entered(), Mounted: waitsMounted(l)}
	return launch.Plan(r)
}
