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

// program lays down the one order of all operations, for create and exec.
//
// The child starts as the runtime's root user in the runtime's namespaces, in
// the container's cgroup v2 (cloned into it) and, where nothing speaks against
// it, in its new pid namespace.
func (b *binding) program() error {
	p, l := b.prog, b.Launch
	if b.many() {
		defer b.raiseFiles(len(p.Ops)) // how many is known at the end
		p.Add("", program.Files{})
	}

	// On the host: what has to be done while its /proc is in sight, and while
	// nobody in the container can look at us.
	if n := l.Process.OOMScoreAdj; n != nil {
		// In a user namespace of its own the runtime cannot know what it may
		// set: engines there ask for what the host's root would get.
		p.Add(b.field("oomScoreAdj"), program.OOMScore{Value: decimal(*n), Try: b.inside})
	}

	// Into the namespaces. Only a new child is in a pid namespace that we join.
	b.enterNamespaces()

	// Root in the container's namespaces, the host's tree still in sight.
	p.Add("", program.Setsid{})
	if b.Keyring {
		lsm.ForKeys(p, &l.Process, func() {
			p.Add("", program.Keyring{Name: "_ses." + l.ID, New: !l.Joined, Owner: b.owner()})
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
	tune.Spread(p, &l.Process, b.facts.Confined)
	tune.Add(p, &l.Process, b.tunes())
	b.labels.Write(p) // now, so that create can tell of a profile that is not loaded
	b.userAndDirectory()
	if len(l.Process.Args) > 0 {
		b.lookup()
	}
	// The runtime sets resource limits and stores the state. With Hold it may wait
	// for start for long.
	p.Add("", program.Sync{Message: wire.Ready, Ends: b.Hold})

	// A listener is handed over while the runtime is there that knows the
	// agent, so hooks run under the filter, as in runc.
	if b.notifies() {
		b.loadFilter()
	}

	// The user, waiting for start; then its program.
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
	// All from here on is for the process of a startContainer hook, too.
	p.Add("", program.KeepFDs{First: b.preserved, Numbers: b.Preserve})
	if b.many() {
		p.Add("", program.Files{})
	}
	b.ownLimits()
	b.confine()
	p.Add("process.args[0]", program.Exec{Args: l.Process.Args, Env: b.environment(), ListenPID: l.Process.ListenPID})
	return nil
}

// owner is the host's id of the user that sets the container up.
func (b *binding) owner() uint64 {
	m := b.Launch.UserMaps.UID
	uid, ok := proc.HostID(m, idmap.Root(m))
	if !ok && b.userns {
		return program.UnknownOwner
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
		b.prog.Add("", program.NoDump{})
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
		b.prog.Add("", program.Fork{})
	}
}

// join joins the namespaces that are there already.
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
	p.Add("linux.namespaces", program.Unshare{Namespaces: unix.CLONE_NEWUSER})
	p.Add("", program.Sync{Message: wire.Maps})
	b.unshare(rest & unix.CLONE_NEWTIME)
	b.enterTime()
	p.Add("", program.NoDump{})
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
	b.prog.Add("linux.timeOffsets", program.TimeNS{Offsets: lines.String()})
}

// dropGroups gives up the runtime's own groups before a user namespace is
// joined in which setgroups(2) may be denied.
func (b *binding) dropGroups() {
	if b.facts.may(unix.CAP_SETGID) && !b.Launch.Process.KeepGroups {
		b.prog.Add("", program.Groups{Try: b.inside})
	}
}

// approachRoot goes to the rootfs while we may go everywhere, with what is to
// be mounted there.
func (b *binding) approachRoot() {
	if b.tree != nil {
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

// becomeRoot makes us the root of the container's user namespace.
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
	if b.made&unix.CLONE_NEWNET != 0 {
		p.Add("", program.LinkUp{Interface: "lo"})
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

// enterRoot is exec's way into the tree: a mount namespace brings its root.
func (b *binding) enterRoot() {
	if b.Root != nil {
		b.prog.Add("", program.Chroot{Root: b.root})
		return
	}
	b.root = b.prog.NewSlot()
	b.prog.Add("", program.OpenTree{Out: b.root, Path: "/", Flags: unix.OPEN_TREE_CLOEXEC})
}

// ownNull gives the process the container's null device in place of the host's.
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

// sysctls are written through a procfs that nobody else can reach, or where
// there is none in a user namespace, the host's: its tree is still in sight.
func (b *binding) sysctls() {
	p, l := b.prog, b.Launch
	if len(l.Sysctl) == 0 {
		return
	}
	proc := p.NewSlot()
	op := program.FSMount{Out: proc, Type: "proc", Source: "proc"}
	if b.userns || b.inside {
		op.HostTree = "/proc" // which shows a parameter of the namespaces of who reads it
	}
	p.Add("linux.sysctl", op)
	for _, s := range l.Sysctl {
		p.Add(s.Field, program.Write{Proc: proc, Path: "sys/" + s.Path, Value: s.Value})
	}
	p.Add("", program.Close{File: proc})
}

// makeDirectory enters the working directory, which a new container gets if it
// is missing, as root.
func (b *binding) makeDirectory() {
	b.prog.Add(b.field("cwd"), program.Chdir{Path: b.Launch.Process.Cwd, Try: true, Make: !b.Launch.Joined})
}

// userAndDirectory makes us the user. The working directory may be open to
// root alone or to the user alone, so both try.
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

// field is the JSON path of a member of the process.
func (b *binding) field(name string) string { return plan.Under(b.Launch.Process.Field, name) }

// lookup finds the program, before start, so that create can tell.
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
	p.Add("process.args[0]", op)
}

// defaultPath is searched when the environment has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
