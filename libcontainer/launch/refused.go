package launch

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// refused puts into words that a system call of the child was refused. A seccomp
// filter around it is around us as well, so we know what it forbids. Where it is
// that, what else the kernel may have against the call is left out.
func refused(s plan.Step, m wire.Message) error {
	return refusedFor(sys.Refused(uintptr(m.Value), m.Errno), s, m)
}

func refusedFor(r sys.Refusal, s plan.Step, m wire.Message) error {
	m.Detail, m.Value = wire.NoDetail, 0
	if !r.Certain || hasOwnWords(s.Kind) {
		return r.Add(describe(s, m))
	}
	return r.Add(field(s.Field, fmt.Errorf("%s: %w", what(&s), m.Errno)))
}

// hasOwnWords reports whether others look for the words, or the type, of the
// operation's errors.
func hasOwnWords(k plan.Kind) bool {
	return k == plan.OpHook || k == plan.OpLookup || k == plan.OpExec || k == plan.OpChdir
}
