// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

func TestUpdate(t *testing.T) {
	tr := fake(t)
	g := made(t, tr, &specs.LinuxIntelRdt{})
	put(t, g.Class+"/schemata", "")
	var u undo.Stack
	if err := Update(g.Class, []string{"MB:0=20;1=70"}, &u); err != nil {
		t.Fatal(err)
	}
	if s := read(t, g.Class+"/schemata"); s != "MB:0=20;1=70\n" {
		t.Errorf("schemata %q", s)
	}
	// A schema that the kernel changes is an error.
	g.schemata = []string{"MB:0=1", "L3:0=3"} // a plain file has only the last write
	err := g.update(&u)
	if err == nil || !strings.Contains(err.Error(), `linux.intelRdt: the kernel set MB:0`) {
		t.Errorf("error %v", err)
	}
	u.Release()
	if err := Update(tr.mount+"/nosuch", []string{"MB:0=1"}, &u); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestUpdateTakenBack(t *testing.T) {
	tr := fake(t)
	g := made(t, tr, &specs.LinuxIntelRdt{})
	var u undo.Stack
	if err := Update(g.Class, []string{"L3:0=3"}, &u); err != nil {
		t.Fatal(err)
	}
	err := errors.New("later")
	u.Unwind(&err)
	if s := read(t, g.Class+"/schemata"); s != "L3:0=007ff;1=007ff\n" {
		t.Errorf("taken back to %q", s)
	}
}
