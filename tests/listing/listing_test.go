// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"slices"
	"testing"
)

type text string

func (s text) String() string { return string(s) }

const program = `  0  nodump()
  9  fsmount("tmpfs", "a  # b", 0x2) = #6                                   # mounts[0]
 10  setid(0, 0)                                                            # process.user
`

func TestOf(t *testing.T) {
	want := []string{"nodump()", `fsmount("tmpfs", "a  # b", 0x2) = #6  # mounts[0]`, "setid(0, 0)  # process.user"}
	if got := Of(text(program)); !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
}

// recorder records whether a comparison has failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestCompare(t *testing.T) {
	same := `
		nodump()
		fsmount("tmpfs", "a  # b", 0x2) = #6  # mounts[0]
		setid(0, 0)  # process.user
	`
	Compare(t, text(program), same)
	Compare(t, text(""), "\n")
	for name, want := range map[string]string{
		"nothing":       "",
		"another order": "nodump()\nsetid(0, 0)  # process.user\nfsmount(\"tmpfs\", \"a  # b\", 0x2) = #6  # mounts[0]",
		"another field": "nodump()\nfsmount(\"tmpfs\", \"a  # b\", 0x2) = #6  # mounts[1]\nsetid(0, 0)  # process.user",
		"one too many":  same + "setid(0, 0)",
	} {
		r := &recorder{TB: t}
		if Compare(r, text(program), want); !r.failed {
			t.Errorf("%s: no difference is seen", name)
		}
	}
}
