// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// Update writes schemata to a class of service and checks that the kernel has taken
// them unchanged. Unwinding u restores the former ones.
func Update(class string, schemata []string, u *undo.Stack) error {
	tree := kernelTree(filepath.Dir(class))
	if _, err := os.Lstat(filepath.Join(class, "info")); err == nil {
		tree = kernelTree(class) // the default class
	}
	return (&Group{Class: class, tree: tree, schemata: schemata}).update(u)
}

func (g *Group) update(u *undo.Stack) error {
	file := filepath.Join(g.Class, "schemata")
	before, err := sys.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	for _, s := range g.schemata {
		if err := write(file, s+"\n"); err != nil {
			return g.failed("", fmt.Sprintf("write %q to the schemata of %s", s, g.Class), err)
		}
		u.Push(func() error { return write(file, linesOf(string(before), s)) })
	}
	after, err := sys.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	got := parse(string(after))
	for key, want := range parse(strings.Join(g.schemata, "\n")) {
		if got[key] != want {
			return fmt.Errorf("%s: the kernel set %s of %s to %q instead of %q", field, key, g.Class, got[key], want)
		}
	}
	return nil
}

// linesOf returns those lines of a schemata file that are for the resources of s.
func linesOf(text, s string) string {
	var out string
	for l := range strings.Lines(s) {
		name, _, _ := strings.Cut(strings.TrimSpace(l), ":")
		for old := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(old), name+":") {
				out += strings.TrimSpace(old) + "\n"
			}
		}
	}
	return out
}
