// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Where the flags of a source are locked, a bind keeps those that no option
// names.
func TestUnnamedFlags(t *testing.T) {
	const all = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW
	for _, c := range []struct {
		name     string
		on       Setting
		clr, try uint64
	}{
		{"the host's root", Setting{NewMounts: true}, all, 0},
		{"the host's mount namespace", Setting{Shared: true}, all, 0},
		{"a user namespace", Setting{NewMounts: true, UserNS: true}, unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
		{"an ordinary user", Setting{NewMounts: true, UserNS: true, ByChild: true}, unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
		{"in a user namespace", Setting{NewMounts: true, Inside: true}, 0, all},
		{"in a user namespace, without rights", Setting{NewMounts: true, Inside: true, ByChild: true}, unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
		{"a user namespace in another", Setting{NewMounts: true, Inside: true, UserNS: true}, unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
	} {
		m := &plan.Mount{Bind: true, AttrUnnamed: all}
		if clr, try := (&decisions{env: env{Setting: c.on}}).loses(m); clr != c.clr || try != c.try {
			t.Errorf("%s: clears %#x, tries %#x; want %#x, %#x", c.name, clr, try, c.clr, c.try)
		}
	}
}
