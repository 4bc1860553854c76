// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

func TestStanding(t *testing.T) {
	at := func(destination string) mount {
		return mount{Mount: plan.Mount{Destination: destination}, decision: decision{way: create}}
	}
	linked := func(destination string) mount {
		return mount{Mount: plan.Mount{Destination: destination}, decision: decision{way: link}}
	}
	remount := func(destination string) mount {
		return mount{Mount: plan.Mount{Destination: destination}, decision: decision{way: change}}
	}
	for _, test := range []struct {
		name   string
		mounts []mount // the last one is what is asked for
		want   int
	}{
		{"none", []mount{remount("/a")}, -1},
		{"another", []mount{at("/b"), remount("/a")}, -1},
		{"the mount", []mount{at("/a"), at("/b"), remount("/a")}, 0},
		{"the last of two", []mount{at("/a"), at("/a"), remount("/a")}, 1},
		{"once more", []mount{at("/a"), remount("/a"), remount("/a")}, 0},
		{"one below", []mount{at("/a"), at("/a/b"), remount("/a")}, 0},
		{"one above, before", []mount{at("/a"), at("/a/b"), remount("/a/b")}, 1},
		{"one above, since", []mount{at("/a/b"), at("/a"), remount("/a/b")}, -1},
		{"made anew on one above", []mount{at("/a/b"), at("/a"), at("/a/b"), remount("/a/b")}, 2},
		{"another with the same beginning", []mount{at("/a/b"), at("/a/bc"), remount("/a/b")}, 0},
		{"the root", []mount{at("/a"), remount("/")}, -1},
		{"a link in its place", []mount{at("/a"), linked("/a"), remount("/a")}, -1},
		{"a mount on the root", []mount{at("/a"), at("/"), remount("/a")}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := stands(test.mounts, len(test.mounts)-1); got != test.want {
				t.Errorf("mount %d, expected %d", got, test.want)
			}
		})
	}
	mounts := []mount{at("/a"), remount("/a"), at("/a")}
	if got := stands(mounts, 1); got != 0 {
		t.Errorf("mount %d, expected the one before it, 0", got)
	}
}

// stands returns what stands where mount i of a list changes a mount.
func stands(mounts []mount, i int) int {
	d := decisions{mounts: mounts, stood: make(standing)}
	d.has[change] = true
	for j := range mounts[:i+1] {
		way, at := mounts[j].way, mounts[j].Destination
		d.decideMount(j, nil)
		if mounts[j].way != way || mounts[j].Destination != at {
			panic("the mount has changed")
		}
	}
	return mounts[i].stands
}
