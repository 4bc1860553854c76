package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Facts are what the order of operations depends on besides the plan: what the
// runtime may do, and where it is. Nothing else in this package asks the host what
// it is before the child is started.
type Facts struct {
	Caps            uint64 // the runtime's own permitted capabilities, as a mask
	InUserNamespace bool   // the runtime is in another user namespace than the host's
	Confined        bool   // the runtime's caller has confined it to some of the CPUs

	// Asked only where the plan wants to know.
	Files    rootfs.Host                                       // files of the host
	AppArmor func() bool                                       // AppArmor is enabled
	Limit    func(resource int) (soft, hard uint64, err error) // the runtime's own resource limit
	Filter   func(r *Request) (*seccomp.Filter, error)         // the compiled filter of linux.seccomp
}

// Probe finds out the facts of this process and its host.
func Probe() Facts {
	return Facts{
		Caps: cred.Granted(), InUserNamespace: sys.InUserNamespace(), Confined: sys.Confined(),
		Files: rootfs.TheHost, AppArmor: lsm.AppArmor, Limit: sys.Getrlimit, Filter: compiledFilter,
	}
}

// may reports whether the runtime has a capability.
func (f *Facts) may(capability int) bool { return f.Caps>>capability&1 != 0 }
