// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// optionKind is what a mount option acts on.
type optionKind uint8

const (
	optNothing         optionKind = iota // the default
	optBind                              // bits: MS_BIND, perhaps MS_REC
	optRemount                           //
	optSuper                             // superblock flags of mount(2)
	optSuperClear                        //
	optAttr                              // MOUNT_ATTR_*
	optAttrClear                         //
	optAtime                             // one of the exclusive access-time attributes
	optRec                               // MOUNT_ATTR_* of the whole tree of mounts
	optRecClear                          //
	optRecAtime                          //
	optPropagation                       // MS_SHARED ..., perhaps MS_REC
	optCopyUp                            //
	optIDMap                             // bits: MS_REC for ridmap
	optCopyLink                          //
	optSourceLink                        //
	optDestinationLink                   //
)

type mountOption struct {
	name string
	kind optionKind
	bits uint64
}

// mountOptions has the options of config.md, "Linux mount options", and crun's options for
// symlinks, sorted by name. Any other option is one of the file system.
//
// A mount has one of relatime, noatime and strictatime. The kernel's default is relatime,
// so the options that turn one off select relatime; but norelatime changes nothing, as in
// mount(2).
var mountOptions = [...]mountOption{
	{"async", optSuperClear, unix.MS_SYNCHRONOUS},
	{"atime", optAtime, unix.MOUNT_ATTR_RELATIME},
	{"bind", optBind, unix.MS_BIND},
	{"copy-symlink", optCopyLink, 0},
	{"defaults", optNothing, 0},
	{"dest-nofollow", optDestinationLink, 0},
	{"dev", optAttrClear, unix.MOUNT_ATTR_NODEV},
	{"diratime", optAttrClear, unix.MOUNT_ATTR_NODIRATIME},
	{"dirsync", optSuper, unix.MS_DIRSYNC},
	{"exec", optAttrClear, unix.MOUNT_ATTR_NOEXEC},
	{"idmap", optIDMap, 0},
	{"iversion", optSuper, unix.MS_I_VERSION},
	{"lazytime", optSuper, unix.MS_LAZYTIME},
	{"loud", optSuperClear, unix.MS_SILENT},
	{"mand", optSuper, unix.MS_MANDLOCK},
	{"noatime", optAtime, unix.MOUNT_ATTR_NOATIME},
	{"nodev", optAttr, unix.MOUNT_ATTR_NODEV},
	{"nodiratime", optAttr, unix.MOUNT_ATTR_NODIRATIME},
	{"noexec", optAttr, unix.MOUNT_ATTR_NOEXEC},
	{"noiversion", optSuperClear, unix.MS_I_VERSION},
	{"nolazytime", optSuperClear, unix.MS_LAZYTIME},
	{"nomand", optSuperClear, unix.MS_MANDLOCK},
	{"norelatime", optNothing, 0},
	{"nostrictatime", optAtime, unix.MOUNT_ATTR_RELATIME},
	{"nosuid", optAttr, unix.MOUNT_ATTR_NOSUID},
	{"nosymfollow", optAttr, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"private", optPropagation, unix.MS_PRIVATE},
	{"ratime", optRecAtime, unix.MOUNT_ATTR_RELATIME},
	{"rbind", optBind, unix.MS_BIND | unix.MS_REC},
	{"rdev", optRecClear, unix.MOUNT_ATTR_NODEV},
	{"rdiratime", optRecClear, unix.MOUNT_ATTR_NODIRATIME},
	{"relatime", optAtime, unix.MOUNT_ATTR_RELATIME},
	{"remount", optRemount, 0},
	{"rexec", optRecClear, unix.MOUNT_ATTR_NOEXEC},
	{"ridmap", optIDMap, unix.MS_REC},
	{"rnoatime", optRecAtime, unix.MOUNT_ATTR_NOATIME},
	{"rnodev", optRec, unix.MOUNT_ATTR_NODEV},
	{"rnodiratime", optRec, unix.MOUNT_ATTR_NODIRATIME},
	{"rnoexec", optRec, unix.MOUNT_ATTR_NOEXEC},
	{"rnorelatime", optRecAtime, unix.MOUNT_ATTR_RELATIME},
	{"rnostrictatime", optRecAtime, unix.MOUNT_ATTR_RELATIME},
	{"rnosuid", optRec, unix.MOUNT_ATTR_NOSUID},
	{"rnosymfollow", optRec, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", optAttr, unix.MOUNT_ATTR_RDONLY},
	{"rprivate", optPropagation, unix.MS_PRIVATE | unix.MS_REC},
	{"rrelatime", optRecAtime, unix.MOUNT_ATTR_RELATIME},
	{"rro", optRec, unix.MOUNT_ATTR_RDONLY},
	{"rrw", optRecClear, unix.MOUNT_ATTR_RDONLY},
	{"rshared", optPropagation, unix.MS_SHARED | unix.MS_REC},
	{"rslave", optPropagation, unix.MS_SLAVE | unix.MS_REC},
	{"rstrictatime", optRecAtime, unix.MOUNT_ATTR_STRICTATIME},
	{"rsuid", optRecClear, unix.MOUNT_ATTR_NOSUID},
	{"rsymfollow", optRecClear, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", optPropagation, unix.MS_UNBINDABLE | unix.MS_REC},
	{"rw", optAttrClear, unix.MOUNT_ATTR_RDONLY},
	{"shared", optPropagation, unix.MS_SHARED},
	{"silent", optSuper, unix.MS_SILENT},
	{"slave", optPropagation, unix.MS_SLAVE},
	{"src-nofollow", optSourceLink, 0},
	{"strictatime", optAtime, unix.MOUNT_ATTR_STRICTATIME},
	{"suid", optAttrClear, unix.MOUNT_ATTR_NOSUID},
	{"symfollow", optAttrClear, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", optSuper, unix.MS_SYNCHRONOUS},
	{"tmpcopyup", optCopyUp, 0},
	{"unbindable", optPropagation, unix.MS_UNBINDABLE},
}

func findOption(name string) (mountOption, bool) {
	i, ok := slices.BinarySearchFunc(mountOptions[:], name, func(o mountOption, name string) int { return strings.Compare(o.name, name) })
	if !ok {
		return mountOption{}, false
	}
	return mountOptions[i], true
}

func (c *compiler) mounts() {
	c.out.Rootfs.Mounts = make([]plan.Mount, 0, len(c.spec.Mounts))
	for i := range c.spec.Mounts {
		c.mount(&c.spec.Mounts[i], at("mounts", i))
	}
}

func (c *compiler) mount(m *specs.Mount, field string) {
	out := plan.Mount{Field: field, Type: m.Type, Source: m.Source, Bind: m.Type == "bind"}
	var extra []int // indexes of the options of the file system
	for j, o := range m.Options {
		if known, ok := findOption(o); ok {
			apply(&out, known)
		} else if ids, ok := c.idmapOption(o, at(field+".options", j)); ok {
			out.IDMap = ids
		} else if data := fsOptions(m.Type, o); len(data) > 0 {
			extra = append(extra, j)
			out.Data = append(out.Data, data...)
		} else if o != "" {
			c.warn(at(field+".options", j), "ignoring %q, which is not a mount option", o)
		}
	}
	if out.Bind && !out.Remount {
		bindFlags(&out, m.Options)
	}
	c.destination(m, &out)
	c.source(m, &out)
	if kind := withoutOptions(&out); kind != "" {
		for j, o := range m.Options {
			if known, ok := findOption(o); slices.Contains(extra, j) || ok && forSuper(known) {
				c.warn(at(field+".options", j), "%q has no effect on %s", o, kind)
			}
		}
		out.Data = nil
	}
	if out.CopyUp && (out.Bind || out.Type != "tmpfs") {
		c.fault(field+".options", "tmpcopyup requires a mount of type tmpfs")
	}
	if out.DestinationLink && out.Remount {
		c.fault(field+".options", "dest-nofollow cannot be used with remount")
	}
	if out.SourceLink && (!out.Bind || out.Remount) {
		c.warn(field+".options", "copy-symlink and src-nofollow have no effect except on a bind mount")
	}
	c.mountMaps(m, &out)
	if (out.Type == "cgroup" || out.Type == "cgroup2") && filepath.Clean(m.Destination) == "/sys/fs/cgroup" {
		c.out.Cgroup.Mounted = c.out.Cgroup.Mounted || (out.AttrSet|out.RecAttrSet)&unix.MOUNT_ATTR_RDONLY == 0
	}
	c.out.Rootfs.Mounts = append(c.out.Rootfs.Mounts, out)
}

// withoutOptions describes the kind of a mount that can have no options of a file system,
// since the file system exists already, or the runtime chooses it. It is empty for other
// mounts.
func withoutOptions(m *plan.Mount) string {
	switch {
	case m.Bind:
		return "a bind mount"
	case !m.Remount && (m.Type == "cgroup" || m.Type == "cgroup2"):
		return "a mount of cgroups"
	}
	return ""
}

// forSuper reports whether an option sets a flag of the superblock. silent does not count:
// it only suppresses messages of the kernel.
func forSuper(o mountOption) bool { return o.kind == optSuper && o.bits != unix.MS_SILENT }

// apply applies an option to m. Of two that contradict each other, the last one wins.
func apply(m *plan.Mount, o mountOption) {
	switch o.kind {
	case optBind:
		m.Bind = true
		m.Recursive = m.Recursive || o.bits&unix.MS_REC != 0
	case optRemount:
		m.Remount = true
	case optSuper:
		change(&m.SuperSet, &m.SuperClear, o.bits)
	case optSuperClear:
		change(&m.SuperClear, &m.SuperSet, o.bits)
	case optAttr:
		change(&m.AttrSet, &m.AttrClear, o.bits)
	case optAttrClear:
		change(&m.AttrClear, &m.AttrSet, o.bits)
	case optAtime:
		accessTime(&m.AttrSet, &m.AttrClear, o.bits)
	case optRec:
		change(&m.RecAttrSet, &m.RecAttrClear, o.bits)
	case optRecClear:
		change(&m.RecAttrClear, &m.RecAttrSet, o.bits)
	case optRecAtime:
		accessTime(&m.RecAttrSet, &m.RecAttrClear, o.bits)
	case optPropagation:
		m.Propagation = append(m.Propagation, o.bits)
	case optCopyUp:
		m.CopyUp = true
	case optIDMap:
		m.IDMap = &plan.IDMap{Recursive: o.bits&unix.MS_REC != 0}
	case optCopyLink:
		m.CopyLink, m.SourceLink = true, true
	case optSourceLink:
		m.SourceLink = true
	case optDestinationLink:
		m.DestinationLink = true
	}
}

func change(to, from *uint64, bits uint64) {
	*to |= bits
	*from &^= bits
}

// accessTime sets one of the exclusive access-time attributes. The kernel requires that the
// whole field is cleared with it (mount_setattr(2)).
func accessTime(set, clr *uint64, bits uint64) {
	*set = *set&^unix.MOUNT_ATTR__ATIME | bits
	*clr |= unix.MOUNT_ATTR__ATIME
}

func (c *compiler) destination(m *specs.Mount, out *plan.Mount) {
	field := out.Field + ".destination"
	if m.Destination == "" {
		c.fault(field, "is required")
		return
	}
	dest := m.Destination
	if !filepath.IsAbs(dest) {
		c.warn(field, "%q is not an absolute path, which is deprecated: it is taken as relative to /", dest)
		dest = "/" + dest
	}
	out.Destination = filepath.Clean(dest)
	switch {
	case out.Destination == "/" && !out.Remount:
		c.fault(field, "must not be the container's root directory, which root.path sets")
	case out.Destination == "/proc" && out.Type != "proc" && !out.Bind && !out.Remount:
		c.fault(field, "only a mount of type proc, or a bind mount of one, can be mounted on /proc")
	case strings.HasPrefix(out.Destination, "/proc/") && !out.Remount && !onProc(out.Destination):
		c.fault(field, "%q cannot be mounted because it is inside /proc", m.Destination)
	}
}

// onProc reports whether path is a file of /proc that a mount may replace: in these files
// lxcfs shows the container's share of the machine.
func onProc(path string) bool {
	switch path {
	case "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
		"/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled":
		return true
	}
	return false
}

func (c *compiler) source(m *specs.Mount, out *plan.Mount) {
	switch {
	case out.Remount:
		return
	case !out.Bind && out.Type == "":
		c.fault(out.Field+".type", "is required unless it is a bind mount")
		return
	case !out.Bind:
		return
	case m.Source == "":
		c.fault(out.Field+".source", "is required for a bind mount")
		return
	}
	out.Type = "bind"
	if !filepath.IsAbs(out.Source) {
		out.Source = filepath.Join(c.Bundle, out.Source)
	}
	out.Source = filepath.Clean(out.Source)
}

// mountMaps compiles the mappings of an idmapped mount.
func (c *compiler) mountMaps(m *specs.Mount, out *plan.Mount) {
	given := len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0
	if !given && out.IDMap == nil {
		return
	}
	if (len(m.UIDMappings) > 0) != (len(m.GIDMappings) > 0) {
		c.fault(out.Field, "uidMappings and gidMappings must both be set, or neither")
	}
	if out.Remount {
		c.fault(out.Field, "a remount cannot be idmapped")
	}
	if out.IDMap != nil && len(out.IDMap.UID)+len(out.IDMap.GID) > 0 {
		if given {
			c.fault(out.Field, "uidMappings and gidMappings conflict with the mappings in the option idmap")
		}
		return
	}
	c.maps(m.UIDMappings, out.Field+".uidMappings")
	c.maps(m.GIDMappings, out.Field+".gidMappings")
	if out.IDMap == nil {
		out.IDMap = new(plan.IDMap)
	}
	if !given && !c.has(specs.UserNamespace) {
		c.fault(out.Field, "idmap requires uidMappings and gidMappings, or a user namespace")
	}
	out.IDMap.UID, out.IDMap.GID = m.UIDMappings, m.GIDMappings
}
