// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

// A path is masked or made read-only only once, under the field that names it first. A
// path that is masked is not made read-only as well.
func TestSealOnce(t *testing.T) {
	for name, c := range map[string]struct{ masked, readonly, want []string }{
		"none":            {nil, nil, nil},
		"different":       {[]string{"/a"}, []string{"/b"}, []string{"readonly /b linux.readonlyPaths[0]", "mask /a linux.maskedPaths[0]"}},
		"twice":           {[]string{"/a", "/b", "/a", "/c"}, nil, []string{"mask /a linux.maskedPaths[0]", "mask /b linux.maskedPaths[1]", "mask /c linux.maskedPaths[3]"}},
		"read-only twice": {nil, []string{"/a", "/a", "/b"}, []string{"readonly /a linux.readonlyPaths[0]", "readonly /b linux.readonlyPaths[2]"}},
		"both":            {[]string{"/a", "/b"}, []string{"/b", "/c"}, []string{"readonly /c linux.readonlyPaths[1]", "mask /a linux.maskedPaths[0]", "mask /b linux.maskedPaths[1]"}},
		"one below":       {[]string{"/a"}, []string{"/a/b"}, []string{"readonly /a/b linux.readonlyPaths[0]", "mask /a linux.maskedPaths[0]"}},
	} {
		p := new(program.Program)
		New(plan.Rootfs{Masked: c.masked, ReadonlyP: c.readonly}, Setting{NewMounts: true, Host: TheHost}, p).Seal(p)
		var got []string
		for _, op := range p.Ops {
			got = append(got, program.KindOf(op.Operation).String()+" "+pathOf(t, op)+" "+op.Field)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, expected %q", name, got, c.want)
		}
	}
}

func pathOf(t *testing.T, e program.Entry) string {
	t.Helper()
	switch op := e.Operation.(type) {
	case program.Mask:
		return op.Path
	case program.Readonly:
		return op.Path
	}
	t.Fatalf("%s", e)
	return ""
}
