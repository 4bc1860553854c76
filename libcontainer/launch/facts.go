// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Facts are what the program depends on besides the plan: what the runtime may do,
// and where it runs. [bind] asks the host for nothing else, except for the ids of the
// runtime's own user (idmap.OwnGroup).
type Facts struct {
	Caps            uint64 // the runtime's own permitted capabilities, as a mask
	InUserNamespace bool   // the runtime is in another user namespace than the host
	Confined        bool   // the runtime's caller has confined it to some of the CPUs

	// These are called only if the plan needs to know.
	Files    rootfs.Host                                       // files of the host
	AppArmor func() bool                                       // AppArmor is enabled
	Limit    func(resource int) (soft, hard uint64, err error) // the runtime's own resource limit
	Filter   func(r *Request) (*seccomp.Filter, error)         // the compiled filter of linux.seccomp
}

// Probe determines the facts for this process and its host.
func Probe() Facts {
	return Facts{
		Caps: cred.Granted(), InUserNamespace: sys.InUserNamespace(), Confined: sys.Confined(),
		Files: rootfs.TheHost, AppArmor: lsm.AppArmor, Limit: sys.Getrlimit, Filter: compiledFilter,
	}
}

// may reports whether the runtime has a capability.
func (f *Facts) may(capability int) bool { return f.Caps>>capability&1 != 0 }
