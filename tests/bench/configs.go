// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// dockerCaps are the capabilities that docker and containerd give a container.
var dockerCaps = strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID
	CAP_SETUID CAP_SETFCAP CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE`)

// dockerMasked and dockerReadonly are docker's default paths.
var (
	dockerMasked = strings.Fields(`/proc/asound /proc/acpi /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
		/proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap`)
	dockerReadonly = strings.Fields("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger")
)

// dockerSeccomp returns docker's default seccomp profile, for dockerCaps and this host.
func dockerSeccomp() (*specs.LinuxSeccomp, error) {
	return seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: dockerCaps}}})
}

// likeDocker configures a container as docker run does without options, with limits of
// memory, CPUs and processes where there are controllers for them.
func likeDocker(s *specs.Spec, profile *specs.LinuxSeccomp, controllers []string) {
	s.Hostname = "0123456789ab"
	s.Root.Readonly = false
	s.Process.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=0123456789ab", "HOME=/root"}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: dockerCaps, Effective: dockerCaps, Permitted: dockerCaps}
	s.Process.NoNewPrivileges, s.Process.Rlimits = false, nil
	s.Process.OOMScoreAdj = new(int)
	s.Mounts = []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=67108864"}},
		{Destination: "/etc/resolv.conf", Type: "bind", Source: "/etc/passwd", Options: []string{"rbind", "rprivate"}},
		{Destination: "/etc/hostname", Type: "bind", Source: "/etc/passwd", Options: []string{"rbind", "rprivate"}},
		{Destination: "/etc/hosts", Type: "bind", Source: "/etc/passwd", Options: []string{"rbind", "rprivate"}},
	}
	s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = dockerMasked, dockerReadonly
	s.Linux.Seccomp = profile
	s.Linux.Resources = &specs.LinuxResources{Devices: dockerDevices()}
	limit(s.Linux.Resources, controllers)
}

// dockerDevices are the rules of docker: nothing but the usual devices.
func dockerDevices() []specs.LinuxDeviceCgroup {
	allow := func(major, minor int64) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "rwm"}
	}
	all := []specs.LinuxDeviceCgroup{{Access: "rwm"}}
	for _, minor := range []int64{5, 3, 9, 8} {
		all = append(all, allow(1, minor))
	}
	return append(all, allow(5, 0), allow(5, 1))
}

// limit adds limits for those of the controllers that are there.
func limit(r *specs.LinuxResources, controllers []string) {
	has := func(name string) bool { return slices.Contains(controllers, name) }
	if has("memory") {
		bytes := int64(256 << 20)
		r.Memory = &specs.LinuxMemory{Limit: &bytes}
	}
	if has("cpu") {
		shares, quota, period := uint64(512), int64(50000), uint64(100000)
		r.CPU = &specs.LinuxCPU{Shares: &shares, Quota: &quota, Period: &period}
	}
	if has("pids") {
		most := int64(100)
		r.Pids = &specs.LinuxPids{Limit: &most}
	}
}

// inWords names what is limited.
func inWords(controllers []string) string {
	known := slices.DeleteFunc([]string{"memory", "cpu", "pids"}, func(name string) bool { return !slices.Contains(controllers, name) })
	if len(known) == 0 {
		return "no limits"
	}
	return "limits: " + strings.Join(known, ", ")
}

// likeKubernetes configures a container as the kubelet does by containerd: in the
// namespaces of a pause process, with the files and volumes of a pod.
func likeKubernetes(s *specs.Spec, profile *specs.LinuxSeccomp, controllers []string, pause int) {
	likeDocker(s, profile, controllers)
	for i := range s.Linux.Namespaces {
		n := &s.Linux.Namespaces[i]
		if name := joined[n.Type]; name != "" {
			n.Path = fmt.Sprintf("/proc/%d/ns/%s", pause, name)
		}
	}
	s.Hostname = "" // that of the pod
	for i := range 9 {
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: fmt.Sprintf("/tmp/volume%d", i), Type: "bind", Source: "/bench",
			Options: []string{"rbind", "rprivate", []string{"ro", "rw"}[i%2]},
		})
	}
	adjust := 1000
	s.Process.OOMScoreAdj = &adjust
	for i := range 20 {
		s.Process.Env = append(s.Process.Env, fmt.Sprintf("SERVICE_%d_PORT_443_TCP_ADDR=10.96.0.%d", i, i))
	}
}

// joined has the namespaces that the containers of a pod share, by their name in /proc.
var joined = map[specs.LinuxNamespaceType]string{
	specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts",
}

// pause is a process whose namespaces containers join.
type pause struct{ cmd *exec.Cmd }

func newPause() (*pause, error) {
	p := &pause{exec.Command("/bin/busybox", "sleep", "100000")}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS, Pdeathsig: unix.SIGKILL}
	return p, p.cmd.Start()
}

func (p *pause) end() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
