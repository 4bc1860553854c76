// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// binding is the state while a request is compiled to a program and carried out:
// what depends on this host, and which descriptors the child inherits.
type binding struct {
	*Request
	facts   Facts
	prog    *program.Program
	maps    idNamespaces
	tree    *rootfs.Tree    // nil when there is no tree to build
	filter  *seccomp.Filter // nil without seccomp
	granted uint64          // capabilities that the process can get
	labels  lsm.Labels
	userns  bool // the process is in another user namespace than the runtime
	inside  bool // the runtime itself is in another user namespace than the host
	byChild bool // the runtime cannot clone mounts, so the child does

	made    uint64 // CLONE_NEW* flags of the namespaces to make
	cloned  uint64 // those of them that clone(2) makes
	ahead   uint64 // those that the runtime makes, for the child to join
	awaited bool   // the program so far waits for the cgroups
	forks   bool   // the child has to fork: only its own child is in the container's pid namespace
	joins   []join // namespaces to join by path

	// Slots.
	init      program.Slot // pidfd of the container's init
	listen    program.Slot // start's socket
	preserved program.Slot // the first descriptor of the caller that is passed on
	root      program.Slot // the container's root directory

	openers []opener // of the inherited slots, except those of Preserve and of the tree

	hookOutput hooks.Output // files that hooks run by the child print to

	tail int // index of the first operation that create leaves to start

	silent bool     // the child does not report its operations, even if steps are recorded
	follow follower // of those that it reports
}

type join struct {
	plan.Namespace
	slot program.Slot
}

// bind makes the program for a host with these facts. It opens nothing;
// [binding.open] does that.
func bind(r *Request, f Facts) (*binding, error) {
	b := &binding{Request: r, facts: f, prog: new(program.Program)}
	l := r.Launch
	b.userns, b.granted = r.InUserNamespace(), b.facts.Caps
	if b.userns {
		b.granted = cred.All // root in a user namespace has all capabilities there
	}
	if n := len(r.Preserve); n > 0 {
		b.preserved = b.prog.Inherit(n)
	} else {
		b.preserved = program.NoSlot
	}
	b.inside = f.InUserNamespace
	b.byChild = r.byChild || !b.privileged()
	b.labels = lsm.New(&l.Process, f.AppArmor)
	if err := b.checkLimits(); err != nil {
		return nil, err
	}
	if err := b.checkGroups(); err != nil {
		return nil, err
	}
	if r.Hold {
		b.listen = b.inherit(callers(r.Listener))
	}
	if r.Init != nil {
		b.init = b.inherit(callers(r.Init))
		b.forks = r.InitNamespaces&unix.CLONE_NEWPID != 0
	}
	if r.Root != nil {
		b.root = b.inherit(callers(r.Root))
	}
	b.inheritHookOutput()
	b.namespaces()
	if l.Seccomp != nil || l.SeccompRaw != nil {
		if err := b.bindFilter(); err != nil {
			return nil, err
		}
	}
	if !l.Joined {
		if err := b.bindTree(); err != nil {
			return nil, err
		}
	}
	if b.prog.Inherited == 0 {
		b.prog.Inherit(0)
	}
	return b, b.program()
}

func (b *binding) bindTree() error {
	l := b.Launch
	room, err := b.room()
	if err != nil {
		return err
	}
	on := rootfs.Setting{
		Shared: SharesMounts(l), NewMounts: b.made&unix.CLONE_NEWNS != 0, UserNS: b.userns, Inside: b.inside, ByChild: b.byChild,
		RootByChild: b.rootByChild, Room: room, Cgroup: b.CgroupView, Host: b.facts.Files,
	}
	if m := l.UserMaps; !m.Empty() {
		on.Owner = func(uid, gid uint32) (uint32, uint32) {
			u, _ := proc.HostID(m.UID, uid)
			g, _ := proc.HostID(m.GID, gid)
			return u, g
		}
	}
	b.tree = rootfs.New(l.Rootfs, on, b.prog)
	return nil
}

// compiledFilter takes the filter of linux.seccomp from the cache, or compiles it.
func compiledFilter(r *Request) (*seccomp.Filter, error) {
	return seccomp.Cached(r.SeccompCache, r.Scratch, r.Launch.Seccomp)
}

// bindFilter gets the filter, and warns of what it leaves out.
func (b *binding) bindFilter() (err error) {
	if raw := b.Launch.SeccompRaw; raw != nil {
		b.filter = seccomp.Raw(raw)
		return nil
	}
	if b.filter, err = b.facts.Filter(b.Request); err != nil {
		return err
	}
	notes := b.filter.Notes
	if len(notes) > 0 && b.Launch.SeccompStrict {
		return errors.New(notes[0])
	}
	for _, note := range notes {
		b.Warn("%s", note)
	}
	return nil
}

// inheritHookOutput reserves slots for the files that hooks run by the child print to.
func (b *binding) inheritHookOutput() {
	l := b.Launch
	for i, name := range hooks.OutputAnnotations {
		b.hookOutput[i] = program.NoSlot
		if _, ok := l.Annotations[name]; ok && !l.Joined && len(l.Hooks.CreateContainer)+len(l.Hooks.StartContainer) > 0 {
			b.hookOutput[i] = b.inherit(func() (*os.File, error) { return hooks.OpenOutput(name, l.Annotations, l.Bundle) })
		}
	}
}

// namespaces decides which namespaces are made and which are joined.
func (b *binding) namespaces() {
	if b.Launch.Joined {
		return
	}
	for _, n := range b.Launch.Namespaces {
		if n.Path == "" {
			b.made |= n.Flag
			continue
		}
		b.joins = append(b.joins, join{Namespace: n})
		if n.Flag == unix.CLONE_NEWPID {
			b.forks = true
		}
	}
	// The user namespace comes first. It comes last for a privileged runtime, which
	// may join any other namespace, while the container's root may not.
	if n := len(b.joins); n > 0 && b.joins[0].Flag == unix.CLONE_NEWUSER && b.privileged() {
		b.joins = append(b.joins[1:n:n], b.joins[0])
	}
	if b.Network != nil && b.made&unix.CLONE_NEWNET != 0 && !b.userns && !b.forks {
		b.ahead = unix.CLONE_NEWNET
	}
	for i := range b.joins {
		b.joins[i].slot = b.inherit(b.namespaceOpener(b.joins[i].Namespace))
	}
	// A process that is cloned into a new pid namespace is its init at once, which
	// saves a fork. With a user namespace this is not possible, since that one has
	// to own the pid namespace.
	if !b.userns {
		b.cloned = b.made & unix.CLONE_NEWPID
	} else if b.made&unix.CLONE_NEWPID != 0 {
		b.forks = true
	}
}

// InUserNamespace reports whether the process is in another user namespace than
// the runtime.
func (r *Request) InUserNamespace() bool {
	flags := r.InitNamespaces
	for _, n := range r.Launch.Namespaces {
		flags |= n.Flag
	}
	return flags&unix.CLONE_NEWUSER != 0
}

// SharesMounts reports whether the container has the runtime's mount namespace.
func SharesMounts(l *plan.Launch) bool {
	for _, n := range l.Namespaces {
		if n.Flag == unix.CLONE_NEWNS {
			return false
		}
	}
	return true
}

// opener opens a descriptor that the child inherits.
type opener func() (*os.File, error)

// inherit reserves the slot of a descriptor that the child inherits, and records how
// to open it. Doing both in one place keeps slots and descriptors in the same order.
func (b *binding) inherit(open opener) program.Slot {
	b.openers = append(b.openers, open)
	return b.prog.Inherit(1)
}

// callers returns the opener of a file that the caller has opened.
func callers(f *os.File) opener { return func() (*os.File, error) { return f, nil } }

// namespaceOpener returns the opener of a namespace that is joined by its path.
func (b *binding) namespaceOpener(n plan.Namespace) opener {
	return func() (*os.File, error) {
		f, err := openNamespace(n)
		if err != nil {
			return nil, err
		}
		for _, refuse := range []func(plan.Namespace, *os.File) error{refuseHostMounts, b.refuseHostNames, b.refuseHostSysctl} {
			if err := refuse(n, f); err != nil {
				f.Close()
				return nil, err
			}
		}
		return f, nil
	}
}

// open opens what the child inherits, in the order of the slots.
func (b *binding) open() (files []*os.File, err error) {
	defer func() {
		if err != nil {
			b.closeAll(files)
			files = nil
		}
	}()
	for _, open := range b.openers {
		f, err := open()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	if b.tree == nil {
		return files, nil
	}
	defer b.closeMaps()
	more, err := b.tree.Open(b.mappedNamespace, b.Warn)
	return append(files, more...), err
}

// privileged reports whether the runtime is root, be it only in a user namespace.
func (b *binding) privileged() bool { return b.facts.may(unix.CAP_SYS_ADMIN) }

// checkGroups refuses early what the child would fail to do.
func (b *binding) checkGroups() error {
	p := &b.Launch.Process
	if len(p.Groups) == 0 || b.Launch.Joined || b.Launch.UserMaps.Empty() || !idmap.OwnGroup(b.Launch.UserMaps) {
		return nil
	}
	err := fmt.Errorf("%s: cannot be set: an ordinary user who maps only their own group cannot call setgroups(2)", b.field("user.additionalGids"))
	return fault.Hint(err, "map a range of /etc/subgid in linux.gidMappings")
}

// openNamespace opens a namespace by path and checks that it has the right type
// (ioctl_nsfs(2), NS_GET_NSTYPE).
func openNamespace(n plan.Namespace) (*os.File, error) {
	f, err := sys.OpenNamespace(n.Path)
	if err != nil {
		return nil, fmt.Errorf("%s.path: %w", n.Field, err)
	}
	flag, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || uint64(flag) != n.Flag {
		f.Close()
		return nil, fmt.Errorf("%s.path: %s is not a %s namespace", n.Field, n.Path, n.Type)
	}
	return f, nil
}

// refuseHostMounts refuses to join the runtime's own mount namespace by path: the
// container's root would become the root of every process in it.
func refuseHostMounts(n plan.Namespace, f *os.File) error {
	if n.Flag != unix.CLONE_NEWNS {
		return nil
	}
	own, err := sys.IsFile(f, "/proc/self/ns/mnt")
	if err == nil && own {
		err = fault.Hint(fmt.Errorf("%s.path: %s is the host's own mount namespace", n.Field, n.Path), "to share it, omit it from linux.namespaces")
	}
	return err
}

// refuseHostNames refuses to set the names of the host, whose uts namespace is joined by path.
func (b *binding) refuseHostNames(n plan.Namespace, f *os.File) error {
	field := "hostname"
	if b.Launch.Hostname == "" {
		field = "domainname"
	}
	if n.Flag != unix.CLONE_NEWUTS || b.Launch.Hostname+b.Launch.Domainname == "" {
		return nil
	}
	own, err := sys.IsFile(f, "/proc/self/ns/uts")
	if err == nil && own {
		err = fmt.Errorf("%s: cannot be set in the host's own uts namespace, %s", field, n.Path)
	}
	return err
}

// refuseHostSysctl refuses kernel parameters of a namespace that is joined by
// path and is the runtime's own: they would change the host.
func (b *binding) refuseHostSysctl(n plan.Namespace, f *os.File) error {
	name, prefixes := "", []string(nil)
	switch n.Flag {
	case unix.CLONE_NEWNET:
		name, prefixes = "net", []string{"net/"}
	case unix.CLONE_NEWIPC:
		name, prefixes = "ipc", []string{"kernel/msg", "kernel/sem", "kernel/shm", "kernel/auto_msgmni", "fs/mqueue/"}
	case unix.CLONE_NEWUTS:
		name, prefixes = "uts", []string{"kernel/domainname"}
	}
	for _, s := range b.Launch.Sysctl {
		of := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s.Path, p) })
		if !of {
			continue
		}
		own, err := sys.IsFile(f, "/proc/self/ns/"+name)
		if err != nil {
			return err
		}
		if own {
			return fmt.Errorf("%s: cannot be set in the host's own %s namespace, %s", s.Field, n.Type, n.Path)
		}
	}
	return nil
}

// closeAll closes what was opened here. The caller's files stay open for another attempt.
func (b *binding) closeAll(files []*os.File) {
	for _, f := range files {
		if f != b.Listener && f != b.Init && f != b.Root {
			f.Close()
		}
	}
}

func decimal(n int) string { return strconv.Itoa(n) }
