// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// Restore describes a restore of a checkpoint.
type Restore struct {
	*RestoreOptions
	Root    string      // the container's root on the host
	Mounts  []Source    // external mounts
	Inherit []File      // replacements of external descriptors and namespaces of the checkpoint
	Join    []Namespace // existing namespaces to join instead of those in the images
	Cgroups []Cgroup    // the container's cgroups
	Into    *os.File    // cgroup v2 directory that CRIU is started in; may be nil
	Mapped  bool        // the processes have a user namespace of their own
	Label   string      // mount option with the SELinux label of device nodes that are made; may be empty
	Rooted  bool        // the container has a cgroup namespace with Into as its root

	Placed func(pid int) error // called with CRIU's pid, to move it into cgroups; may be nil
	Notify func(Notice) error  // called for each notification of CRIU; may be nil
}

// Source is the source of an external mount.
type Source struct {
	Name string // as in [Mount]
	Path string // on the host
	Seal bool   // it is a device node of the host, which the container must not change
	Node *Node  // a device node to make; if that is refused, the one of the host at Path is used
}

// Node is a device node that belongs to the container.
type Node struct {
	Mode     uint32
	Dev      uint64
	UID, GID int // of the host
}

// File is an open file and the key that it has in the checkpoint.
type File struct {
	Key  string
	File *os.File
}

// Namespace is a namespace that the processes join.
type Namespace struct {
	Type string // ipc or uts
	Path string
}

// Cgroup is the container's directory in one hierarchy.
type Cgroup struct {
	Controller string // empty: cgroup v2
	Path       string // relative to the hierarchy's mount, with a leading slash
}

// Run restores the processes and returns the pid of the first one, which is a child of
// the caller. If CRIU is told to leave cgroups alone, it makes no cgroup namespace, and
// the processes have the one that CRIU was started in.
func (r *Restore) Run() (int, error) {
	const log = "restore.log"
	if err := checkKnown(r.needs()); err != nil {
		return 0, err
	}
	if !r.LazyPages { // otherwise they are elsewhere
		if err := checkPages(r.ImagePath); err != nil {
			return 0, fmt.Errorf("--image-path: %w", err)
		}
	}
	s := session{cgroup: r.Into, rooted: r.Rooted && r.CgroupsMode == "ignore", notify: r.Notify, placed: r.Placed}
	defer s.close()
	if err := s.mountOnThread(r.Root); err != nil {
		return 0, err
	}
	if err := s.onThread(func() error { return seal(r.Mounts) }); err != nil {
		return 0, err
	}
	work, err := s.showWork(&r.Options) // before share covers it: by default it is the directory of the images
	if err != nil {
		return 0, err
	}
	if r.Mapped {
		if err := s.onThread(func() error { return share(r.ImagePath) }); err != nil {
			return 0, fmt.Errorf("--image-path: %w", err)
		}
		if err := s.onThread(func() error { return makeNodes(r.Label, r.Mounts) }); err != nil {
			return 0, err
		}
	}
	opts, err := r.request(&s, r.Root, log, work)
	if err != nil {
		return 0, err
	}
	r.add(&s, opts)
	_ = os.Remove(filepath.Join(r.work(), log)) // an old log would mislead explain
	resp, err := s.do(&rpc.CriuReq{Type: ptr(rpc.CriuReqType_RESTORE), Opts: opts})
	if err != nil {
		return 0, s.explain(err, r.work(), log)
	}
	return int(resp.GetRestore().GetPid()), nil
}

// add sets the options that only a restore has.
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
