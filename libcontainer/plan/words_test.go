// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapability(t *testing.T) {
	for number, name := range map[int]string{
		unix.CAP_CHOWN: "CAP_CHOWN", unix.CAP_KILL: "CAP_KILL", unix.CAP_SETPCAP: "CAP_SETPCAP", unix.CAP_NET_ADMIN: "CAP_NET_ADMIN",
		unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_SYS_RESOURCE: "CAP_SYS_RESOURCE", unix.CAP_MKNOD: "CAP_MKNOD", unix.CAP_SETFCAP: "CAP_SETFCAP",
		unix.CAP_AUDIT_READ: "CAP_AUDIT_READ", unix.CAP_CHECKPOINT_RESTORE: "CAP_CHECKPOINT_RESTORE",
	} {
		if CapabilityName(number) != name || CapabilityNumber(name) != number {
			t.Errorf("%d is %s; %s is %d", number, CapabilityName(number), name, CapabilityNumber(name))
		}
	}
	if n := len(CapabilityNames); n != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names for %d capabilities", n, unix.CAP_LAST_CAP+1)
	}
	if a, b := CapabilityName(-1), CapabilityName(41); a != "capability -1" || b != "capability 41" {
		t.Error(a, b)
	}
	for _, name := range []string{"", "KILL", "cap_kill", "CAP_", "CAP_NOSUCH"} {
		if n := CapabilityNumber(name); n != -1 {
			t.Errorf("%q is %d", name, n)
		}
	}
	for _, name := range CapabilityNames {
		if strings.Count(strings.Join(CapabilityNames[:], " ")+" ", name+" ") != 1 {
			t.Errorf("%s is there twice", name)
		}
	}
}

func TestNamespaceNames(t *testing.T) {
	for flags, want := range map[uint64]string{
		0: "", unix.CLONE_NEWNS: "mount", unix.CLONE_NEWTIME | unix.CLONE_NEWUSER: "user|time", unix.CLONE_FILES: "",
		unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP: "mount|pid|network|ipc|uts|cgroup",
		^uint64(0): "user|mount|pid|network|ipc|uts|cgroup|time",
	} {
		if got := NamespaceNames(flags); got != want {
			t.Errorf("%#x: %q, expected %q", flags, got, want)
		}
	}
}

// Each type is listed once and has one flag of its own, and the kernel has its file and
// its limit.
func TestNamespaceTypes(t *testing.T) {
	var all uint64
	for _, n := range NamespaceTypes {
		if n.Flag == 0 || n.Flag&(n.Flag-1) != 0 || all&n.Flag != 0 {
			t.Errorf("%s: flag %#x, others have %#x", n.Type, n.Flag, all)
		}
		all |= n.Flag
		if _, err := os.Stat("/proc/self/ns/" + n.File); err != nil {
			t.Errorf("%s: %v", n.Type, err)
		}
		b, err := os.ReadFile("/proc/sys/user/max_" + n.File + "_namespaces")
		if _, notNumber := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && notNumber != nil {
			t.Errorf("%s: %v", n.Type, notNumber)
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(listed[:])), []int{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("listed %v", listed)
	}
}
