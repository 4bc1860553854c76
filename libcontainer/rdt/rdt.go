// SPDX-License-Identifier: Apache-2.0

// Package rdt moves a container's process into a class of service and a monitoring
// group of Intel's Resource Director Technology, through the resctrl file system
// (config-linux.md, "IntelRdt"; the kernel's Documentation/filesystems/resctrl.rst).
package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

const field = "linux.intelRdt"

// Group is a class of service, and perhaps a monitoring group in it, for one
// container.
type Group struct {
	Class   string // directory of the class
	Monitor string // directory of the monitoring group; empty if there is none

	Made bool // the class does not exist yet: Make makes it
	Own  bool // the class is named by the container's id and does not exist yet: it is removed with the container

	schemata []string // what to write to the class, each in one write
	tree     *tree
}

// tree is a mounted resctrl file system.
type tree struct {
	mount        string
	mkdir, rmdir func(path string) error
}

func kernelTree(mount string) *tree {
	return &tree{mount, func(path string) error { return unix.Mkdir(path, 0o755) }, unix.Rmdir}
}

// Find determines the groups that the container id is to have, and compares the
// schemata of an existing class with r. It makes nothing.
func Find(r *specs.LinuxIntelRdt, id string) (*Group, error) {
	table, err := sys.ReadMounts("self")
	if err != nil {
		return nil, err
	}
	mount := mountPoint(table)
	if mount == "" {
		err := fault.New(fault.NotSupported, field+": no resctrl file system is mounted")
		return nil, fault.Hint(err, "it requires a processor with RDT, a kernel with CONFIG_X86_CPU_RESCTRL, and: mount -t resctrl resctrl /sys/fs/resctrl")
	}
	return kernelTree(mount).find(r, id)
}

// mountPoint returns the mount point of resctrl in a mount table.
func mountPoint(table string) string {
	for m := range proc.Mounts(table) {
		if m.Type == "resctrl" && m.Root == "/" {
			return m.Point
		}
	}
	return ""
}

func (t *tree) find(r *specs.LinuxIntelRdt, id string) (*Group, error) {
	g := &Group{tree: t, Class: filepath.Join(t.mount, r.ClosID), schemata: schemata(r)}
	if r.ClosID == "" {
		g.Class, g.Own = filepath.Join(t.mount, id), true
	}
	if r.EnableMonitoring {
		g.Monitor = filepath.Join(g.Class, "mon_groups", id)
	}
	_, err := os.Lstat(g.Class)
	switch {
	case err == nil:
		g.Own = false
		return g, g.compare()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", field, err)
	case !g.Own && len(g.schemata) == 0:
		return nil, fmt.Errorf("%s.closID: the class of service %s does not exist, and no schema is given to create it: %w", field, r.ClosID, unix.ENOENT)
	}
	g.Made = true
	return g, nil
}

// schemata returns what to write to the file of that name, in the specification's
// order.
func schemata(r *specs.LinuxIntelRdt) (all []string) {
	for _, s := range [...]string{r.L3CacheSchema, r.MemBwSchema, strings.Join(r.Schemata, "\n")} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

// compare returns an error unless an existing class has the schemata asked for.
func (g *Group) compare() error {
	if len(g.schemata) == 0 {
		return nil
	}
	b, err := sys.ReadFile(filepath.Join(g.Class, "schemata"))
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	have := parse(string(b))
	want := parse(strings.Join(g.schemata, "\n")) // a later line replaces an earlier one
	for key, value := range want {
		if got, ok := have[key]; got != value {
			if !ok {
				got = "missing"
			}
			return fmt.Errorf("%s: the class of service %s exists with other schemata: %s is %s, expected %s", field, g.Class, key, got, value)
		}
	}
	return nil
}

// parse converts lines like "L3:0=7f0;1=1f" to a map of values by resource and domain
// ("L3:0"), without the blanks and leading zeros that the kernel pads them with.
func parse(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.SplitSeq(text, "\n") {
		resource, domains, _ := strings.Cut(strings.TrimSpace(line), ":")
		for d := range strings.SplitSeq(domains, ";") {
			if id, value, ok := strings.Cut(d, "="); ok {
				all[resource+":"+strings.TrimSpace(id)] = normalize(value)
			}
		}
	}
	return all
}

func normalize(s string) string {
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "0x")
	if short := strings.TrimLeft(s, "0"); short != "" || s == "" {
		return short
	}
	return "0"
}
