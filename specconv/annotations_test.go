// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// An annotation that is for runtimes takes effect, or causes a warning or an error. All
// others are ignored.
func TestAnnotations(t *testing.T) {
	for _, c := range []struct{ name, value, warning, fault string }{
		{name: "org.example.key", value: "x"},
		{name: "io.kubernetes.cri.container-type", value: "sandbox"},
		{name: "org.systemd.property.KillSignal", value: "37"},
		{name: "org.criu.config", value: ""},
		{name: "run.oci.mount_context_type", value: "fscontext"},
		{name: "run.oci.keep_original_groups", value: "1"},
		{name: "run.oci.systemd.subgroup", value: ""},
		{name: "run.oci.delegate-cgroup", value: "x"},
		{name: "run.oci.hooks.stdout", value: "/x"},
		{name: "run.oci.hooks.stderr", value: "", fault: `annotations["run.oci.hooks.stderr"]: must be a path, and not empty`},
		{name: "run.oci.pidfd_receiver", value: "", fault: `annotations["run.oci.pidfd_receiver"]: must be a path, and not empty`},
		{name: "run.oci.seccomp.receiver", value: "x"}, // no system call needs an agent
		{name: "run.oci.seccomp.plugins", value: "x.so",
			warning: `annotations["run.oci.seccomp.plugins"]: has no effect: seccomp plugins are not supported (set linux.seccomp.listenerPath to the socket of an agent instead)`},
		{name: "run.oci.seccomp_bpf_data", value: "BgAAAAAA/38="},
		{name: "run.oci.seccomp_bpf_data", value: "", fault: `annotations["run.oci.seccomp_bpf_data"]: must be a BPF filter: 1 to 4096 instructions of 8 bytes each, the last of which returns`},
		{name: "run.oci.seccomp_bpf_data", value: "IAAAAAAAAAA=", fault: `annotations["run.oci.seccomp_bpf_data"]: must be a BPF filter: 1 to 4096 instructions of 8 bytes each, the last of which returns`},
		{name: "run.oci.seccomp_bpf_data", value: "BgAAA", fault: `annotations["run.oci.seccomp_bpf_data"]: must be base64: illegal base64 data at input byte 4`},
		{name: "run.oci.systemd.force_cgroup_v1", value: "/sys/fs/cgroup",
			warning: `annotations["run.oci.systemd.force_cgroup_v1"]: has no effect: cgroup v1 is not mounted in the container (bind-mount the host's instead)`},
		{name: "run.oci.handler", value: ""},
		{name: "run.oci.handler", value: "krun", fault: `annotations["run.oci.handler"]: handler "krun" is not supported: programs can only run directly on the host's kernel`},
		{name: "krun.cpus", value: "2", warning: `annotations["krun.cpus"]: has no effect: virtual machines are not supported`},
		{name: "module.wasm.image/variant", value: "compat", warning: `annotations["module.wasm.image/variant"]: has no effect: WebAssembly is not supported (the image must contain the program that runs it)`},
		{name: "run.oci.timens_offset", value: "x", warning: `annotations["run.oci.timens_offset"]: has no effect: unknown annotation`},
		{name: "org.criu.other", value: "x", warning: `annotations["org.criu.other"]: has no effect: unknown annotation`},
		{name: "", value: "x", fault: "annotations: keys must not be empty"},
	} {
		s := Example(false)
		s.Annotations = map[string]string{c.name: c.value}
		_, warnings, err := Compile(s, options)
		warning := ""
		for _, w := range warnings {
			warning += w.String()
		}
		if fault := text(err); warning != c.warning || fault != c.fault {
			t.Errorf("%s=%q: warning %q, error %q", c.name, c.value, warning, fault)
		}
	}
}

// The socket of the agent is in linux.seccomp.listenerPath or in the annotation. The
// former takes precedence.
func TestSeccompReceiver(t *testing.T) {
	const receiver = `annotations["run.oci.seccomp.receiver"]`
	for _, c := range []struct{ path, annotation, want, field, warning, fault string }{
		{path: "/a", want: "/a", field: "linux.seccomp.listenerPath"},
		{annotation: "/b", want: "/b", field: receiver},
		{path: "/a", annotation: "/a", want: "/a", field: "linux.seccomp.listenerPath"},
		{path: "/a", annotation: "/b", want: "/a", field: "linux.seccomp.listenerPath", warning: receiver + ": has no effect, because linux.seccomp.listenerPath is set"},
		{annotation: "b", fault: receiver + `: "b" must be an absolute path`},
		{fault: "linux.seccomp.listenerPath: is required, because linux.seccomp.syscalls[0].action is SCMP_ACT_NOTIFY"},
	} {
		s := Example(false)
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: c.path,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}}
		if s.Linux.Seccomp = p; c.annotation != "" {
			s.Annotations = map[string]string{receiverAnnotation: c.annotation}
		}
		l, warnings, err := Compile(s, options)
		warning := ""
		for _, w := range warnings {
			warning += w.String()
		}
		if text(err) != c.fault || warning != c.warning || p.ListenerPath != c.path {
			t.Errorf("%+v: warning %q, error %q, listenerPath is %q then", c, warning, text(err), p.ListenerPath)
		}
		if err == nil && (l.Seccomp.ListenerPath != c.want || l.SeccompAgent != c.field) {
			t.Errorf("%+v: %s from %s", c, l.Seccomp.ListenerPath, l.SeccompAgent)
		}
	}
}
