// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// describe returns the error for an operation of the child that has failed. A
// seccomp filter around the child is also around the runtime, which can therefore
// find out what it forbids.
func describe(e program.Entry, m wire.Message) error {
	if m.Detail == wire.Refused {
		return refusedFor(sys.Refused(uintptr(m.Value), m.Errno), e, m)
	}
	return e.Describe(m)
}

// refusedFor returns the error for a system call of the child that was refused. If
// a filter did that, hints about the kernel's other reasons are left out.
func refusedFor(r sys.Refusal, e program.Entry, m wire.Message) error {
	m.Detail, m.Value = wire.NoDetail, 0
	if r.Certain {
		return r.Add(e.DescribeRefused(m))
	}
	return r.Add(e.Describe(m))
}
