// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/criu"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// streamsFile is the name of the file, beside the images, that says what the standard
// streams were: a JSON array of the three keys by which CRIU identifies them. The name
// is runc's.
const streamsFile = "descriptors.json"

// Checkpoint has CRIU dump the processes of the container to images. Unless they are to
// be left running, or the dump is a pre-dump, they are then ended, and the container is
// deleted. l is compiled from the container's configuration.
func (c *Container) Checkpoint(l *plan.Launch, o *criu.DumpOptions) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.mayCheckpoint(); err != nil {
		return err
	}
	if err := checkNamespaces(l); err != nil {
		return err
	}
	if err := checkDevices(l, o.EmptyNetwork); err != nil {
		return err
	}
	d := &criu.Dump{DumpOptions: o, Pid: c.record.Pid, Root: l.Rootfs.Path}
	d.Serving = unlock // serving pages can take long: meanwhile the container can be killed or deleted
	if d.Freezer, err = c.freezer(); err != nil {
		return err
	}
	if !o.PreDump {
		if d.Mounts, err = c.externalMounts(l); err != nil {
			return err
		}
	}
	streams, files, err := c.streams(o.ShellJob)
	if err != nil {
		return err
	}
	d.External = append(files, c.externalNamespaces(l)...)
	if !o.PreDump { // before the dump, since a restore with lazy pages begins before it ends
		if err := c.writeStreams(o.ImagePath, streams); err != nil {
			return err
		}
	}
	if err := c.warnStrays(); err != nil {
		return err
	}
	if err := fault.Default(fault.CRIUFailed, d.Run()); err != nil {
		_ = os.Remove(filepath.Join(o.ImagePath, streamsFile)) // the images are not a checkpoint
		return err
	}
	if o.PreDump || o.LeaveRunning {
		return nil
	}
	if o.LazyPages {
		unlock() // if CRIU's notification has not come
		if _, err := c.lock(); errors.Is(err, ErrNotExist) {
			return nil // it was deleted meanwhile
		} else if err != nil {
			return err
		}
	}
	c.deleteDumped()
	return nil
}

// deleteDumped deletes the container, which is now in the images. If that fails, the
// checkpoint has still succeeded: after an error the caller would throw the images
// away.
func (c *Container) deleteDumped() {
	err := c.awaitInit()
	if err == nil {
		err = c.destroy(removal{stopped: true})
	}
	if err != nil {
		c.host.warn("the checkpoint is complete, but the container could not be deleted: %v (use delete --force %s)", err, c.ID())
	}
}

func (c *Container) writeStreams(images string, streams []string) error {
	b, err := json.Marshal(streams)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(images, 0o700); err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	if _, err := sys.Publish(filepath.Join(images, streamsFile), b, 0o600, c.entry.Path()); err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	return nil
}

func (c *Container) mayCheckpoint() error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Created:
		return fault.New(fault.NotRunning, "cannot checkpoint a container that has not started")
	case status != Running && status != Paused:
		return fmt.Errorf("cannot checkpoint: %w: it is %s", ErrNotRunning, status)
	case c.record.Under != 0:
		return fault.New(fault.CRIUFailed, "cannot checkpoint a container without a mount namespace of its own")
	}
	return nil
}

// freezer returns the cgroup directory by which CRIU can freeze all processes; it is
// empty if the container has no cgroup.
func (c *Container) freezer() (string, error) {
	g, err := c.group()
	if err != nil || g.Empty() {
		return "", err
	}
	if path := c.record.Cgroups["freezer"]; path != "" {
		return path, nil
	}
	return c.record.Cgroups[""], nil
}

// externalMounts returns the mounts that come from outside the container: bind mounts,
// device nodes and masks of files. Each has the mount point as the kernel shows it,
// because that is what CRIU sees: the destination in config.json may lead through
// symlinks of the image.
func (c *Container) externalMounts(l *plan.Launch) (list []criu.Mount, err error) {
	points, err := mountPoints(c.record.Pid)
	if err != nil {
		return nil, err
	}
	root, err := sys.OpenPath(fmt.Sprintf("/proc/%d/root", c.record.Pid), unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	view, err := c.cgroupView(l)
	if err != nil {
		return nil, err
	}
	var recursive []string
	for _, m := range rootfs.External(l.Rootfs, view, rootfs.TheHost) {
		if m.IDMap != nil {
			return nil, fault.With(fault.CRIUFailed, fmt.Errorf("%s: CRIU cannot restore an idmapped mount", m.Field))
		}
		point, err := pointOf(root, m.Destination, points)
		if err == nil {
			err = checkKey(point)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.destination: %w", m.Field, err)
		}
		list = append(list, criu.Mount{Point: point, Name: point})
		if m.Recursive {
			recursive = append(recursive, point)
		}
	}
	beneath, err := c.beneath(l, root, recursive, points)
	if err != nil {
		return nil, err
	}
	list = append(list, beneath...)
	for _, d := range rootfs.OwnDevices(l.Rootfs.Devices) {
		if point, err := pointOf(root, d.Path, points); err == nil && c.isDevice(point) {
			list = append(list, criu.Mount{Point: point, Name: rootfs.NodeName(d)}) // the host's node, in a user namespace
		}
	}
	for _, path := range l.Rootfs.Masked {
		point, err := pointOf(root, path, points)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.isDevice(point) {
			list = append(list, criu.Mount{Point: point, Name: maskSource})
		}
	}
	return list, nil
}

// isDevice reports whether a device is mounted at a mount point of the container.
func (c *Container) isDevice(point string) bool {
	st, err := os.Lstat(fmt.Sprintf("/proc/%d/root%s", c.record.Pid, point))
	return err == nil && st.Mode()&os.ModeDevice != 0
}

// beneath returns the submounts that came with recursive bind mounts: all mounts below
// them that the configuration does not make itself.
func (c *Container) beneath(l *plan.Launch, root *os.File, binds []string, points map[uint64]string) (list []criu.Mount, err error) {
	if len(binds) == 0 {
		return nil, nil
	}
	made := make(map[string]bool)
	for i := range l.Rootfs.Mounts {
		if point, err := pointOf(root, l.Rootfs.Mounts[i].Destination, points); err == nil {
			made[point] = true
		}
	}
	for _, path := range slices.Concat(l.Rootfs.Masked, l.Rootfs.ReadonlyP) {
		if point, err := pointOf(root, path, points); err == nil {
			made[point] = true
		}
	}
	for _, point := range points {
		if made[point] || !below(point, binds) {
			continue
		}
		if err := checkKey(point); err != nil {
			return nil, err
		}
		list = append(list, criu.Mount{Point: point, Name: point})
	}
	return list, nil
}

// below reports whether path is below one of the directories.
func below(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") })
}

// maskSource is what masked files show, and CRIU's key for these mounts.
const maskSource = "/dev/null"

// checkKey refuses a mount point that CRIU could not parse back from the key of an
// external mount. A restore would mount something else, perhaps at a place that the
// image chooses (CVE-2026-119101).
func checkKey(point string) error {
	if i := strings.IndexFunc(point, func(r rune) bool { return r == ']' || r < ' ' }); i >= 0 {
		return fault.With(fault.CRIUFailed, fmt.Errorf("CRIU cannot handle the mount point %q: it contains %q", point, point[i:i+1]))
	}
	return nil
}

// mountPoints returns the mount points of a process by mount id.
func mountPoints(pid int) (map[uint64]string, error) {
	table, err := sys.ReadMounts(strconv.Itoa(pid))
	if err != nil {
		return nil, err
	}
	points := make(map[uint64]string)
	for m := range proc.Mounts(table) {
		points[m.ID] = m.Point
	}
	return points, nil
}

// pointOf returns the mount point of the mount that path leads to in the container.
func pointOf(root *os.File, path string, points map[uint64]string) (string, error) {
	f, err := sys.OpenIn(root, path, unix.O_PATH)
	if err != nil {
		return "", err
	}
	defer f.Close()
	id, err := sys.MountIDOf(f)
	if err != nil {
		return "", err
	}
	point, ok := points[id]
	if !ok {
		return "", fmt.Errorf("%s is not on a mount of the container", path)
	}
	return point, nil
}

// cgroupView is [cgroupView] for an existing container.
func (c *Container) cgroupView(l *plan.Launch) (v rootfs.CgroupView, err error) {
	v = rootfs.CgroupView{Namespace: namespaceFlags(l)&unix.CLONE_NEWCGROUP != 0}
	g, err := c.group()
	if err != nil {
		return v, err
	}
	if g.Empty() {
		// The container stayed in the cgroup of the runtime that created it, which is
		// most likely our own.
		outside, err := cgroup.New(cgroup.Config{Disabled: true})
		return cgroupView(l, outside), err
	}
	points, err := mountPoints(os.Getpid())
	if err != nil {
		return v, err
	}
	for _, d := range g.Directories() {
		if g.Legacy() && d.Controllers == nil {
			continue
		}
		if d.Mount, err = hierarchyOf(d.Path, points); err != nil {
			return v, err
		}
		if !g.Legacy() {
			v.Unified = d.Mount
			continue
		}
		v.Hierarchies = append(v.Hierarchies, hierarchy(d))
	}
	return v, nil
}

// hierarchyOf returns the mount point of the hierarchy that a cgroup is in.
func hierarchyOf(path string, points map[uint64]string) (string, error) {
	f, err := sys.OpenPath(path, unix.O_DIRECTORY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	id, err := sys.MountIDOf(f)
	return points[id], err
}

// streams returns CRIU's keys of the standard streams, and those among them that it
// must be told are external: open files that are on no mount of the container. Pipes
// and sockets are not external. An external terminal is refused unless the caller knows
// about it (shellJob), because restore will need another one.
func (c *Container) streams(shellJob bool) (keys, external []string, err error) {
	points, err := mountPoints(c.record.Pid)
	if err != nil {
		return nil, nil, err
	}
	for fd := range 3 {
		path := fmt.Sprintf("/proc/%d/fd/%d", c.record.Pid, fd)
		key, err := os.Readlink(path)
		if errors.Is(err, os.ErrNotExist) {
			keys = append(keys, "")
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if strings.HasPrefix(key, "/") {
			file, err := outsideFile(c.record.Pid, fd, path, points)
			if err != nil {
				return nil, nil, err
			}
			if strings.HasPrefix(file, terminalKey) && !shellJob {
				err := fault.New(fault.CRIUFailed, "cannot checkpoint: "+streamNames[fd]+" is a terminal of skiff's caller")
				return nil, nil, fault.Hint(err, "use --shell-job and restore from a terminal, or set process.terminal to give the container its own")
			}
			if file != "" {
				key = file
				external = append(external, file)
			}
		}
		keys = append(keys, key)
	}
	return keys, external, nil
}

var streamNames = [...]string{"standard input", "standard output", "standard error"}

// isTerminal reports whether a file is a terminal, from its major number
// (Documentation/admin-guide/devices.txt).
func isTerminal(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	major := unix.Major(st.Rdev)
	return major == 4 || major == 5 || major >= 136 && major <= 143
}

// The prefixes of CRIU's keys for external files and terminals.
const (
	fileKey     = "file["
	terminalKey = "tty["
)

// outsideFile returns CRIU's key for an open file that is on none of the container's
// mounts, or an empty string for any other file.
func outsideFile(pid, fd int, path string, points map[uint64]string) (string, error) {
	b, err := sys.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	if err != nil {
		return "", err
	}
	text, ok := proc.Value(string(b), proc.Colon, "mnt_id")
	if !ok {
		return "", nil
	}
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || points[id] != "" {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if isTerminal(&st) {
		return fmt.Sprintf(terminalKey+"%x:%x]", st.Rdev, st.Dev), nil
	}
	return fmt.Sprintf(fileKey+"%x:%x]", id, st.Ino), nil
}
