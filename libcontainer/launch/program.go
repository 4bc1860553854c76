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
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// program lays down the one order of all operations, for create and exec.
//
// The child starts as the runtime's root user in the runtime's namespaces, in
// the container's cgroup v2 (cloned into it) and, where nothing speaks against
// it, in its new pid namespace.
func (b *binding) program() error {
	p, l := b.prog, b.Launch
	if b.many() {
		p.Add(plan.Op{Kind: plan.OpFiles}) // how many is known at the end
		defer b.raiseFiles()
	}

	// On the host: what has to be done while its /proc is in sight, and while
	// nobody in the container can look at us.
	if n := l.Process.OOMScoreAdj; n != nil {
		// In a user namespace of its own the runtime cannot know what it may
		// set: engines there ask for what the host's root would get.
		p.Add(plan.Op{Kind: plan.OpOOMScore, S: []string{decimal(*n)}, Flags: flag(b.inside), Field: b.field("oomScoreAdj")})
	}

	// Into the namespaces. Only a new child is in a pid namespace that we join.
	b.enterNamespaces()

	// Root in the container's namespaces, the host's tree still in sight.
	p.Add(plan.Op{Kind: plan.OpSetsid})
	if b.Keyring {
		lsm.ForKeys(p, &l.Process, func() {
			p.Add(plan.Op{Kind: plan.OpKeyring, S: []string{"_ses." + l.ID}, Flags: flag(!l.Joined), N: [3]uint64{b.owner()}})
		})
	}
	b.names()
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
	tune.Spread(p, &l.Process, sys.Confined())
	tune.Add(p, &l.Process, b.tunes())
	b.labels.Write(p) // now, so that create can tell of a profile that is not loaded
	b.userAndDirectory()
	if len(l.Process.Args) > 0 {
		b.lookup()
	}
	ready := p.Add(plan.Op{Kind: plan.OpSync, N: [3]uint64{uint64(wire.Ready)}}) // the runtime sets resource limits and stores the state
	if b.Hold {
		ready.Flags = plan.SyncEnds // it may wait for start for long
	}

	// A listener is handed over while the runtime is there that knows the
	// agent, so hooks run under the filter, as in runc.
	if b.notifies() {
		b.loadFilter()
	}

	// The user, waiting for start; then its program.
	b.tail = len(p.Ops)
	if b.Hold {
		p.Add(plan.Op{Kind: plan.OpListen, A: b.listen})
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
	// All from here on is for the process of a startContainer hook, too.
	p.Add(plan.Op{Kind: plan.OpKeepFDs, A: b.preserved, Data: numbers(b.Preserve)})
	if b.many() {
		p.Add(plan.Op{Kind: plan.OpFiles})
	}
	b.ownLimits()
	b.confine()
	p.Add(b.exec())
	return nil
}

// unknownOwner stands for a user whose id on the host is not known.
const unknownOwner = ^uint64(0)

// owner is the host's id of the user that sets the container up.
func (b *binding) owner() uint64 {
	m := b.Launch.UserMaps.UID
	uid, ok := proc.HostID(m, idmap.Root(m))
	if !ok && b.userns {
		return unknownOwner
	}
	return uint64(uid)
}

// enterNamespaces joins what is there and makes what is new. A new cgroup
// namespace is made when we are in the container's cgroups: they become its
// root. Where we have to wait for that (v1, or systemd), the other namespaces
// are made meanwhile. The mount namespace comes last where mounts are made
// before it, see [binding.build].
func (b *binding) enterNamespaces() {
	if b.made&unix.CLONE_NEWUSER == 0 {
		b.prog.Add(plan.Op{Kind: plan.OpNoDump})
	}
	b.join()
	if b.made&unix.CLONE_NEWUSER != 0 { // first: it is to own the others
		b.newUserNamespace()
	} else {
		rest := b.made &^ b.cloned
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
		b.prog.Add(plan.Op{Kind: plan.OpFork})
	}
}

// join joins the namespaces that are there already.
func (b *binding) join() {
	p := b.prog
	if b.Init != nil {
		if b.userns {
			b.dropGroups()
		}
		p.Add(plan.Op{Kind: plan.OpSetns, A: b.init, N: [3]uint64{b.InitNamespaces}})
	}
	for _, n := range b.joins {
		if n.Flag == unix.CLONE_NEWUSER {
			b.dropGroups()
			b.approachRoot()
		}
		p.Add(plan.Op{Kind: plan.OpSetns, A: n.slot, N: [3]uint64{n.Flag}, Field: n.Field + ".path"})
		if n.Flag == unix.CLONE_NEWUSER && b.asksMaps() {
			b.awaitCgroups()
			p.Add(plan.Op{Kind: plan.OpSync, N: [3]uint64{uint64(wire.Maps)}})
		}
	}
}

// asksMaps tells that the runtime compares the mappings of a user namespace that
// is joined by its path.
func (b *binding) asksMaps() bool {
	byPath := func(j join) bool { return j.Flag == unix.CLONE_NEWUSER }
	return slices.ContainsFunc(b.joins, byPath) && !b.Launch.UserMaps.Empty()
}

// newUserNamespace makes a user namespace and what it is to own. The files of
// our /proc/PID, by which the maps are written and the clocks set, are ours as
// long as we can be dumped; nobody else is in the namespaces yet.
func (b *binding) newUserNamespace() {
	p, rest := b.prog, b.made&^b.cloned
	b.awaitCgroups()
	b.approachRoot()
	p.Add(plan.Op{Kind: plan.OpUnshare, N: [3]uint64{unix.CLONE_NEWUSER}, Field: "linux.namespaces"})
	p.Add(plan.Op{Kind: plan.OpSync, N: [3]uint64{uint64(wire.Maps)}})
	b.unshare(rest & unix.CLONE_NEWTIME)
	b.enterTime()
	p.Add(plan.Op{Kind: plan.OpNoDump})
	// We still have the caller's user id, who may go where the root is, but
	// whose the new namespaces are not to be.
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
	b.prog.Add(plan.Op{Kind: plan.OpTimeNS, S: []string{lines.String()}, Field: "linux.timeOffsets"})
}

// dropGroups gives up the runtime's own groups before a user namespace is
// joined in which setgroups(2) may be denied.
func (b *binding) dropGroups() {
	if b.own>>unix.CAP_SETGID&1 != 0 && !b.Launch.Process.KeepGroups {
		b.prog.Add(plan.Op{Kind: plan.OpGroups, Flags: flag(b.inside)})
	}
}

// approachRoot goes to the rootfs while we may go everywhere, with what is to
// be mounted there.
func (b *binding) approachRoot() {
	switch {
	case b.tree == nil:
	case b.made&unix.CLONE_NEWNS != 0:
		b.tree.Stage(b.prog)
	default:
		b.tree.Approach(b.prog)
	}
}

// makesFirst tells that mounts are made before the mount namespace, which the tree
// makes then.
func (b *binding) makesFirst() bool { return b.tree != nil && b.tree.MakesFirst() }

// awaitCgroups waits until the runtime has moved us into the v1 cgroups, or
// systemd into its own. It comes before all other messages of the runtime.
func (b *binding) awaitCgroups() {
	if b.awaitsGo() && !b.awaited {
		b.awaited = true
		b.prog.Add(plan.Op{Kind: plan.OpAwait, N: [3]uint64{uint64(wire.Go)}})
	}
}

func (b *binding) unshare(flags uint64) {
	if flags != 0 {
		b.prog.Add(plan.Op{Kind: plan.OpUnshare, N: [3]uint64{flags}, Field: "linux.namespaces"})
	}
}

func (b *binding) attachRoot() {
	if b.tree != nil {
		b.tree.Attach(b.prog)
	}
}

// becomeRoot makes us the root of the container's user namespace.
func (b *binding) becomeRoot() {
	m := b.Launch.UserMaps
	op := b.prog.Add(plan.Op{Kind: plan.OpResUID, N: [3]uint64{uint64(idmap.Root(m.UID)), uint64(idmap.Root(m.GID)), 1}, Field: "linux.uidMappings"})
	if b.Launch.Process.KeepGroups {
		op.N[2] = 0
	}
}

func (b *binding) names() {
	p, l := b.prog, b.Launch
	if l.Joined {
		return
	}
	if l.Hostname != "" {
		p.Add(plan.Op{Kind: plan.OpHostname, S: []string{l.Hostname}, Field: "hostname"})
	}
	if l.Domainname != "" {
		p.Add(plan.Op{Kind: plan.OpDomain, S: []string{l.Domainname}, Field: "domainname"})
	}
	if b.made&unix.CLONE_NEWNET != 0 {
		p.Add(plan.Op{Kind: plan.OpLinkUp, S: []string{"lo"}})
	}
}

// build makes the container's tree and moves into it. The specification wants
// the mounts made and the host's tree still there when the hooks run. Sources of
// binds are the host's mounts themselves, so these are cloned, and what is
// mounted between them is made, before the mount namespace is.
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
	if b.Mounted != nil {
		p.Add(plan.Op{Kind: plan.OpSync, N: [3]uint64{uint64(wire.Mounted)}}) // prestart and createRuntime hooks
	}
	if len(l.Hooks.CreateContainer) > 0 {
		p.Add(plan.Op{Kind: plan.OpWorkDir, A: b.root, S: []string{l.Rootfs.Path}, Field: "hooks.createContainer"})
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

// enterRoot is exec's way into the tree: a mount namespace brings its root.
func (b *binding) enterRoot() {
	if b.Root != nil {
		b.prog.Add(plan.Op{Kind: plan.OpChroot, A: b.root})
		return
	}
	b.root = b.prog.NewSlot()
	b.prog.Add(plan.Op{Kind: plan.OpOpenTree, A: b.root, S: []string{"/"}, N: [3]uint64{unix.OPEN_TREE_CLOEXEC}})
}

// ownNull gives the process the container's null device in place of the host's.
func (b *binding) ownNull() {
	b.prog.Add(plan.Op{Kind: plan.OpDevNull, B: b.root})
}

func (b *binding) console() {
	proc := &b.Launch.Process
	if !proc.Terminal {
		return
	}
	op := plan.Op{Kind: plan.OpConsole, B: b.root, N: [3]uint64{uint64(proc.ConsoleRows)<<16 | uint64(proc.ConsoleCols)}, Field: "process.terminal"}
	if !b.Launch.Joined {
		op.Flags = plan.ConsoleBind
	}
	b.prog.Add(op)
}

// sysctls are written through a procfs that nobody else can reach, or where
// there is none in a user namespace, the host's: its tree is still in sight.
func (b *binding) sysctls() {
	p, l := b.prog, b.Launch
	if len(l.Sysctl) == 0 {
		return
	}
	proc := p.NewSlot()
	op := p.Add(plan.Op{Kind: plan.OpFsMount, A: proc, S: []string{"proc", "proc"}, Field: "linux.sysctl"})
	if b.userns || b.inside {
		op.Data = []byte("/proc\x00") // which shows a parameter of the namespaces of who reads it
	}
	for _, s := range l.Sysctl {
		p.Add(plan.Op{Kind: plan.OpWrite, A: proc, S: []string{"sys/" + s.Path, s.Value}, Field: s.Field})
	}
	p.Add(plan.Op{Kind: plan.OpClose, A: proc})
}

// makeDirectory enters the working directory, which a new container gets if it
// is missing, as root.
func (b *binding) makeDirectory() {
	op := plan.Op{Kind: plan.OpChdir, S: []string{b.Launch.Process.Cwd}, Flags: plan.ChdirTry, Field: b.field("cwd")}
	if !b.Launch.Joined {
		op.Flags |= plan.ChdirMake
	}
	b.prog.Add(op)
}

// userAndDirectory makes us the user. The working directory may be open to
// root alone or to the user alone, so both try.
func (b *binding) userAndDirectory() {
	p, proc := b.prog, &b.Launch.Process
	b.makeDirectory()
	cred.Become(p, proc, b.granted, b.spare(), b.userns || b.inside)
	p.Add(plan.Op{Kind: plan.OpChdir, S: []string{proc.Cwd}, Flags: plan.ChdirCheck, Field: b.field("cwd")})
	umask := uint32(0o022)
	if proc.Umask != nil {
		umask = *proc.Umask
	}
	p.Add(plan.Op{Kind: plan.OpUmask, N: [3]uint64{uint64(umask)}})
}

// field is the JSON path of a member of the process.
func (b *binding) field(name string) string { return plan.Under(b.Launch.Process.Field, name) }

// lookup finds the program, before start, so that create can tell.
func (b *binding) lookup() {
	p, proc := b.prog, &b.Launch.Process
	if value, ok := lookupEnv(proc.Env, "HOME"); !ok || value == "" {
		p.Add(plan.Op{Kind: plan.OpHome, N: [3]uint64{uint64(proc.UID)}})
	}
	name := proc.Args[0]
	op := plan.Op{Kind: plan.OpLookup, S: []string{name}, Field: "process.args[0]"}
	if strings.Contains(name, "/") {
		op.S = append(op.S, name)
	} else {
		op.Flags = plan.LookupPath
		path, ok := lookupEnv(proc.Env, "PATH")
		if !ok {
			path = defaultPath
		}
		for dir := range strings.SplitSeq(path, ":") {
			if dir == "" {
				dir = "."
			}
			op.S = append(op.S, strings.TrimSuffix(dir, "/")+"/"+name)
		}
	}
	p.Add(op)
}

// defaultPath is searched when the environment has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (b *binding) exec() plan.Op {
	proc, env := &b.Launch.Process, b.environment()
	op := plan.Op{Kind: plan.OpExec, N: [3]uint64{uint64(len(proc.Args)), uint64(len(env))}, Field: "process.args[0]"}
	if proc.ListenPID {
		op.Flags = plan.ExecListenPID
	}
	op.S = make([]string, 0, len(proc.Args)+len(env))
	op.S = append(append(op.S, proc.Args...), env...)
	return op
}

// environment is the process's, but for a HOME that is empty: the child adds a
// better one.
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
