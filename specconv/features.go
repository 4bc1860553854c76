// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
)

// Features returns the document of `skiff features` (features.md), made from the tables
// that the compiler uses. It does not depend on the host: the caller adds
// linux.seccomp.supportedFlags, and removes architectures that its libseccomp lacks.
func Features() *features.Features {
	yes := true
	f := &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		Linux: &features.Linux{
			Capabilities: plan.CapabilityNames[:],
			Cgroup:       &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes, Rdma: &yes},
			Seccomp: &features.Seccomp{
				Enabled: &yes, Actions: bpf.Actions[:], Operators: bpf.Operators[:], Archs: bpf.Archs[:], KnownFlags: bpf.FlagWords(),
			},
			MemoryPolicy:    &features.MemoryPolicy{Modes: wordsOf(memoryModes[:]), Flags: wordsOf(memoryFlags[:])},
			Apparmor:        &features.Apparmor{Enabled: &yes},
			Selinux:         &features.Selinux{Enabled: &yes},
			IntelRdt:        &features.IntelRdt{Enabled: &yes, Schemata: &yes, Monitoring: &yes},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
			NetDevices:      &features.NetDevices{Enabled: &yes},
		},
	}
	f.PotentiallyUnsafeConfigAnnotations = unsafeAnnotations()
	for _, o := range mountOptions {
		f.MountOptions = append(f.MountOptions, o.name)
	}
	for _, n := range plan.NamespaceTypes {
		f.Linux.Namespaces = append(f.Linux.Namespaces, string(n.Type))
	}
	return f
}
