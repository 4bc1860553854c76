// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// listed is a rootfs that is listed in each setup.
type listed struct {
	name string
	main bool // list it in each setup
	plan plan.Rootfs
	view CgroupView
}

// longName is longer than what fsconfig(2) takes.
var longName = strings.Repeat("x", 256)

var long = data("lowerdir=/"+longName, "upperdir=/u", "workdir=/w")

var cases = []listed{
	{name: "nothing", main: true},
	{name: "a whole tree", main: true, plan: plan.Rootfs{
		Readonly: true, MountLabel: `context="u:r:t:s0:c1,c2"`,
		Mounts: mounts(
			fileSystem("proc", "/proc", sets(unix.MOUNT_ATTR_NOSUID)),
			fileSystem("tmpfs", "/dev", sets(unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_STRICTATIME), clears(unix.MOUNT_ATTR__ATIME), data("mode=755", "size=65536k")),
			fileSystem("devpts", "/dev/pts", data("newinstance", "ptmxmode=0666")),
			fileSystem("mqueue", "/dev/mqueue"),
			fileSystem("sysfs", "/sys", sets(unix.MOUNT_ATTR_RDONLY)),
			bind("/src/hosts", "/etc/hosts", recursively, propagates(unix.MS_PRIVATE|unix.MS_REC)),
		),
		Devices: []plan.Device{
			{Path: "/dev/null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3},
			{Field: "linux.devices[0]", Path: "/dev/pipe", Mode: unix.S_IFIFO | 0o600, UID: 1, GID: 2},
			{Field: "linux.devices[1]", Path: "/dev/disk", Mode: unix.S_IFBLK | 0o660, Major: 8, GID: 6},
		},
		Masked:    []string{"/proc/kcore", "/sys/firmware"},
		ReadonlyP: []string{"/proc/sys", "/proc/kcore"},
	}},
	{name: "a bind on dev", main: true, plan: plan.Rootfs{
		NoPivot: true, Mounts: mounts(bind("/dev", "/dev", recursively)),
		Devices: []plan.Device{{Path: "/dev/null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3}},
		Masked:  []string{"/proc/kcore"},
	}},
	{name: "binds", main: true, plan: of(
		bind("/src/a", "/a"),
		fileSystem("tmpfs", "/t"),
		bind("/src/b", "/b", recursively),
	)},
	{name: "a bind of all", plan: of(bind("/", "/host", recursively, readonlyTree))},
	{name: "sources", main: true, plan: of(
		bind("/proc/self/fd/7", "/proc-self"),
		bind("/closed/x", "/closed", recursively),
		bind("/src/a", "/as-it-is", notFollowed),
		bind("/src/link", "/copied", copyLink),
		bind("/src/a", "/no-link", copyLink),
	)},
	{name: "sources in the rootfs", main: true, plan: of(
		bind("/src/a", "/before"),
		bind("/b/rootfs/in/it", "/in-it"),
		bind("/b/rootfs", "/itself", recursively),
		bind("/b/rootfs-too", "/beside", recursively),
		fileSystem("tmpfs", "/after"),
		bind("/proc/self/fd/7", "/proc-self"),
	)},
	{name: "attributes", plan: of(
		bind("/src/a", "/rw", clears(unix.MOUNT_ATTR_RDONLY), sets(unix.MOUNT_ATTR_NOEXEC)),
		bind("/src/b", "/tree", recursively, clears(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID), readonlyTree),
		bind("/src/c", "/defaults", unnamed(unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOSYMFOLLOW), sets(unix.MOUNT_ATTR_RDONLY)),
		bind("/proc/1/x", "/fixed", unnamed(unix.MOUNT_ATTR_NODEV)),
		bind("/b/rootfs/x", "/below", unnamed(unix.MOUNT_ATTR_NODEV), sets(unix.MOUNT_ATTR_NOSUID)),
	)},
	{name: "propagation", main: true, plan: of(
		bind("/src/a", "/private", propagates(unix.MS_PRIVATE)),
		bind("/src/b", "/private-top", recursively, propagates(unix.MS_PRIVATE)),
		bind("/src/c", "/slave", recursively, propagates(unix.MS_SLAVE|unix.MS_REC)),
		bind("/src/d", "/two", recursively, propagates(unix.MS_UNBINDABLE|unix.MS_REC, unix.MS_SHARED)),
		bind("/proc/self/x", "/ahead", propagates(unix.MS_SHARED)),
		bind("/b/rootfs/x", "/below", propagates(unix.MS_PRIVATE, unix.MS_SLAVE)),
		fileSystem("tmpfs", "/t", propagates(unix.MS_SHARED|unix.MS_REC)),
	)},
	{name: "file systems", plan: of(
		fileSystem("tmpfs", "/ro", sets(unix.MOUNT_ATTR_RDONLY)),
		fileSystem("tmpfs", "/ro/tree", readonlyTree, data("mode=700")),
		fileSystem("tmpfs", "/up", copyUp),
		fileSystem("ext4", "/disk", sets(unix.MOUNT_ATTR_RDONLY), super(unix.MS_SYNCHRONOUS|unix.MS_LAZYTIME, unix.MS_MANDLOCK)),
		fileSystem("mqueue", "/q"),
		fileSystem("sysfs", "/sys"),
	)},
	{name: "places", plan: of(
		bind("/src/proc", "/proc"),
		bind("/src/cpuinfo", "/proc/cpuinfo"),
		bind("/src/a", "/on/link", onLink),
		fileSystem("proc", "/other/proc", onLink),
	)},
	{name: "options for mount", main: true, plan: of(
		bind("/src/a", "/before"),
		fileSystem("overlay", "/o", long, sets(unix.MOUNT_ATTR_RDONLY)),
		bind("/src/b", "/after"),
		fileSystem("tmpfs", "/after-too"),
		bind("/src/c", "/tree", recursively, unnamed(unix.MOUNT_ATTR_NOSUID)),
		fileSystem("ext4", "/i", super(unix.MS_I_VERSION, 0)),
		bind("/closed/x", "/closed"),
	)},
	{name: "options that lead into the rootfs", plan: of(
		fileSystem("overlay", "/o", data("lowerdir=/b/rootfs/x")),
		bind("/src/a", "/after"),
	)},
	{name: "a medium in the rootfs", plan: of(
		with(fileSystem("ext4", "/d"), func(m *plan.Mount) { m.Source = "/b/rootfs/disk" }),
		fileSystem("tmpfs", "/after"),
	)},
	{name: "remounts", plan: of(
		fileSystem("tmpfs", "/t", data("size=1m")),
		bind("/src/a", "/a"),
		bind("/src/link", "/l", copyLink),
		remount("/t", data("size=2m"), super(0, unix.MS_SYNCHRONOUS), sets(unix.MOUNT_ATTR_RDONLY)),
		remount("/a", bound, sets(unix.MOUNT_ATTR_NOEXEC), propagates(unix.MS_PRIVATE|unix.MS_REC)),
		remount("/l", bound, readonlyTree),
		remount("/elsewhere", bound),
		fileSystem("tmpfs", "/a"),
		remount("/a/below", bound),
	)},
	{name: "idmapped binds", main: true, plan: of(
		bind("/src/a", "/a", mapped),
		bind("/src/b", "/b", recursively, mappedTree),
		bind("/b/rootfs/x", "/below", mapped),
		bind("/b/rootfs/y", "/tree-below", recursively, mappedTree),
		bind("/proc/self/x", "/proc-self", mapped),
		bind("/closed/x", "/closed", recursively, mappedTree),
		bind("/src/link", "/copied", copyLink, mapped),
	)},
	{name: "idmapped file systems", plan: of(
		fileSystem("tmpfs", "/t", mapped),
		fileSystem("tmpfs", "/ro", sets(unix.MOUNT_ATTR_RDONLY), mapped),
		fileSystem("ext4", "/d", super(unix.MS_I_VERSION, 0), mapped),
	)},
	{name: "cgroup v2", plan: of(fileSystem("cgroup", "/sys/fs/cgroup", sets(unix.MOUNT_ATTR_RDONLY))), view: CgroupView{Namespace: true, Unified: "/cg"}},
	{name: "cgroup v2 of the host", plan: of(fileSystem("cgroup", "/sys/fs/cgroup", clears(unix.MOUNT_ATTR_RDONLY))), view: CgroupView{Unified: "/cg"}},
	{name: "cgroup v1", plan: of(fileSystem("cgroup", "/sys/fs/cgroup", sets(unix.MOUNT_ATTR_RDONLY))), view: CgroupView{Namespace: true, Hierarchies: v1}},
	{name: "cgroup v1 of the host", plan: of(fileSystem("cgroup", "/sys/fs/cgroup")), view: CgroupView{Hierarchies: v1}},
}

var v1 = []Hierarchy{
	{Name: "cpu,cpuacct", Options: []string{"cpu", "cpuacct"}, Path: "/cg/cpu,cpuacct/web"},
	{Name: "systemd", Options: []string{"none", "name=systemd"}, Path: "/cg/systemd/web"},
}

func of(list ...plan.Mount) plan.Rootfs { return plan.Rootfs{Mounts: list} }

func mounts(list ...plan.Mount) []plan.Mount { return list }

// option is an option of a mount, as specconv resolves it.
type option func(m *plan.Mount)

func bind(source, destination string, options ...option) plan.Mount {
	return with(plan.Mount{Type: "bind", Bind: true, Source: source, Destination: destination}, options...)
}

func fileSystem(fsType, destination string, options ...option) plan.Mount {
	return with(plan.Mount{Type: fsType, Source: fsType, Destination: destination}, options...)
}

func remount(destination string, options ...option) plan.Mount {
	return with(plan.Mount{Destination: destination, Remount: true}, options...)
}

func with(m plan.Mount, options ...option) plan.Mount {
	for _, c := range options {
		c(&m)
	}
	return m
}

func data(list ...string) option {
	return func(m *plan.Mount) { m.Data = append(m.Data, list...) }
}
func sets(attrs uint64) option          { return func(m *plan.Mount) { m.AttrSet |= attrs } }
func clears(attrs uint64) option        { return func(m *plan.Mount) { m.AttrClear |= attrs } }
func unnamed(attrs uint64) option       { return func(m *plan.Mount) { m.AttrUnnamed |= attrs } }
func propagates(kinds ...uint64) option { return func(m *plan.Mount) { m.Propagation = kinds } }
func super(set, clear uint64) option {
	return func(m *plan.Mount) { m.SuperSet, m.SuperClear = set, clear }
}

func recursively(m *plan.Mount)  { m.Recursive = true }
func readonlyTree(m *plan.Mount) { m.RecAttrSet |= unix.MOUNT_ATTR_RDONLY }
func copyUp(m *plan.Mount)       { m.CopyUp = true }
func onLink(m *plan.Mount)       { m.DestinationLink = true }
func notFollowed(m *plan.Mount)  { m.SourceLink = true }
func copyLink(m *plan.Mount)     { m.CopyLink, m.SourceLink = true, true }
func bound(m *plan.Mount)        { m.Bind = true }
func mapped(m *plan.Mount)       { m.IDMap = new(plan.IDMap) }
func mappedTree(m *plan.Mount)   { m.IDMap = &plan.IDMap{Recursive: true} }
