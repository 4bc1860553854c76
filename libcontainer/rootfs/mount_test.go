package rootfs

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

func TestStanding(t *testing.T) {
	at := func(destination string, slot program.Slot) mount {
		return mount{Mount: plan.Mount{Destination: destination}, slot: slot}
	}
	remount := func(destination string) mount {
		return mount{Mount: plan.Mount{Destination: destination, Remount: true}, slot: program.NoSlot}
	}
	for _, test := range []struct {
		name   string
		mounts []mount // the last one is what is asked for
		want   program.Slot
	}{
		{"none", []mount{remount("/a")}, program.NoSlot},
		{"another", []mount{at("/b", 7), remount("/a")}, program.NoSlot},
		{"the mount", []mount{at("/a", 7), at("/b", 8), remount("/a")}, 7},
		{"the last of two", []mount{at("/a", 7), at("/a", 8), remount("/a")}, 8},
		{"once more", []mount{at("/a", 7), remount("/a"), remount("/a")}, 7},
		{"one below", []mount{at("/a", 7), at("/a/b", 8), remount("/a")}, 7},
		{"one above, before", []mount{at("/a", 7), at("/a/b", 8), remount("/a/b")}, 8},
		{"one above, since", []mount{at("/a/b", 7), at("/a", 8), remount("/a/b")}, program.NoSlot},
		{"made anew on one above", []mount{at("/a/b", 7), at("/a", 8), at("/a/b", 9), remount("/a/b")}, 9},
		{"another with the same beginning", []mount{at("/a/b", 7), at("/a/bc", 8), remount("/a/b")}, 7},
		{"the root", []mount{at("/a", 7), remount("/")}, program.NoSlot},
		{"a mount on the root", []mount{at("/a", 7), at("/", 8), remount("/a")}, program.NoSlot},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := standing(test.mounts, &test.mounts[len(test.mounts)-1]); got != test.want {
				t.Errorf("slot %d, expected %d", got, test.want)
			}
		})
	}
	mounts := []mount{at("/a", 7), remount("/a"), at("/a", 8)}
	if got := standing(mounts, &mounts[1]); got != 7 {
		t.Errorf("slot %d, expected that of the mount before it, 7", got)
	}
}
