// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Join begins with the class, because only its members may join its monitoring group.
func TestJoinOrder(t *testing.T) {
	tr := fake(t)
	g := made(t, tr, &specs.LinuxIntelRdt{EnableMonitoring: true})
	if err := os.Remove(g.Class + "/tasks"); err != nil {
		t.Fatal(err)
	}
	if err := Join(g.Class, g.Monitor, 42); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if s := read(t, g.Monitor+"/tasks"); s != "" {
		t.Errorf("process %s is in the monitoring group, and not in its class", s)
	}
}

// A class that another container makes meanwhile is not removed.
func TestMadeMeanwhile(t *testing.T) {
	tr := fake(t)
	g, err := tr.find(&specs.LinuxIntelRdt{}, "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.mkdir(g.Class); err != nil {
		t.Fatal(err)
	}
	if err := g.Make(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if err := g.Undo(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(g.Class); err != nil {
		t.Errorf("the other's class: %v", err)
	}
}
