package rootfs

import (
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

func TestAbout(t *testing.T) {
	tree := &Tree{decisions: decisions{mounts: []mount{
		{Mount: plan.Mount{Type: "overlay", Destination: "/x", Data: []string{"lowerdir=/a:/b", "ro"}}, slot: 7},
		{Mount: plan.Mount{Type: "bind", Source: "/src", Destination: "/y", Bind: true}, slot: 8},
		{Mount: plan.Mount{Destination: "/x", Remount: true}, slot: plan.NoSlot},
	}}}
	for _, c := range []struct {
		op   plan.Op
		want string
	}{
		{plan.Op{Kind: plan.OpFsMount, A: 7}, "overlay on /x (lowerdir=/a:/b,ro)"},
		{plan.Op{Kind: plan.OpMount, A: 7}, "overlay on /x (lowerdir=/a:/b,ro)"},
		{plan.Op{Kind: plan.OpSetAttr, A: 7}, "/x"},
		{plan.Op{Kind: plan.OpOpenTree, A: 8}, "/src"},
		{plan.Op{Kind: plan.OpRemount, A: 7, S: []string{"/x", "size=1m"}}, "/x (size=1m)"},
		{plan.Op{Kind: plan.OpFsMount, A: 9}, ""},
		{plan.Op{Kind: plan.OpSetAttr, A: plan.NoSlot}, ""},
		{plan.Op{Kind: plan.OpAttach, A: 7}, ""},
	} {
		if got := tree.About(&c.op); got != c.want {
			t.Errorf("%v: got %q, want %q", &c.op, got, c.want)
		}
	}
}

func TestOptionList(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string
	}{
		{nil, ""},
		{[]string{"size=1m", "ro"}, " (size=1m,ro)"},
		{[]string{"user=a,password=b,,c", "secret=d"}, " (user=a,password=...,,c,secret=...)"},
		{[]string{"lowerdir=" + strings.Repeat("é", 200)}, " (lowerdir=" + strings.Repeat("é", 115) + "...)"},
	} {
		if got := optionList(c.options); got != c.want {
			t.Errorf("%q: got %q, want %q", c.options, got, c.want)
		}
	}
}
