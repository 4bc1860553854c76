// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// A mount of type cgroup shows the version of cgroups that the host has. Without a cgroup
// namespace it shows the whole hierarchy of v2, or the container's own part of v1.
func TestExpandCgroups(t *testing.T) {
	v1 := []Hierarchy{{Name: "cpu,cpuacct", Options: []string{"cpu", "cpuacct"}, Path: "/cg/cpu,cpuacct/web"}, {Name: "systemd", Options: []string{"none", "name=systemd"}, Path: "/cg/systemd/web"}}
	for name, c := range map[string]struct {
		fsType string
		view   CgroupView
		want   []string
	}{
		"v2":                  {"cgroup", CgroupView{Namespace: true, Unified: "/cg"}, []string{"cgroup2 cgroup on /c []"}},
		"v2, no namespace":    {"cgroup", CgroupView{Unified: "/cg"}, []string{"bind /cg on /c []"}},
		"v2 by name":          {"cgroup2", CgroupView{Namespace: true, Hierarchies: v1}, []string{"cgroup2 cgroup on /c []"}},
		"v1":                  {"cgroup", CgroupView{Namespace: true, Hierarchies: v1}, []string{"tmpfs tmpfs on /c [mode=755]", "cgroup cgroup on /c/cpu,cpuacct [cpu cpuacct]", "cgroup cgroup on /c/systemd [none name=systemd]"}},
		"v1, no namespace":    {"cgroup", CgroupView{Hierarchies: v1}, []string{"tmpfs tmpfs on /c [mode=755]", "bind /cg/cpu,cpuacct/web on /c/cpu,cpuacct []", "bind /cg/systemd/web on /c/systemd []"}},
		"another file system": {"tmpfs", CgroupView{Namespace: true, Hierarchies: v1}, []string{"tmpfs x on /c []"}},
	} {
		var got []string
		all := expandCgroups([]plan.Mount{{Destination: "/c", Type: c.fsType, Source: "x"}}, &Setting{Cgroup: c.view})
		for _, m := range all {
			got = append(got, fmt.Sprintf("%s %s on %s %v", m.Type, m.Source, m.Destination, m.Data))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, expected %q", name, got, c.want)
		}
		if len(got) > 1 && !slices.Equal(all[0].links, [][2]string{{"cpu,cpuacct", "/cpu"}, {"cpu,cpuacct", "/cpuacct"}}) {
			t.Errorf("%s: links %q", name, all[0].links)
		}
	}
}
