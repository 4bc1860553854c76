// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// The process is told of the sockets, in place of what its configuration says of
// others; the plan itself is not changed.
func TestWithListenFDs(t *testing.T) {
	env := [...]string{"LISTEN_PID=7", "LISTEN_FDS=9", "A=1", ""}
	l := new(plan.Launch)
	l.Process.Env = env[:3]
	with := withListenFDs(l, IO{ListenFDs: 2, ListenNames: "a:b"})
	if got := strings.Join(with.Process.Env, " "); got != "A=1 LISTEN_FDS=2 LISTEN_FDNAMES=a:b" || !with.Process.ListenPID {
		t.Errorf("%q, %v", got, with.Process.ListenPID)
	}
	if env != [...]string{"LISTEN_PID=7", "LISTEN_FDS=9", "A=1", ""} || l.Process.ListenPID {
		t.Errorf("the plan was changed: %q", env)
	}
}
