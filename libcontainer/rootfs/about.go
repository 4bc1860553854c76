package rootfs

import (
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// About is what an error message should say of an operation of a mount: where
// that goes, where it comes from, the options of its file system. It is empty
// for other operations.
func (t *Tree) About(op *plan.Op) string {
	if op.Kind == plan.OpRemount {
		return op.S[0] + optionList(op.S[1:])
	}
	for i := range t.mounts {
		m := &t.mounts[i]
		if op.A == plan.NoSlot || op.A != m.slot {
			continue
		}
		switch op.Kind {
		case plan.OpFsMount, plan.OpMount:
			return m.Type + " on " + m.Destination + optionList(m.Data)
		case plan.OpOpenTree:
			return m.Source
		case plan.OpSetAttr:
			return m.Destination
		}
	}
	return ""
}

// optionList shows options in parentheses, without secrets, and not all of a
// long list.
func optionList(options []string) string {
	const most = 240
	if len(options) == 0 {
		return ""
	}
	var shown []string
	for _, o := range options {
		for part := range strings.SplitSeq(o, ",") {
			if key, _, ok := strings.Cut(part, "="); ok && secret(key) {
				part = key + "=..."
			}
			shown = append(shown, part)
		}
	}
	list := strings.Join(shown, ",")
	if len(list) > most {
		list = strings.ToValidUTF8(list[:most], "") + "..."
	}
	return " (" + list + ")"
}

// secret reports whether the value of an option is nobody else's to read: a
// password of cifs, a key of ceph.
func secret(key string) bool {
	switch key {
	case "pass", "password", "password2", "secret":
		return true
	}
	return false
}
