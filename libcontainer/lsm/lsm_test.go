// SPDX-License-Identifier: Apache-2.0

package lsm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/listing"
	"golang.org/x/sys/unix"
)

// files is a host that has these files, and SELinux's file system if one of them is
// in it. It records what it is asked for.
type files map[string]string

const (
	enabled = "/sys/module/apparmor/parameters/enabled"
	context = "/sys/fs/selinux/context" // has the one label that the policy knows
)

func (f files) host() (*host, *[]string) {
	asked := new([]string)
	open := func(path string) (string, error) {
		*asked = append(*asked, path)
		text, ok := f[path]
		if !ok {
			return "", fmt.Errorf("open %s: %w", path, unix.ENOENT)
		}
		if text == "denied" {
			return "", fmt.Errorf("open %s: %w", path, unix.EACCES)
		}
		return text, nil
	}
	return &host{
		read: func(path string) ([]byte, error) {
			text, err := open(path)
			return []byte(text), err
		},
		write: func(path string, b []byte) error {
			if known, err := open(path); err != nil || known == string(b) {
				return err
			}
			return fmt.Errorf("write %s: %w", path, unix.EINVAL)
		},
		fsType: func(path string) int64 {
			*asked = append(*asked, path)
			if _, ok := f[context]; path == "/sys/fs/selinux" && ok {
				return unix.SELINUX_MAGIC
			}
			return 0
		},
	}, asked
}

var (
	neither  = files{}
	disabled = files{enabled: "N\n"}
	appArmor = files{enabled: "Y\n"}
	selinux  = files{context: "u:r:t:s0"}
)

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheck(t *testing.T) {
	const noAppArmor, noSELinux = ": AppArmor is not enabled on this host", ": SELinux is not enabled on this host"
	for name, tt := range map[string]struct {
		host                           files
		field, profile, process, mount string
		want                           string
	}{
		"nothing asked for":          {host: neither},
		"unconfined":                 {host: neither, profile: "unconfined"},
		"profile":                    {host: appArmor, profile: "web"},
		"profile, none":              {neither, "process", "web", "", "", `process.apparmorProfile: "web"` + noAppArmor},
		"profile, disabled":          {disabled, "process", "web", "", "", `process.apparmorProfile: "web"` + noAppArmor},
		"profile, exec":              {neither, "", "web", "", "", `apparmorProfile: "web"` + noAppArmor},
		"profile, empty file":        {files{enabled: ""}, "", "web", "", "", `apparmorProfile: "web"` + noAppArmor},
		"label":                      {host: selinux, process: "u:r:t:s0"},
		"label, unknown":             {selinux, "process", "", "u:r:x:s0", "", `process.selinuxLabel: "u:r:x:s0" is not a valid label in the SELinux policy of this host`},
		"label, none":                {appArmor, "process", "", "u:r:t:s0", "", `process.selinuxLabel: "u:r:t:s0"` + noSELinux},
		"label, no right to ask":     {host: files{context: "denied"}, process: "u:r:x:s0"},
		"mount label":                {host: selinux, mount: "context=u:r:t:s0"},
		"mount label, unknown":       {selinux, "process", "", "", "context=u:r:x:s0", `linux.mountLabel: "u:r:x:s0" is not a valid label in the SELinux policy of this host`},
		"mount label, none":          {neither, "process", "", "", "context=u:r:t:s0", `linux.mountLabel: "u:r:t:s0"` + noSELinux},
		"all faults at once":         {neither, "process", "web", "p", "context=m", `process.apparmorProfile: "web"` + noAppArmor + "\n" + `process.selinuxLabel: "p"` + noSELinux + "\n" + `linux.mountLabel: "m"` + noSELinux},
		"unconfined beside a label":  {neither, "process", "unconfined", "p", "", `process.selinuxLabel: "p"` + noSELinux},
		"label and profile, no LSMs": {neither, "process", "web", "p", "", `process.apparmorProfile: "web"` + noAppArmor + "\n" + `process.selinuxLabel: "p"` + noSELinux},
	} {
		h, asked := tt.host.host()
		l := &plan.Launch{Process: plan.Process{Field: tt.field, AppArmor: tt.profile, SELinux: tt.process}}
		l.Rootfs.MountLabel = tt.mount
		if got := errText(h.check(l)); got != tt.want {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
		if tt.process+tt.mount == "" && (tt.profile == "" || tt.profile == Unconfined) && len(*asked) > 0 {
			t.Errorf("%s: a start looks at %q for nothing", name, *asked)
		}
	}
}

// An attribute file is opened as root and written later, by way of the same slot.
func TestLabels(t *testing.T) {
	for name, tt := range map[string]struct {
		host       files
		proc       plan.Process
		open, then string
	}{
		"none":                     {host: appArmor},
		"unconfined, no AppArmor":  {host: neither, proc: plan.Process{AppArmor: "unconfined"}},
		"unconfined, none enabled": {host: disabled, proc: plan.Process{AppArmor: "unconfined"}},
		"unconfined":               {appArmor, plan.Process{AppArmor: "unconfined"}, `attr("self/attr/apparmor/exec", "self/attr/exec") = #5  # apparmorProfile`, `label(#5, "exec unconfined")  # apparmorProfile`},
		"profile, no question asked": {
			neither, plan.Process{Field: "process", AppArmor: "web"},
			`attr("self/attr/apparmor/exec", "self/attr/exec") = #5  # process.apparmorProfile`,
			`label(#5, "exec web")  # process.apparmorProfile`,
		},
		"label": {
			selinux, plan.Process{Field: "process", SELinux: "u:r:t:s0"},
			`attr("self/attr/exec") = #5  # process.selinuxLabel`,
			`label(#5, "u:r:t:s0")  # process.selinuxLabel`,
		},
		"both": {
			neither, plan.Process{AppArmor: "web", SELinux: "u:r:t:s0"},
			`attr("self/attr/apparmor/exec", "self/attr/exec") = #5  # apparmorProfile
			attr("self/attr/exec") = #6  # selinuxLabel`,
			`label(#5, "exec web")  # apparmorProfile
			label(#6, "u:r:t:s0")  # selinuxLabel`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, asked := tt.host.host()
			l := New(&tt.proc, h.appArmor)
			if tt.proc.AppArmor != Unconfined && len(*asked) > 0 {
				t.Errorf("a start looks at %q for nothing", *asked)
			}
			opens, writes := new(program.Program), new(program.Program)
			opens.Inherit(0)
			l.Open(opens)
			l.Write(writes)
			listing.Compare(t, opens, tt.open)
			listing.Compare(t, writes, tt.then)
		})
	}
}

// The key gets the process's label, and later keys do not.
func TestForKeys(t *testing.T) {
	listed := func(proc *plan.Process) *program.Program {
		p := new(program.Program)
		p.Inherit(0)
		ForKeys(p, proc, func() { p.Add("", program.Setsid{}) })
		return p
	}
	listing.Compare(t, listed(&plan.Process{AppArmor: "web"}), "setsid()")
	listing.Compare(t, listed(&plan.Process{Field: "process", SELinux: "u:r:t:s0"}), `
		attr("self/attr/keycreate") = #5  # process.selinuxLabel
		label(#5, "u:r:t:s0")  # process.selinuxLabel
		setsid()
		label(#5, "\n")  # process.selinuxLabel
		close(#5)
	`)
}

func TestRestored(t *testing.T) {
	attrs := func(names ...string) files {
		f := files{}
		for i := 0; i < len(names); i += 2 {
			f["/proc/"+names[i]] = names[i+1]
		}
		return f
	}
	const lost = ": CRIU restored the process with the label "
	for name, tt := range map[string]struct {
		host             files
		profile, process string
		want             string
	}{
		"nothing asked for": {host: neither},
		"unconfined":        {host: neither, profile: "unconfined"},
		"profile": {
			host:    attrs("7/attr/apparmor/current", "web (enforce)\n", "self/attr/apparmor/current", "unconfined\n"),
			profile: "web",
		},
		"profile, lost": {
			attrs("7/attr/apparmor/current", "unconfined\n", "self/attr/apparmor/current", "unconfined\n"), "web", "",
			"process.apparmorProfile" + lost + "unconfined instead of web",
		},
		"profile, lost, mode": {
			attrs("7/attr/apparmor/current", "host (complain)\n", "self/attr/apparmor/current", "host (enforce)\n"), "web", "",
			"process.apparmorProfile" + lost + "host instead of web",
		},
		"profile, before Linux 5.8": {
			attrs("7/attr/current", "unconfined\n", "self/attr/current", "unconfined\n"), "web", "",
			"process.apparmorProfile" + lost + "unconfined instead of web",
		},
		// A profile that the policy has since renamed, or one that stacks: not CRIU's fault.
		"profile, another":    {host: attrs("7/attr/current", "web//&x (enforce)\n", "self/attr/current", "unconfined\n"), profile: "web"},
		"profile, skiff's":    {host: attrs("7/attr/current", "web (enforce)\n", "self/attr/current", "web (enforce)\n"), profile: "web"},
		"label":               {host: attrs("7/attr/current", "u:r:t:s0\x00", "self/attr/current", "u:r:skiff:s0\x00"), process: "u:r:t:s0"},
		"label, as skiff's":   {host: attrs("7/attr/current", "u:r:t:s0\x00", "self/attr/current", "u:r:t:s0\x00"), process: "u:r:t:s0"},
		"label, lost":         {attrs("7/attr/current", "u:r:a:s0\x00", "self/attr/current", "u:r:a:s0\x00"), "", "u:r:t:s0", "process.selinuxLabel" + lost + "u:r:a:s0 instead of u:r:t:s0"},
		"profile, no file":    {neither, "web", "", "process.apparmorProfile: open /proc/7/attr/current: no such file or directory"},
		"profile, no own":     {attrs("7/attr/current", "web\n"), "web", "", "process.apparmorProfile: open /proc/self/attr/current: no such file or directory"},
		"profile, unreadable": {attrs("7/attr/apparmor/current", "denied"), "web", "", "process.apparmorProfile: open /proc/7/attr/apparmor/current: permission denied"},
		"label, not AppArmor's file": {
			attrs("7/attr/apparmor/current", "web\n", "7/attr/current", "u:r:t:s0\x00", "self/attr/current", "u:r:a:s0\x00"), "", "u:r:t:s0", "",
		},
	} {
		h, _ := tt.host.host()
		proc := &plan.Process{Field: "process", AppArmor: tt.profile, SELinux: tt.process}
		got := errText(h.restored(7, proc))
		if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
	}
}

// The real functions ask this host.
func TestKernel(t *testing.T) {
	b, err := kernel.read(enabled)
	if want := err == nil && strings.HasPrefix(string(b), "Y"); AppArmor() != want {
		t.Errorf("AppArmor: %v; %s has %q, %v", AppArmor(), enabled, b, err)
	}
	var st unix.Statfs_t
	if want := unix.Statfs("/sys/fs/selinux", &st) == nil && int64(st.Type) == unix.SELINUX_MAGIC; SELinux() != want {
		t.Errorf("SELinux: %v, expected %v", SELinux(), want)
	}
	if err := Check(new(plan.Launch)); err != nil {
		t.Error(err)
	}
	if l := New(new(plan.Process), AppArmor); l != nil {
		t.Errorf("labels %v", l)
	}
	if err := Restored(1, new(plan.Process)); err != nil {
		t.Error(err)
	}
	if fsType("/proc") != unix.PROC_SUPER_MAGIC || fsType("/nosuch/file") != 0 {
		t.Errorf("/proc is %#x, nothing %#x", fsType("/proc"), fsType("/nosuch/file"))
	}
	if err := kernel.write("/nosuch/file", nil); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}
