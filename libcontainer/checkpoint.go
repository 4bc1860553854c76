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
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// streamsFile is beside the images: what the standard streams were, as a JSON
// array of the three keys that CRIU knows them by. The name is the field's.
const streamsFile = "descriptors.json"

// Checkpoint has CRIU write the processes of the container to images. Unless
// it is told to leave them running, or to make a dump ahead, they have ended
// then, and the container is deleted. l is the configuration that the container
// was made with.
func (c *Container) Checkpoint(l *plan.Launch, o *criu.DumpOptions) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.takesCheckpoint(); err != nil {
		return err
	}
	if err := checkNamespaces(l); err != nil {
		return err
	}
	if err := checkDevices(l, o.EmptyNetwork); err != nil {
		return err
	}
	d := &criu.Dump{DumpOptions: o, Pid: c.record.Pid, Root: l.Rootfs.Path}
	d.Serving = unlock // for as long as it takes: who has enough of it may kill the container
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
	if !o.PreDump { // before the dump: a restore with lazy pages does not wait for its end
		if err := c.writeStreams(o.ImagePath, streams); err != nil {
			return err
		}
	}
	if err := c.warnStrays(); err != nil {
		return err
	}
	if err := d.Run(); err != nil {
		_ = os.Remove(filepath.Join(o.ImagePath, streamsFile)) // what is there is no checkpoint
		return err
	}
	if o.PreDump || o.LeaveRunning {
		return nil
	}
	if o.LazyPages {
		unlock() // if CRIU has not asked for it
		if _, err := c.lock(); errors.Is(err, ErrNotExist) {
			return nil // somebody has had enough of it
		} else if err != nil {
			return err
		}
	}
	c.dumped()
	return nil
}

// dumped deletes the container, of which the images have all. That this fails
// is no failure of the checkpoint: who hears of one throws the images away.
func (c *Container) dumped() {
	err := c.awaitInit()
	if err == nil {
		err = c.destroy(removal{stopped: true})
	}
	if err != nil {
		c.host.warn("the checkpoint is made, but the container cannot be deleted: %v (consider delete --force %s)", err, c.ID())
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

func (c *Container) takesCheckpoint() error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Created:
		return errors.New("cannot checkpoint a container that has not started")
	case status != Running && status != Paused:
		return fmt.Errorf("cannot checkpoint: %w: it is %s", ErrNotRunning, status)
	case c.record.Under != 0:
		return errors.New("cannot checkpoint a container without a mount namespace of its own")
	}
	return nil
}

// freezer is the cgroup directory in which CRIU can freeze all processes.
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

// externalMounts are the binds, each by the place where it is in the
// container: that is what CRIU sees, and not what config.json says, which may
// lead through symlinks of the image.
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
			return nil, fmt.Errorf("%s: CRIU cannot restore an idmapped mount", m.Field)
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
			list = append(list, criu.Mount{Point: point, Name: rootfs.NodeName(d)}) // in a user namespace
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

// isDevice tells that what is mounted on a point of the container is a device.
func (c *Container) isDevice(point string) bool {
	st, err := os.Lstat(fmt.Sprintf("/proc/%d/root%s", c.record.Pid, point))
	return err == nil && st.Mode()&os.ModeDevice != 0
}

// beneath are the mounts that have come with recursive binds: all below them
// that the configuration does not make.
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

// below tells whether path is below one of the directories.
func below(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") })
}

// maskSource is what masked files show, and the key of these mounts.
const maskSource = "/dev/null"

// checkKey refuses a mount point that CRIU could not read back from an
// external mount's key: restore would mount something else, or anything at all
// on a place of the image's choice (CVE-2026-119101).
func checkKey(point string) error {
	if i := strings.IndexFunc(point, func(r rune) bool { return r == ']' || r < ' ' }); i >= 0 {
		return fmt.Errorf("the mount is at %q: CRIU cannot read %q back in the name of an external mount", point, point[i:i+1])
	}
	return nil
}

// mountPoints gives the mount points of a process by their id.
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

// pointOf finds the mount point that path in the container leads to.
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
		return "", fmt.Errorf("%s leads to no mount of the container", path)
	}
	return point, nil
}

// cgroupView is [cgroupView] for a container that exists.
func (c *Container) cgroupView(l *plan.Launch) (v rootfs.CgroupView, err error) {
	v = rootfs.CgroupView{Namespace: namespaceFlags(l)&unix.CLONE_NEWCGROUP != 0}
	g, err := c.group()
	if err != nil {
		return v, err
	}
	if g.Empty() {
		// It has been left where its maker was: most likely where we are.
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

// hierarchyOf finds the mount point of the hierarchy that a cgroup is in.
func hierarchyOf(path string, points map[uint64]string) (string, error) {
	f, err := sys.OpenPath(path, unix.O_DIRECTORY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	id, err := sys.MountIDOf(f)
	return points[id], err
}

// streams are the keys of the standard streams. What is no pipe or socket and
// on no mount of the container, is a file from outside, for CRIU to be told of:
// a terminal only where the caller knows of it (shellJob), as restore will want
// another one.
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
				return nil, nil, fmt.Errorf("cannot checkpoint: %s is a terminal of the caller's: consider --shell-job, and restore from another terminal (process.terminal gives the container one of its own)", streamNames[fd])
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

// isTerminal tells whether a file is a terminal, by its major number
// (Documentation/admin-guide/devices.txt).
func isTerminal(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	major := unix.Major(st.Rdev)
	return major == 4 || major == 5 || major >= 136 && major <= 143
}

// The beginning of CRIU's names for files and terminals from outside.
const (
	fileKey     = "file["
	terminalKey = "tty["
)

// outsideFile is CRIU's name for an open file that is on none of the
// container's mounts; else it is empty.
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
