// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
)

// An exec that finds the container's cgroup full begins once more, outside of it. A
// create does not, and neither does an exec that was refused outside.
func TestFullCgroup(t *testing.T) {
	full := &fullError{errors.New("fork: resource temporarily unavailable")}
	for _, c := range []struct {
		name    string
		request Request
		err     error
		again   bool
	}{
		{"exec", Request{Init: os.Stdin, Cgroup: new(cgroup.Group)}, full, true},
		{"exec outside", Request{Init: os.Stdin, Cgroup: new(cgroup.Group), late: true}, full, false},
		{"create", Request{Cgroup: new(cgroup.Group)}, full, false},
		{"exec in the caller's cgroup", Request{Init: os.Stdin}, full, false},
		{"another error", Request{Init: os.Stdin, Cgroup: new(cgroup.Group)}, os.ErrNotExist, false},
	} {
		warned := false
		c.request.Warn = func(string, ...any) { warned = true }
		s := Begin(&c.request)
		s.fail(c.err)
		if again := s.step != nil; again != c.again || s.request.late != (c.again || c.request.late) || (s.err == nil) != c.again {
			t.Errorf("%s: again %v, late %v, error %v", c.name, again, s.request.late, s.err)
		}
		if !c.again && !errors.Is(s.err, c.err) {
			t.Errorf("%s: %v", c.name, s.err)
		}
		if s.request.Warn(""); c.again == warned {
			t.Errorf("%s: warned %v", c.name, warned)
		}
	}
}
