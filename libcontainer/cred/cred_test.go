// SPDX-License-Identifier: Apache-2.0

package cred

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/listing"
	"golang.org/x/sys/unix"
)

const (
	chown    = uint64(1) << unix.CAP_CHOWN
	kill     = uint64(1) << unix.CAP_KILL
	setpcap  = uint64(1) << unix.CAP_SETPCAP
	bind     = uint64(1) << unix.CAP_NET_BIND_SERVICE
	sysadmin = uint64(1) << unix.CAP_SYS_ADMIN
	unknown  = uint64(1) << 60
)

// full are five sets that are the same, as engines give them.
func full(mask uint64) plan.Caps {
	return plan.Caps{Given: true, Bounding: mask, Effective: mask, Inheritable: mask, Permitted: mask, Ambient: mask}
}

// root has no ambient set, as root in docker.
func root(mask uint64) plan.Caps {
	c := full(mask)
	c.Inheritable, c.Ambient = 0, 0
	return c
}

var becomeTests = map[string]struct {
	proc           plan.Process
	granted, spare uint64
	userns         bool
	want           string
}{
	// config.json without capabilities: all sets are empty except the bounding set,
	// which is left alone.
	"without capabilities": {
		proc: plan.Process{Field: "process", Caps: plan.Caps{Bounding: ^uint64(0)}}, granted: All,
		want: `
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x0, 0x0, 0x0)  # process.capabilities
		`,
	},
	"empty capabilities": {
		proc: plan.Process{Field: "process", Caps: plan.Caps{Given: true}}, granted: All,
		want: `
			bounding(0x0)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x0, 0x0, 0x0)  # process.capabilities
		`,
	},
	"root": {
		proc: plan.Process{Field: "process", Caps: root(chown | kill)}, granted: All,
		want: `
			bounding(0x21)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x21, 0x21, 0x0)  # process.capabilities
		`,
	},
	// A change of the user id away from 0 clears the capabilities, so KeepCaps comes first.
	"user": {
		proc: plan.Process{Field: "process", UID: 1000, GID: 100, Groups: []uint32{10, 20}, Caps: full(bind)}, granted: All,
		want: `
			bounding(0x400)  # process.capabilities.bounding
			keepcaps()
			setgroups(data[8])  # process.user.additionalGids
			stdio(1000)
			setid(1000, 100)  # process.user
			capset(0x400, 0x400, 0x400)  # process.capabilities
			ambient(0x400)  # process.capabilities.ambient
		`,
	},
	"root with another group": {
		proc: plan.Process{Field: "process", GID: 5, Caps: root(0)}, granted: All,
		want: `
			bounding(0x0)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 5)  # process.user
			capset(0x0, 0x0, 0x0)  # process.capabilities
		`,
	},
	// process.json of exec --process has no "process" around its members.
	"exec": {
		proc: plan.Process{UID: 1, GID: 2, Caps: full(kill)}, granted: All,
		want: `
			bounding(0x20)  # capabilities.bounding
			keepcaps()
			setgroups()  # user.additionalGids
			stdio(1)
			setid(1, 2)  # user
			capset(0x20, 0x20, 0x20)  # capabilities
			ambient(0x20)  # capabilities.ambient
		`,
	},
	"user namespace": {
		proc: plan.Process{Field: "process", Caps: root(chown)}, granted: All, userns: true,
		want: `
			bounding(0x1)  # process.capabilities.bounding
			setgroups(flags=optional)  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x1, 0x1, 0x0)  # process.capabilities
		`,
	},
	"user namespace with groups": {
		proc: plan.Process{Field: "process", Groups: []uint32{7}, Caps: root(chown)}, granted: All, userns: true,
		want: `
			bounding(0x1)  # process.capabilities.bounding
			setgroups(flags=optional, data[4])  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x1, 0x1, 0x0)  # process.capabilities
		`,
	},
	"groups of the caller": {
		proc: plan.Process{Field: "process", UID: 1000, GID: 1000, KeepGroups: true, Caps: root(chown)}, granted: All, userns: true,
		want: `
			bounding(0x1)  # process.capabilities.bounding
			keepcaps()
			stdio(1000)
			setid(1000, 1000)  # process.user
			capset(0x1, 0x1, 0x0)  # process.capabilities
		`,
	},
	// The runtime cannot give what it does not have. The bounding set can be shrunk to
	// any set.
	"runtime with fewer": {
		proc: plan.Process{Field: "process", Caps: full(chown | kill | sysadmin)}, granted: chown | sysadmin,
		want: `
			bounding(0x200021)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x200001, 0x200001, 0x200001)  # process.capabilities
			ambient(0x200001)  # process.capabilities.ambient
		`,
	},
	"runtime with none": {
		proc: plan.Process{Field: "process", UID: 5, Caps: full(chown)}, granted: 0, spare: sysadmin,
		want: `
			bounding(0x1)  # process.capabilities.bounding
			keepcaps()
			setgroups()  # process.user.additionalGids
			stdio(5)
			setid(5, 0)  # process.user
			capset(0x0, 0x0, 0x0)  # process.capabilities
		`,
	},
	"unknown to the kernel": {
		proc: plan.Process{Field: "process", Caps: root(chown | unknown)}, granted: All,
		want: `
			bounding(0x1000000000000001)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x1, 0x1, 0x0)  # process.capabilities
		`,
	},
	// The kernel refuses an effective one that is not permitted, and an ambient
	// one that is not both permitted and inheritable.
	"effective, not permitted": {
		proc: plan.Process{Field: "process", Caps: plan.Caps{Given: true, Effective: chown | kill, Permitted: kill}}, granted: All,
		want: `
			bounding(0x0)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x20, 0x20, 0x0)  # process.capabilities
		`,
	},
	"permitted, not effective": {
		proc: plan.Process{Field: "process", Caps: plan.Caps{Given: true, Permitted: chown | kill, Effective: kill}}, granted: All,
		want: `
			bounding(0x0)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x20, 0x21, 0x0)  # process.capabilities
		`,
	},
	"ambient, one not inheritable, one not permitted": {
		proc:    plan.Process{Field: "process", UID: 1, Caps: plan.Caps{Given: true, Permitted: chown | kill, Inheritable: chown | bind, Ambient: chown | kill | bind}},
		granted: All,
		want: `
			bounding(0x0)  # process.capabilities.bounding
			keepcaps()
			setgroups()  # process.user.additionalGids
			stdio(1)
			setid(1, 0)  # process.user
			capset(0x0, 0x21, 0x401)  # process.capabilities
			ambient(0x1)  # process.capabilities.ambient
		`,
	},
	// Without no_new_privs, loading the filter takes CAP_SYS_ADMIN, which the program
	// must not have: the child has it until then, and it is not inheritable.
	"spare": {
		proc: plan.Process{Field: "process", UID: 1, Caps: full(kill)}, granted: All, spare: sysadmin | setpcap,
		want: `
			bounding(0x20)  # process.capabilities.bounding
			keepcaps()
			setgroups()  # process.user.additionalGids
			stdio(1)
			setid(1, 0)  # process.user
			capset(0x200120, 0x200120, 0x20)  # process.capabilities
			ambient(0x20)  # process.capabilities.ambient
		`,
	},
	"spare that the runtime has not": {
		proc: plan.Process{Field: "process", Caps: root(kill)}, granted: kill | setpcap, spare: sysadmin | setpcap,
		want: `
			bounding(0x20)  # process.capabilities.bounding
			setgroups()  # process.user.additionalGids
			stdio()
			setid(0, 0)  # process.user
			capset(0x120, 0x120, 0x0)  # process.capabilities
		`,
	},
}

func TestBecome(t *testing.T) {
	for name, tt := range becomeTests {
		t.Run(name, func(t *testing.T) {
			p := new(program.Program)
			Become(p, &tt.proc, tt.granted, tt.spare, tt.userns)
			listing.Compare(t, p, tt.want)
		})
	}
}

// no_new_privs is not a matter of ids and capabilities: what differs is spare.
func TestNoNewPrivs(t *testing.T) {
	with, without := new(program.Program), new(program.Program)
	proc := plan.Process{Field: "process", UID: 1, Caps: full(kill), NoNewPrivs: true}
	Become(with, &proc, All, 0, false)
	proc.NoNewPrivs = false
	Become(without, &proc, All, 0, false)
	listing.Compare(t, with, strings.Join(listing.Of(without), "\n"))
}

// The child finds the groups as setgroups(2) wants them.
func TestGroups(t *testing.T) {
	p := new(program.Program)
	Become(p, &plan.Process{Groups: []uint32{10, 1<<32 - 2, 10}}, All, 0, false)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, g := range []uint32{10, 1<<32 - 2, 10} {
		want = binary.NativeEndian.AppendUint32(want, g)
	}
	if !bytes.Contains(b, want) {
		t.Errorf("the groups are not in the program as they are given:\n%s", p)
	}
}

func TestFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		caps           plan.Caps
		granted, spare uint64
		want           string
	}{
		"no spare":                 {full(kill), All, 0, ""},
		"spare":                    {full(kill), All, sysadmin, "capset(0x20, 0x20, 0x20)  # process.capabilities"},
		"two, one is its own":      {full(kill | setpcap), All, sysadmin | setpcap, "capset(0x120, 0x120, 0x120)  # process.capabilities"},
		"its own":                  {full(kill | sysadmin), All, sysadmin, ""},
		"its own, not effective":   {plan.Caps{Permitted: sysadmin}, All, sysadmin, "capset(0x0, 0x200000, 0x0)  # process.capabilities"},
		"its own, inheritable":     {plan.Caps{Inheritable: sysadmin}, All, sysadmin, "capset(0x0, 0x0, 0x200000)  # process.capabilities"},
		"asked for, not had":       {full(sysadmin), kill, sysadmin, ""},
		"not had":                  {full(kill), kill, sysadmin, ""},
		"runtime with fewer":       {full(kill | chown), chown | sysadmin, sysadmin, "capset(0x1, 0x1, 0x1)  # process.capabilities"},
		"effective, not permitted": {plan.Caps{Effective: sysadmin}, All, sysadmin, "capset(0x0, 0x0, 0x0)  # process.capabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			p := new(program.Program)
			Finish(p, &plan.Process{Field: "process", Caps: tt.caps}, tt.granted, tt.spare)
			listing.Compare(t, p, tt.want)
		})
	}
}

// Whatever is spare is gone in the end: what remains does not depend on it.
func TestNothingSpareRemains(t *testing.T) {
	last := func(spare uint64) string {
		p := new(program.Program)
		proc := &plan.Process{UID: 1, Caps: full(kill | bind)}
		Become(p, proc, All, spare, false)
		Finish(p, proc, All, spare)
		lines := slices.DeleteFunc(listing.Of(p), func(l string) bool { return l[:min(6, len(l))] != "capset" })
		return lines[len(lines)-1]
	}
	for i := range 41 {
		if got := last(1 << i); got != last(0) {
			t.Errorf("%s remains: %s", plan.CapabilityName(i), got)
		}
	}
}

func TestWithheld(t *testing.T) {
	for name, tt := range map[string]struct {
		caps          plan.Caps
		granted, want uint64
	}{
		"all":             {full(kill | chown), All, 0},
		"one":             {full(kill | chown), chown, kill},
		"effective":       {plan.Caps{Effective: kill}, 0, kill},
		"permitted":       {plan.Caps{Permitted: kill}, 0, kill},
		"inheritable":     {plan.Caps{Inheritable: kill}, 0, kill},
		"ambient":         {plan.Caps{Ambient: kill}, 0, kill},
		"bounding":        {plan.Caps{Bounding: kill}, 0, 0}, // it gives nothing
		"unknown, kernel": {full(kill | unknown), All, unknown},
	} {
		if got := Withheld(&plan.Process{Caps: tt.caps}, tt.granted); got != tt.want {
			t.Errorf("%s: %#x, expected %#x", name, got, tt.want)
		}
	}
}

// Granted is what the kernel shows of this process.
func TestGranted(t *testing.T) {
	if want := permitted(t); Granted() != want {
		t.Errorf("%#x, /proc says %#x", Granted(), want)
	}
}

// permitted reads the set from /proc/self/status.
func permitted(t *testing.T) uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "\nCapPrm:\t")
	hex, _, _ := strings.Cut(after, "\n")
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask
}

// All are those of capabilities(7).
func TestAll(t *testing.T) {
	if All != 1<<41-1 {
		t.Errorf("all are %#x", uint64(All))
	}
}
