// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The list for systemd never allows less than the rules do.
func TestAllowedDevices(t *testing.T) {
	built := "[/dev/char/1:3 rwm] [/dev/char/1:5 rwm] [/dev/char/1:7 rwm] [/dev/char/1:8 rwm] [/dev/char/1:9 rwm]" +
		" [/dev/char/5:0 rwm] [/dev/char/5:2 rwm] [char-136 rwm] [/dev/char/10:200 rwm] [block-* m] [char-* m]"
	n := func(i int64) *int64 { return &i }
	all := specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}
	fuse := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: n(10), Minor: n(229), Access: "rwm"}
	noFuse := specs.LinuxDeviceCgroup{Type: "c", Major: n(10), Minor: n(229), Access: "w"}
	disks := specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: n(8), Access: "r"}
	misc := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: n(10), Access: "rw"}
	none := specs.LinuxDeviceCgroup{Access: "rwm"}
	for _, c := range []struct {
		rules []specs.LinuxDeviceCgroup
		want  string
	}{
		{nil, built},
		{[]specs.LinuxDeviceCgroup{none, fuse}, "[/dev/char/10:229 rwm] " + built},
		{[]specs.LinuxDeviceCgroup{fuse, noFuse}, "[/dev/char/10:229 rm] " + built},
		{[]specs.LinuxDeviceCgroup{misc, noFuse}, "[char-10 rw] " + built}, // the device program denies the rest
		{[]specs.LinuxDeviceCgroup{fuse, none}, built},
		{[]specs.LinuxDeviceCgroup{disks}, "[block-8 r] " + built},
		{[]specs.LinuxDeviceCgroup{all}, ""},
		{[]specs.LinuxDeviceCgroup{all, none, disks}, "[block-8 r] " + built},
	} {
		g := &Group{resources: &specs.LinuxResources{Devices: c.rules}}
		got, err := g.AllowedDevices()
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		if got != nil {
			text = fmt.Sprint(got)
			text = text[1 : len(text)-1]
		}
		if text != c.want {
			t.Errorf("%v: %s\nexpected %s", c.rules, text, c.want)
		}
	}
}
