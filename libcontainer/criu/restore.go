package criu

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// Restore is a checkpoint to bring back.
type Restore struct {
	*RestoreOptions
	Root    string      // of the container, on the host
	Mounts  []Source    // external mounts
	Inherit []File      // what stands for descriptors and namespaces of the checkpoint
	Join    []Namespace // of those in the images, what exists
	Cgroups []Cgroup    // where the processes go
	Into    *os.File    // cgroup v2 that CRIU is started in; may be nil
	Mapped  bool        // the processes have a user namespace of their own
	Label   string      // option with the SELinux label of nodes that are made; may be empty
	Rooted  bool        // the container has a cgroup namespace, with Into for its root

	Placed func(pid int) error // moves CRIU into cgroups; may be nil
	Notify func(Notice) error
}

// Source is what an external mount is made of.
type Source struct {
	Name string // as in [Mount]
	Path string // on the host
	Seal bool   // the container must not change it: a device node of the host
	Node *Node  // a device node that is made, or if that is refused, the host's at Path
}

// Node is a device node of the container's own.
type Node struct {
	Mode     uint32
	Dev      uint64
	UID, GID int // the host's
}

// File is an open file and the key that the checkpoint has for it.
type File struct {
	Key  string
	File *os.File
}

// Namespace is one that the processes join.
type Namespace struct {
	Type string // ipc or uts
	Path string
}

// Cgroup is the container's directory in one hierarchy.
type Cgroup struct {
	Controller string // empty: cgroup v2
	Path       string // relative to the hierarchy's mount, with a leading slash
}

// Run restores the processes. The first of them is a child of the caller. The
// result is its pid. A CRIU that is told to leave cgroups alone makes no cgroup
// namespace: then the processes have CRIU's own.
func (r *Restore) Run() (int, error) {
	const log = "restore.log"
	if err := checkKnown(r.needs()); err != nil {
		return 0, err
	}
	if !r.LazyPages { // else they are elsewhere
		if err := checkPages(r.ImagePath); err != nil {
			return 0, fmt.Errorf("--image-path: %w", err)
		}
	}
	s := session{cgroup: r.Into, rooted: r.Rooted && r.CgroupsMode == "ignore", notify: r.Notify, placed: r.Placed}
	defer s.close()
	if err := s.mounted(r.Root); err != nil {
		return 0, err
	}
	if err := s.inside(func() error { return seal(r.Mounts) }); err != nil {
		return 0, err
	}
	work, err := s.showWork(&r.Options) // before it may be covered: it is where the images are, if nobody says otherwise
	if err != nil {
		return 0, err
	}
	if r.Mapped {
		if err := s.inside(func() error { return share(r.ImagePath) }); err != nil {
			return 0, fmt.Errorf("--image-path: %w", err)
		}
		if err := s.inside(func() error { return makeNodes(r.Label, r.Mounts) }); err != nil {
			return 0, err
		}
	}
	opts, err := r.request(&s, r.Root, log, work)
	if err != nil {
		return 0, err
	}
	r.add(&s, opts)
	_ = os.Remove(filepath.Join(r.work(), log)) // an old one would explain nothing
	resp, err := s.do(&rpc.CriuReq{Type: ptr(rpc.CriuReqType_RESTORE), Opts: opts})
	if err != nil {
		return 0, s.explain(err, r.work(), log)
	}
	return int(resp.GetRestore().GetPid()), nil
}

// add adds what only a restore has.
func (r *Restore) add(s *session, o *rpc.CriuOpts) {
	o.RstSibling = ptr(true)
	if r.LSMProfile != "" {
		o.LsmProfile = ptr(r.LSMProfile)
	}
	if r.LSMMountContext != "" {
		o.LsmMountContext = ptr(r.LSMMountContext)
	}
	for _, m := range r.Mounts {
		o.ExtMnt = append(o.ExtMnt, &rpc.ExtMountMap{Key: ptr(m.Name), Val: ptr(m.Path)})
	}
	for _, f := range r.Inherit {
		o.InheritFd = append(o.InheritFd, &rpc.InheritFd{Key: ptr(f.Key), Fd: s.pass(f.File)})
	}
	for _, n := range r.Join {
		o.JoinNs = append(o.JoinNs, &rpc.JoinNamespace{Ns: ptr(n.Type), NsFile: ptr(n.Path)})
	}
	for _, c := range r.Cgroups {
		o.CgRoot = append(o.CgRoot, &rpc.CgroupRoot{Ctrl: ptr(c.Controller), Path: ptr(c.Path)})
	}
}
