// SPDX-License-Identifier: Apache-2.0

// Package plan has the [Launch]: what a config.json asks for, with every word resolved
// to a value, and the same on every host. It also has the vocabularies that several
// packages share. From a Launch, package launch makes the program that the child runs on
// this host.
//
// Nothing in this package makes a system call.
package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Launch is the compiled config.json of one create or exec. Flags are integers, paths
// are clean, ids are checked; nothing in it depends on the host.
//
// Sections that a single facility uses as a whole (resources, seccomp, hooks, network
// devices, intelRdt) keep the types of runtime-spec, rather than being copied into types
// of our own.
type Launch struct {
	ID          string            // container id
	Bundle      string            // absolute path of the bundle
	OCIVersion  string            // config.json's ociVersion, for the state document
	Annotations map[string]string // config.json's annotations

	// Joined is true for an exec, which joins the namespaces of an existing
	// container and so has no rootfs operations, and false for a create.
	Joined bool

	Namespaces  []Namespace  // in the order in which they are to be entered
	UserMaps    UserMaps     // of a new user namespace
	TimeOffsets []TimeOffset // of a new time namespace
	Rootfs      Rootfs
	Hostname    string
	Domainname  string
	Sysctl      []Sysctl // sorted by key
	Cgroup      Cgroup
	NetDevices  map[string]specs.LinuxNetDevice
	IntelRdt    *specs.LinuxIntelRdt
	Seccomp     *specs.LinuxSeccomp
	// SeccompStrict: an unknown system call is an error.
	SeccompStrict bool
	SeccompAgent  string // JSON path of the field that Seccomp.ListenerPath comes from
	SeccompRaw    []byte // a filter, as struct sock_filter, in place of Seccomp
	Hooks         specs.Hooks
	Process       Process
}

// Namespace is one namespace to create (Path empty) or to join.
type Namespace struct {
	Field string // JSON path, "linux.namespaces[2]"
	Type  specs.LinuxNamespaceType
	Flag  uint64 // CLONE_NEW*
	Path  string // of the namespace to join, absolute; empty for a new one
}

// UserMaps are the id mappings of a new user namespace.
type UserMaps struct {
	UID, GID []specs.LinuxIDMapping
}

// Empty reports whether no mapping is given.
func (m UserMaps) Empty() bool { return len(m.UID) == 0 && len(m.GID) == 0 }

// IDRanges lists, for errors, the ids inside the namespace that a list of mappings has:
// "0-65535, 70000".
func IDRanges(list []specs.LinuxIDMapping) string {
	if len(list) == 0 {
		return "none"
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b specs.LinuxIDMapping) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	var b strings.Builder
	for i := 0; i < len(list); {
		first, end := uint64(list[i].ContainerID), uint64(list[i].ContainerID)
		for ; i < len(list) && uint64(list[i].ContainerID) == end; i++ {
			end += uint64(list[i].Size)
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, first)
		if end > first+1 {
			fmt.Fprintf(&b, "-%d", end-1)
		}
	}
	return b.String()
}

// TimeOffset is one line of /proc/PID/timens_offsets.
type TimeOffset struct {
	Clock string // "monotonic" or "boottime"
	Secs  int64
	Nsecs uint32
}

// Sysctl is one kernel parameter; Path is relative to /proc/sys, with slashes.
type Sysctl struct {
	Field string // JSON path, `linux.sysctl["net.ipv4.ip_forward"]`
	Path  string // "net/ipv4/ip_forward"
	Value string
}

// Rootfs describes everything that is done in the mount namespace.
type Rootfs struct {
	Path        string // absolute path of the root file system on the host; empty when there is no new mount namespace to build
	Readonly    bool   // root.readonly
	NoPivot     bool   // --no-pivot: MS_MOVE and chroot in place of pivot_root
	Propagation uint64 // MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, perhaps | MS_REC, of / after the pivot; 0 if not given (then: slave, recursively, while building, as runc does)
	Mounts      []Mount
	Devices     []Device // linux.devices, then the default ones that it does not name
	Masked      []string // linux.maskedPaths, clean
	ReadonlyP   []string // linux.readonlyPaths, clean
	MountLabel  string   // linux.mountLabel as a mount option, "context=LABEL"
}

// Mount is one entry of mounts, every option resolved.
type Mount struct {
	Field       string // JSON path, "mounts[3]"
	Destination string // absolute and clean
	Type        string // file system type; "bind" or empty for a bind
	Source      string // absolute and clean for a bind; else as given
	Bind        bool   // bind, rbind or type bind
	Recursive   bool   // rbind
	Remount     bool   // remount: change what is mounted at Destination

	// Superblock flags of mount(2) to set (MS_SYNCHRONOUS, MS_DIRSYNC,
	// MS_MANDLOCK, MS_LAZYTIME, MS_I_VERSION, MS_SILENT) and to clear.
	SuperSet, SuperClear uint64

	// Attributes of mount_setattr(2), MOUNT_ATTR_*; the second pair applies
	// to the whole tree (rro, rnosuid ...). Setting any access-time attribute
	// has MOUNT_ATTR__ATIME in the clear word, as the kernel wants it.
	AttrSet, AttrClear       uint64
	RecAttrSet, RecAttrClear uint64

	// AttrUnnamed are attributes that no option of a bind names, although its
	// options name others. The bind does not take these over from its source, unless
	// they are locked.
	AttrUnnamed uint64 `json:",omitempty"`

	Propagation []uint64 // MS_PRIVATE|MS_REC ..., in the order given
	Data        []string // options for the file system: "key" or "key=value"
	CopyUp      bool     // tmpcopyup: copy what the tmpfs hides into it

	CopyLink        bool `json:",omitempty"` // copy-symlink: a source that is a symlink is copied, not mounted
	SourceLink      bool `json:",omitempty"` // src-nofollow: a source that is a symlink is mounted itself
	DestinationLink bool `json:",omitempty"` // dest-nofollow: a destination that is a symlink is mounted on itself

	IDMap *IDMap // idmapped mount
}

// IDMap describes an idmapped mount.
type IDMap struct {
	UID, GID  []specs.LinuxIDMapping // both empty: the container's own user namespace
	Recursive bool                   // ridmap
}

// Device is one device node to make. Path is clean and absolute.
type Device struct {
	Field        string // JSON path, or "" for a default device
	Path         string
	Mode         uint32 // S_IFCHR, S_IFBLK or S_IFIFO, and permission bits
	Major, Minor uint32
	UID, GID     uint32
}

// Cgroup says where the container's cgroup is made and what limits it has.
type Cgroup struct {
	Path      string // linux.cgroupsPath as given; empty for the default
	Systemd   bool   // the systemd driver: Path is "slice:prefix:name", from which Unit and Slice come
	Unit      string // the unit to make: "skiff-web.scope", or a slice
	Slice     string // the slice that it is in
	Subgroup  string // the container's cgroup is this one below the unit's; empty: it is the unit's
	Delegate  string // a cgroup below the container's, which the container manages and in which its processes start; empty for none
	Resources *specs.LinuxResources
	Mounted   bool // a cgroup file system is mounted read-write on /sys/fs/cgroup (delegation)
	// Exec only: sub-cgroup for the process, by controller ("" for cgroup v2).
	Sub map[string]string
	// SystemdProps maps names of the unit's properties to their checked GVariant
	// text; they come from org.systemd.property.* annotations.
	SystemdProps map[string]string
}

// Process is the program to start and what it may do.
type Process struct {
	Field       string // "process" (config.json) or "" (process.json): prefix for JSON paths in errors
	Args        []string
	Env         []string // last of each name wins, order of first appearance kept
	Cwd         string
	ListenPID   bool // LISTEN_PID is set to its own pid
	Terminal    bool
	ConsoleRows uint16 // 0: unchanged
	ConsoleCols uint16
	UID, GID    uint32
	Groups      []uint32
	KeepGroups  bool // the caller's supplementary groups stay; Groups is empty
	Umask       *uint32
	NoNewPrivs  bool
	Caps        Caps
	Rlimits     []Rlimit
	OOMScoreAdj *int

	AppArmor string
	SELinux  string

	Scheduler    *Scheduler
	IOPriority   *uint32 // ioprio_set(2)'s value: class<<13 | priority
	CPUInitial   []byte  // execCPUAffinity.initial as a CPU mask, little end first
	CPUFinal     []byte
	Personality  *uint32
	MemoryPolicy *MemoryPolicy
}

// WithEnv returns p with a variable of the environment set.
func (p Process) WithEnv(name, value string) Process {
	p = p.WithoutEnv(name)
	p.Env = append(p.Env, name+"="+value)
	return p
}

// WithoutEnv returns p without a variable of the environment. The environment of p
// itself is not changed.
func (p Process) WithoutEnv(name string) Process {
	p.Env = slices.DeleteFunc(slices.Clone(p.Env), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	return p
}

// Caps are the five capability sets as bit masks (1<<CAP_*).
// Given is false when config.json has no capabilities object.
type Caps struct {
	Given                                                bool
	Bounding, Effective, Inheritable, Permitted, Ambient uint64
}

// Rlimit is one resource limit; ^uint64(0) is no limit.
type Rlimit struct {
	Field      string // JSON path, "process.rlimits[0]"
	Name       string // "RLIMIT_NOFILE"
	Resource   int
	Soft, Hard uint64
}

// Scheduler is struct sched_attr of sched_setattr(2).
type Scheduler struct {
	Name                      string // "SCHED_FIFO"
	Policy                    uint32
	Flags                     uint64
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64
}

// MemoryPolicy is set_mempolicy(2)'s mode (flags or'ed in) and node mask.
type MemoryPolicy struct {
	Name  string // "MPOL_BIND", without flags
	Mode  uint32
	Nodes []byte // little end first
}
