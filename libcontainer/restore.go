// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/criu"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// restoring is a restore that is under way.
type restoring struct {
	*making
	pid        int    // of the first process; 0 until CRIU has made it
	lsmProfile string // of --lsm-profile
}

// Restore makes a container of the configuration l, raw as it was read, whose
// processes are those of a checkpoint. On error nothing is left.
func (h *Host) Restore(l *plan.Launch, raw []byte, io IO, o *criu.RestoreOptions) (_ *Container, _ *Process, err error) {
	if err := CheckID(l.ID); err != nil {
		return nil, nil, err
	}
	if launch.SharesMounts(l) {
		return nil, nil, fault.New(fault.CRIUFailed, "linux.namespaces: CRIU cannot restore a container without a mount namespace of its own")
	}
	if err := checkNamespaces(l); err != nil {
		return nil, nil, err
	}
	if err := checkDevices(l, o.EmptyNetwork); err != nil {
		return nil, nil, err
	}
	streams, err := readStreams(o.ImagePath)
	if err != nil {
		return nil, nil, err
	}
	m := h.newMaking(l, raw, io)
	defer m.end(&err)
	if err := m.findCgroup(); err != nil {
		return nil, nil, err
	}
	if err := m.claim(true); err != nil {
		return nil, nil, err
	}
	if io.Subreaper {
		if err := sys.Subreaper(); err != nil {
			return nil, nil, err
		}
	}
	r := &restoring{making: m, lsmProfile: o.LSMProfile}
	if err := r.run(o, streams); err != nil {
		return nil, nil, err
	}
	if err := m.poststart(l.Hooks.Poststart); err != nil {
		return nil, nil, err
	}
	c, p := m.made()
	return c, p, nil
}

// run has CRIU restore the processes.
func (r *restoring) run(o *criu.RestoreOptions, streams []string) (err error) {
	points, err := rootfs.MakePoints(r.plan.Rootfs, rootfs.TheHost)
	if err != nil {
		return err
	}
	defer points.Close()
	job := &criu.Restore{RestoreOptions: o, Root: r.plan.Rootfs.Path, Placed: r.group.Join, Notify: r.notified, Rooted: namespaceFlags(r.plan)&unix.CLONE_NEWCGROUP != 0, Mapped: !r.plan.UserMaps.Empty(), Label: r.plan.Rootfs.MountLabel}
	if job.Mounts, err = r.sources(points); err != nil {
		return err
	}
	namespaces, err := r.joined()
	defer closeAll(namespaces)
	if err != nil {
		return err
	}
	for i := range r.plan.Namespaces {
		if n := &r.plan.Namespaces[i]; joins(n) {
			job.Join = append(job.Join, criu.Namespace{Type: string(n.Type), Path: n.Path})
		}
	}
	inherited, err := r.inherited(streams)
	if err != nil {
		return err
	}
	job.Inherit = append(inherited, namespaces...)
	for _, d := range r.group.Directories() {
		job.Cgroups = append(job.Cgroups, rootsOf(d)...)
	}
	if r.enter != nil {
		job.Placed = r.enter
	} else if job.Into, err = r.group.Open(); err != nil {
		return err
	}
	if job.Into != nil {
		defer job.Into.Close()
	}
	if r.pid, err = job.Run(); err != nil {
		return fault.In(fault.Launch, fault.Default(fault.CRIUFailed, err))
	}
	if err := r.entry.Commit(); err != nil {
		return err
	}
	return r.announceInit(&launch.Running{Pid: r.pid, Pidfd: r.process.Pidfd})
}

// notified does the runtime's part of the restore when CRIU says that it is
// time for it.
func (r *restoring) notified(n criu.Notice) error {
	switch n.Script {
	case "setup-namespaces":
		return r.setUp(n.Pid)
	case "post-restore":
		return r.restored(n.Pid)
	case "pre-resume": // its labels are there, and it does not yet go on
		return r.labelled()
	case "orphan-pts-master":
		if n.File == nil {
			return errors.New("criu sent no terminal")
		}
		err := r.process.takeConsole(n.File, r.io)
		if err == nil && r.process.Console != nil {
			err = setPlain(r.process.Console, r.io.PlainOutput) // the checkpoint's may have had it otherwise
		}
		return err
	}
	return nil
}

// setUp runs when the first process has its namespaces, and nothing more.
func (r *restoring) setUp(pid int) error {
	pidfd, err := sys.Pidfd(pid)
	if err != nil {
		return err
	}
	defer pidfd.Close()
	l := *r.plan
	if l.NetDevices, err = netdev.Missing(l.NetDevices, fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
		return err
	}
	return r.mounted(&l, &launch.Running{Pid: pid, Pidfd: pidfd})
}

// restored runs when all processes are there and do not yet go on. CRIU, which
// was in the cgroup until now, was not to be limited.
func (r *restoring) restored(pid int) (err error) {
	if r.process.Pidfd, err = sys.Pidfd(pid); err != nil {
		return err
	}
	r.process.Pid = pid
	r.undo.Push(r.process.end)
	if err := r.unit.settle(); err != nil {
		return err
	}
	if err := r.group.Limit(); err != nil {
		return err
	}
	if err := r.joinClocks(pid); err != nil {
		return err
	}
	return r.prepare(&launch.Running{Pid: pid, Pidfd: r.process.Pidfd})
}

// joinClocks has an exec join the time namespace of the first process. CRIU makes
// one, whether the configuration has it or not, so that the clocks go on from
// where they were; and restores no process that has another than the first.
func (r *restoring) joinClocks(pid int) error {
	f, err := sys.OpenNamespace(fmt.Sprintf("/proc/%d/ns/time", pid))
	if errors.Is(err, os.ErrNotExist) {
		return nil // the kernel has none
	}
	if err != nil {
		return err
	}
	defer f.Close()
	own, err := sys.IsFile(f, "/proc/self/ns/time")
	if err == nil && !own {
		r.record.Namespaces |= unix.CLONE_NEWTIME
	}
	return err
}

// labelled ends the process if it has not the label that it should have.
func (r *restoring) labelled() error {
	process := r.plan.Process
	switch module, name, _ := strings.Cut(r.lsmProfile, ":"); module {
	case "apparmor":
		process.AppArmor = name
	case "selinux":
		process.SELinux = name
	}
	err := lsm.Restored(r.process.Pid, &process)
	if err == nil {
		return nil
	}
	return errors.Join(err, r.process.Signal(unix.SIGKILL)) // CRIU, who holds it, has to be told before it can be waited for
}

// sources are the external mounts of the checkpoint, made of what the
// configuration says now.
func (r *restoring) sources(points *rootfs.Points) (list []criu.Source, err error) {
	for _, m := range rootfs.External(r.plan.Rootfs, cgroupView(r.plan, r.group), rootfs.TheHost) {
		point, err := points.Of(m.Destination)
		if err == nil {
			err = checkKey(point)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.destination: %w", m.Field, err)
		}
		list = append(list, criu.Source{Name: point, Path: m.Source})
		if m.Recursive {
			beneath, err := sourcesBeneath(point, m.Source)
			if err != nil {
				return nil, fmt.Errorf("%s.source: %w", m.Field, err)
			}
			list = append(list, beneath...)
		}
	}
	if maps := r.plan.UserMaps; !maps.Empty() {
		for _, d := range rootfs.OwnDevices(r.plan.Rootfs.Devices) {
			uid, _ := proc.HostID(maps.UID, d.UID) // root's where it is not mapped, as in a new container
			gid, _ := proc.HostID(maps.GID, d.GID)
			node := &criu.Node{Mode: d.Mode, Dev: unix.Mkdev(d.Major, d.Minor), UID: int(uid), GID: int(gid)}
			list = append(list, criu.Source{Name: rootfs.NodeName(d), Path: d.Path, Node: node})
		}
	}
	return append(list, criu.Source{Name: maskSource, Path: maskSource, Seal: true}), nil
}

// sourcesBeneath are the mounts that a recursive bind on point brings along.
func sourcesBeneath(point, source string) (list []criu.Source, err error) {
	if source, err = filepath.EvalSymlinks(source); err != nil {
		return nil, err
	}
	points, err := mountPoints(os.Getpid())
	if err != nil {
		return nil, err
	}
	for _, path := range points {
		if rel, ok := strings.CutPrefix(path, strings.TrimSuffix(source, "/")+"/"); ok && rel != "" {
			list = append(list, criu.Source{Name: filepath.Join(point, rel), Path: path})
		}
	}
	return list, nil
}

// inherited are the caller's standard streams, where the checkpoint's were
// pipes, sockets, or files and terminals from outside.
func (r *restoring) inherited(streams []string) (list []criu.File, err error) {
	own := [...]*os.File{r.io.Stdin, r.io.Stdout, r.io.Stderr}
	for fd, key := range streams {
		i := slices.IndexFunc(outsideKeys, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		if i < 0 {
			continue
		}
		if outsideKeys[i] == terminalKey {
			var st unix.Stat_t
			if err := unix.Fstat(int(own[fd].Fd()), &st); err != nil || !isTerminal(&st) {
				return nil, fault.With(fault.Usage, fmt.Errorf("%s must be a terminal: it was one when the container was checkpointed", streamNames[fd]))
			}
		}
		list = append(list, criu.File{Key: key, File: own[fd]})
	}
	return list, nil
}

// outsideKeys begin the names of what is the caller's.
var outsideKeys = []string{"pipe:", "socket:", fileKey, terminalKey}

// joined opens the namespaces that have a path.
func (r *restoring) joined() (list []criu.File, err error) {
	for i := range r.plan.Namespaces {
		n := &r.plan.Namespaces[i]
		_, key := externalKey(n)
		if key == "" {
			continue
		}
		f, err := sys.OpenNamespace(n.Path)
		if err != nil {
			return list, fmt.Errorf("%s.path: %w", n.Field, err)
		}
		list = append(list, criu.File{Key: key, File: f})
	}
	return list, nil
}

func closeAll(files []criu.File) {
	for _, f := range files {
		f.File.Close()
	}
}

// rootsOf says where the processes go in one hierarchy.
func rootsOf(d cgroup.Directory) (list []criu.Cgroup) {
	path := strings.TrimPrefix(d.Path, strings.TrimSuffix(d.Mount, "/"))
	if d.Controllers == nil {
		return []criu.Cgroup{{Path: path}}
	}
	for _, name := range d.Controllers {
		list = append(list, criu.Cgroup{Controller: name, Path: path})
	}
	return list
}

// readStreams reads what the standard streams of a checkpoint were.
func readStreams(images string) (streams []string, err error) {
	b, err := os.ReadFile(filepath.Join(images, streamsFile))
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("--image-path: %w", err), "the directory may not contain a complete checkpoint")
	}
	if err := json.Unmarshal(b, &streams); err != nil || len(streams) > 3 {
		return nil, fmt.Errorf("--image-path: %s: must be an array of at most three strings: %v", streamsFile, err)
	}
	return streams, nil
}
