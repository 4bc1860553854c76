// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// program defines the order of all operations, for create and exec.
//
// The child starts as the runtime's user in the runtime's namespaces, in the
// container's cgroup v2 (it is cloned into it) and, unless there is a user namespace,
// in its new pid namespace.
func (b *binding) program() error {
	p, l := b.prog, b.Launch
	if b.many() {
		defer b.raiseFiles(len(p.Ops)) // the number is known at the end
		p.Add("", program.Files{})
	}

	// On the host: what needs its /proc, while nobody in the container can see the
	// child.
	if n := l.Process.OOMScoreAdj; n != nil {
		// A runtime in a user namespace cannot know what it may set: engines there
		// ask for what the host's root would be allowed.
		p.Add(b.field("oomScoreAdj"), program.OOMScore{Value: decimal(*n), Try: b.inside})
	}

	// Into the namespaces. Only a new child process is in a pid namespace that is joined.
	b.enterNamespaces()

	// Root in the container's namespaces, with access to the host's tree.
	p.Add("", program.Setsid{})
	if b.Keyring {
		lsm.ForKeys(p, &l.Process, func() {
			p.Add("", program.Keyring{Name: "_ses." + l.ID, New: !l.Joined, Owner: b.owner()})
		})
	}
	b.names()
	b.network()
	if !l.Joined {
		if err := b.build(); err != nil {
			return err
		}
	} else {
		b.enterRoot()
		b.console()
		b.ownNull()
		b.labels.Open(p)
	}

	// Root in the container, its tree complete.
	tune.Spread(p, &l.Process, b.facts.Confined)
	tune.Add(p, &l.Process, b.tunes())
	b.labels.Write(p) // now, so that create fails if a profile is not loaded
	early := b.readyEarly()
	if early {
		p.Add("", program.Sync{Message: wire.Ready, Early: true})
	}
	b.userAndDirectory()
	if len(l.Process.Args) > 0 {
		b.lookup()
	}
	// The runtime sets resource limits and stores the state. With Hold the child may
	// then wait for start for a long time.
	if early {
		p.Add("", program.Await{Message: wire.Ready})
	} else {
		p.Add("", program.Sync{Message: wire.Ready, Ends: b.Hold})
	}

	// A listener is handed over while the runtime, which knows the agent, still
	// runs. So startContainer hooks run under the filter, as in runc.
	if b.notifies() {
		b.loadFilter()
	}

	// As the user: wait for start, then execute the program.
	b.tail = len(p.Ops)
	if b.Hold {
		p.Add("", program.Listen{Socket: b.listen})
	}
	if b.notifies() {
		cred.Finish(p, &l.Process, b.granted, b.spare())
	}
	if !l.Joined {
		state := hooks.State(l, specs.StateCreated, 0)
		if err := hooks.AddConfined(p, l.Hooks.StartContainer, "startContainer", state, b.hookOutput, b.environment(), b.hooksTrace()); err != nil {
			return err
		}
	}
	// From here on, the process of a startContainer hook runs the operations as well.
	p.Add("", program.KeepFDs{First: b.preserved, Numbers: b.Preserve})
	if b.many() {
		p.Add("", program.Files{})
	}
	b.ownLimits()
	b.confine()
	p.Add(b.field("args[0]"), program.Exec{Args: l.Process.Args, Env: b.environment(), ListenPID: l.Process.ListenPID})
	return nil
}

// owner returns the uid on the host of the user that sets the container up.
func (b *binding) owner() uint64 {
	m := b.Launch.UserMaps.UID
	uid, ok := proc.HostID(m, idmap.Root(m))
	if !ok && b.userns {
		return program.UnknownOwner
	}
	return uint64(uid)
}

// enterNamespaces joins existing namespaces and makes new ones. A new cgroup
// namespace is made when the child is in the container's cgroups, as they become its
// root. If the child has to wait for that (v1, or systemd), it makes the other
// namespaces meanwhile. If mounts are made before the mount namespace, that one is
// made later, see [binding.build].
func (b *binding) enterNamespaces() {
	if b.made&unix.CLONE_NEWUSER == 0 {
		b.prog.Add("", program.NoDump{})
	}
	b.join()
	if b.made&unix.CLONE_NEWUSER != 0 { // first, so that it owns the others
		b.newUserNamespace()
	} else {
		rest := b.made &^ (b.cloned | b.ahead)
		if b.makesFirst() {
			rest &^= unix.CLONE_NEWNS
		}
		if b.awaitsGo() && !b.awaited {
			b.unshare(rest &^ unix.CLONE_NEWCGROUP)
			rest &= unix.CLONE_NEWCGROUP
		}
		b.awaitCgroups()
		b.unshare(rest)
		b.enterTime()
		if !b.makesFirst() {
			b.attachRoot()
		}
		if b.userns {
			b.becomeRoot()
		}
	}
	if b.forks {
		b.prog.Add("", program.Fork{})
	}
}

// join joins the existing namespaces.
func (b *binding) join() {
	p := b.prog
	if b.Init != nil {
		if b.userns {
			b.dropGroups()
		}
		p.Add("", program.Setns{To: b.init, Namespaces: b.InitNamespaces})
	}
	for _, n := range b.joins {
		if n.Flag == unix.CLONE_NEWUSER {
			b.dropGroups()
			b.approachRoot()
		}
		p.Add(n.Field+".path", program.Setns{To: n.slot, Namespaces: n.Flag})
		if n.Flag == unix.CLONE_NEWUSER && b.asksMaps() {
			b.awaitCgroups()
			p.Add("", program.Sync{Message: wire.Maps})
		}
	}
}

// asksMaps reports whether the runtime compares the mappings of a user namespace
// that is joined by its path with those of config.json.
func (b *binding) asksMaps() bool {
	byPath := func(j join) bool { return j.Flag == unix.CLONE_NEWUSER }
	return slices.ContainsFunc(b.joins, byPath) && !b.Launch.UserMaps.Empty()
}

// newUserNamespace makes a user namespace and the namespaces that it owns. The
// files in /proc/PID for id maps and clock offsets belong to the child's user as
// long as the child is dumpable, so NoDump comes after them. This is safe: nobody
// else is in the namespaces yet.
func (b *binding) newUserNamespace() {
	p, rest := b.prog, b.made&^b.cloned
	b.awaitCgroups()
	b.approachRoot()
	p.Add("linux.namespaces", program.Unshare{Namespaces: unix.CLONE_NEWUSER})
	p.Add("", program.Sync{Message: wire.Maps})
	b.unshare(rest & unix.CLONE_NEWTIME)
	b.enterTime()
	p.Add("", program.NoDump{})
	// The child still has the caller's user id, which may have access to the rootfs
	// where the container's root has none. But the other namespaces are made as the
	// container's root, who is to own them.
	b.unshare(rest & unix.CLONE_NEWNS)
	b.attachRoot()
	b.becomeRoot()
	b.unshare(rest &^ (unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWTIME))
}

// enterTime sets the clocks of a new time namespace and enters it.
func (b *binding) enterTime() {
	if b.made&unix.CLONE_NEWTIME == 0 {
		return
	}
	var lines strings.Builder
	for _, o := range b.Launch.TimeOffsets {
		fmt.Fprintf(&lines, "%s %d %d\n", o.Clock, o.Secs, o.Nsecs)
	}
	b.prog.Add("linux.timeOffsets", program.TimeNS{Offsets: lines.String()})
}

// dropGroups drops the runtime's own supplementary groups before the child joins a
// user namespace, in which setgroups(2) may be denied.
func (b *binding) dropGroups() {
	if b.facts.may(unix.CAP_SETGID) && !b.Launch.Process.KeepGroups {
		b.prog.Add("", program.Groups{Try: b.inside})
	}
}

// approachRoot makes the rootfs accessible, with what is to be mounted there, while
// the child has the runtime's privileges; see [rootfs.Tree.Approach].
func (b *binding) approachRoot() {
	if b.tree != nil {
		b.tree.Approach(b.prog)
	}
}

// makesFirst reports whether mounts are made before the mount namespace, which the
// tree makes then.
func (b *binding) makesFirst() bool { return b.tree != nil && b.tree.MakesFirst() }

// awaitCgroups waits until the runtime has moved the child into the v1 cgroups, or
// systemd into its unit. It comes before all other messages of the runtime.
func (b *binding) awaitCgroups() {
	if b.awaitsGo() && !b.awaited {
		b.awaited = true
		b.prog.Add("", program.Await{Message: wire.Go})
	}
}

func (b *binding) unshare(flags uint64) {
	if flags != 0 {
		b.prog.Add("linux.namespaces", program.Unshare{Namespaces: flags})
	}
}

func (b *binding) attachRoot() {
	if b.tree != nil {
		b.tree.Attach(b.prog)
	}
}

// becomeRoot makes the child root in the container's user namespace.
func (b *binding) becomeRoot() {
	m := b.Launch.UserMaps
	b.prog.Add("linux.uidMappings", program.BecomeRoot{UID: idmap.Root(m.UID), GID: idmap.Root(m.GID), KeepGroups: b.Launch.Process.KeepGroups})
}

func (b *binding) names() {
	p, l := b.prog, b.Launch
	if l.Joined {
		return
	}
	if l.Hostname != "" {
		p.Add("hostname", program.Hostname{Name: l.Hostname})
	}
	if l.Domainname != "" {
		p.Add("domainname", program.Domain{Name: l.Domainname})
	}
}

// network joins the network namespace that was made ahead, as late as possible: from here
// on, the child may mount a sysfs, which shows it. Or it brings up lo in a new one.
func (b *binding) network() {
	switch {
	case b.ahead != 0:
		b.prog.Add("linux.namespaces", program.Network{Interface: "lo"})
	case b.made&unix.CLONE_NEWNET != 0:
		b.prog.Add("", program.LinkUp{Interface: "lo"})
	}
}

// build makes the container's tree and moves into it. The specification requires
// that the hooks run after the mounts are made and before the root is changed. The
// sources of binds are cloned in the runtime's mount namespace, together with the
// file systems that are mounted between them, before the child makes its own.
func (b *binding) build() error {
	p, l := b.prog, b.Launch
	state := hooks.State(l, specs.StateCreating, 0)
	b.root = b.tree.Root
	if b.makesFirst() {
		b.tree.Make(p)
		b.attachRoot()
	}
	b.tree.Mounts(p)
	b.tree.Devices(p)
	b.console()
	if b.Waits.Mounted {
		p.Add("", program.Sync{Message: wire.Mounted}) // prestart and createRuntime hooks
	}
	if len(l.Hooks.CreateContainer) > 0 {
		p.Add("hooks.createContainer", program.WorkDir{Directory: b.root, Path: l.Rootfs.Path})
	}
	if err := hooks.Add(p, l.Hooks.CreateContainer, "createContainer", state, b.hookOutput); err != nil {
		return err
	}
	b.sysctls()
	b.tree.Enter(p)
	b.ownNull()
	b.labels.Open(p)
	if l.Rootfs.Readonly {
		b.makeDirectory() // while it can be made
	}
	b.tree.Seal(p)
	return nil
}

// enterRoot enters the tree for exec: a mount namespace that is joined brings its root.
func (b *binding) enterRoot() {
	if b.Root != nil {
		b.prog.Add("", program.Chroot{Root: b.root})
		return
	}
	b.root = b.prog.NewSlot()
	b.prog.Add("", program.OpenTree{Out: b.root, Path: "/", Flags: unix.OPEN_TREE_CLOEXEC})
}

// ownNull replaces the host's null device in stdio by the container's.
func (b *binding) ownNull() {
	b.prog.Add("", program.DevNull{Root: b.root})
}

func (b *binding) console() {
	proc := &b.Launch.Process
	if !proc.Terminal {
		return
	}
	b.prog.Add("process.terminal", program.MakeConsole{Root: b.root, Rows: uint16(proc.ConsoleRows), Columns: uint16(proc.ConsoleCols), Bind: !b.Launch.Joined})
}

// sysctls writes kernel parameters through a new procfs that nobody else can reach.
// If a user namespace gets none, it uses the host's, whose tree is still accessible.
func (b *binding) sysctls() {
	p, l := b.prog, b.Launch
	if len(l.Sysctl) == 0 {
		return
	}
	proc := p.NewSlot()
	op := program.FSMount{Out: proc, Type: "proc", Source: "proc"}
	if b.userns || b.inside {
		op.HostTree = "/proc" // it shows the parameters of the namespaces of the process that accesses it
	}
	p.Add("linux.sysctl", op)
	for _, s := range l.Sysctl {
		p.Add(s.Field, program.Write{Proc: proc, Path: "sys/" + s.Path, Value: s.Value})
	}
	p.Add("", program.Close{File: proc})
}

// makeDirectory enters the working directory as root. For a new container, it makes
// the directory if it is missing.
func (b *binding) makeDirectory() {
	b.prog.Add(b.field("cwd"), program.Chdir{Path: b.Launch.Process.Cwd, Try: true, Make: !b.Launch.Joined})
}

// userAndDirectory makes the child the user. Root alone may have access to the
// working directory, or the user alone, so both try to enter it.
func (b *binding) userAndDirectory() {
	p, proc := b.prog, &b.Launch.Process
	b.makeDirectory()
	cred.Become(p, proc, b.granted, b.spare(), b.userns || b.inside)
	p.Add(b.field("cwd"), program.Chdir{Path: proc.Cwd, Check: true})
	umask := uint32(0o022)
	if proc.Umask != nil {
		umask = *proc.Umask
	}
	p.Add("", program.Umask{Mask: umask})
}

// field returns the JSON path of a field of the process.
func (b *binding) field(name string) string { return plan.Under(b.Launch.Process.Field, name) }

// lookup finds the program before start, so that create fails if there is none.
func (b *binding) lookup() {
	p, proc := b.prog, &b.Launch.Process
	if value, ok := lookupEnv(proc.Env, "HOME"); !ok || value == "" {
		p.Add("", program.Home{UID: proc.UID})
	}
	name := proc.Args[0]
	op := program.Lookup{Name: name}
	if strings.Contains(name, "/") {
		op.Candidates = []string{name}
	} else {
		op.Search = true
		path, ok := lookupEnv(proc.Env, "PATH")
		if !ok {
			path = defaultPath
		}
		for dir := range strings.SplitSeq(path, ":") {
			if dir == "" {
				dir = "."
			}
			op.Candidates = append(op.Candidates, strings.TrimSuffix(dir, "/")+"/"+name)
		}
	}
	p.Add(b.field("args[0]"), op)
}

// defaultPath is searched if the environment has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns the environment of the process, without a HOME that is empty:
// the child adds a better one.
func (b *binding) environment() []string {
	env := b.Launch.Process.Env
	if value, ok := lookupEnv(env, "HOME"); ok && value == "" {
		return without(env, "HOME")
	}
	return env
}

func lookupEnv(env []string, name string) (string, bool) {
	for _, e := range env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			return v, true
		}
	}
	return "", false
}

func without(env []string, name string) []string {
	var out []string
	for _, e := range env {
		if k, _, _ := strings.Cut(e, "="); k != name {
			out = append(out, e)
		}
	}
	return out
}
