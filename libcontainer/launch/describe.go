package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// describe puts into words that an operation of the child has failed. A seccomp
// filter around the child is around us as well, so we know what it forbids.
func describe(e program.Entry, m wire.Message) error {
	if m.Detail == wire.Refused {
		return refusedFor(sys.Refused(uintptr(m.Value), m.Errno), e, m)
	}
	return e.Describe(m)
}

// refusedFor says that a system call of the child was refused. Where a filter has
// done that, what else the kernel may have against the call is left out.
func refusedFor(r sys.Refusal, e program.Entry, m wire.Message) error {
	m.Detail, m.Value = wire.NoDetail, 0
	if r.Certain {
		return r.Add(e.DescribeRefused(m))
	}
	return r.Add(e.Describe(m))
}
