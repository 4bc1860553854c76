// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// `skiff features` announces what the compiler accepts, neither more nor less. These tests
// try the words of the compiler's tables, those of the specification, and some unknown ones.

func TestFeaturesWords(t *testing.T) {
	f := Features().Linux
	known := specWords(t)
	for name, c := range map[string]struct {
		announced []string
		words     []string
		with      func(s *specs.Spec, word string)
	}{
		"namespaces": {f.Namespaces, append(known["LinuxNamespaceType"], "net", "pids", ""), func(s *specs.Spec, w string) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return string(n.Type) == w })
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.LinuxNamespaceType(w)})
			if w == "user" {
				s.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
				s.Linux.GIDMappings = s.Linux.UIDMappings
			}
		}},
		"seccomp.actions": {f.Seccomp.Actions, append(known["LinuxSeccompAction"], "SCMP_ACT_NOSUCH"), func(s *specs.Spec, w string) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"mkdir"}, Action: specs.LinuxSeccompAction(w)}}}
			if w == string(specs.ActNotify) {
				s.Linux.Seccomp.ListenerPath = "/socket"
			}
		}},
		"seccomp.operators": {f.Seccomp.Operators, append(known["LinuxSeccompOperator"], "=="), func(s *specs.Spec, w string) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"kill"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.LinuxSeccompOperator(w)}}}}}
		}},
		"seccomp.archs": {f.Seccomp.Archs, append(known["Arch"], "SCMP_ARCH_VAX"), func(s *specs.Spec, w string) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.Arch(w)}}
		}},
		"seccomp.knownFlags": {f.Seccomp.KnownFlags, append(known["LinuxSeccompFlag"], "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_NEW_LISTENER"), func(s *specs.Spec, w string) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(w)}}
		}},
		"capabilities": {f.Capabilities, append(slices.Clone(plan.CapabilityNames[:]), "CAP_NOSUCH", "KILL", "cap_kill"), func(s *specs.Spec, w string) {
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{w}}
		}},
		"memoryPolicy.modes": {f.MemoryPolicy.Modes, append(known["MemoryPolicyModeType"], "MPOL_NOSUCH"), func(s *specs.Spec, w string) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(w), Nodes: "0"}
			if w == "MPOL_DEFAULT" || w == "MPOL_LOCAL" {
				s.Linux.MemoryPolicy.Nodes = ""
			}
		}},
		"memoryPolicy.flags": {f.MemoryPolicy.Flags, append(known["MemoryPolicyFlagType"], "MPOL_F_NOSUCH"), func(s *specs.Spec, w string) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MemoryPolicyFlagType(w)}}
		}},
	} {
		for _, w := range c.announced {
			if !slices.Contains(c.words, w) {
				t.Errorf("%s: %s is announced, and no word of the specification", name, w)
			}
		}
		for _, w := range c.words {
			s := Example(false)
			c.with(s, w)
			_, warnings, err := Compile(s, options)
			if taken := err == nil && len(warnings) == 0; taken != slices.Contains(c.announced, w) {
				t.Errorf("%s: %q is announced: %v; it is taken: %v, %v", name, w, !taken, err, warnings)
			}
		}
	}
}

// specWords returns the string constants of the specification's Go package, by type.
func specWords(t *testing.T) map[string][]string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the source of runtime-spec, which the go command finds: %v", err)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(strings.TrimSpace(string(dir))) == 0 {
		t.Skip("needs the source of runtime-spec: it is not in this user's module cache")
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "specs-go/config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string][]string)
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Type == nil {
			return true
		}
		name, isName := v.Type.(*ast.Ident)
		for _, value := range v.Values {
			if lit, ok := value.(*ast.BasicLit); ok && isName && lit.Kind == token.STRING {
				if w, err := strconv.Unquote(lit.Value); err == nil {
					words[name.Name] = append(words[name.Name], w)
				}
			}
		}
		return true
	})
	for _, typ := range []string{
		"LinuxNamespaceType", "LinuxSeccompAction", "LinuxSeccompOperator", "Arch", "LinuxSeccompFlag", "MemoryPolicyModeType", "MemoryPolicyFlagType",
	} {
		if len(words[typ]) < 3 {
			t.Fatalf("the specification's %s: %q", typ, words[typ])
		}
	}
	return words
}

// The mount options that are announced are exactly those that the compiler handles itself,
// rather than passing them to the file system.
func TestFeaturesMountOptions(t *testing.T) {
	announced := Features().MountOptions
	words := []string{"idmap", "ridmap", "rro", "nosuch", "size=1k"}
	for _, o := range mountOptions {
		words = append(words, o.name)
	}
	for _, w := range announced {
		if !slices.Contains(words, w) {
			t.Errorf("%s is announced, and no option of the compiler's", w)
		}
	}
	for _, w := range words {
		if taken := takesOption(w); taken != slices.Contains(announced, w) {
			t.Errorf("%s: it is taken: %v", w, taken)
		}
	}
}

func takesOption(word string) bool {
	for _, m := range []specs.Mount{
		{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: []string{word}},
		{Destination: "/m", Type: "bind", Source: "/m", Options: []string{word},
			UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}},
	} {
		s := Example(false)
		if !strings.HasSuffix(word, "idmap") {
			m.UIDMappings, m.GIDMappings = nil, nil
		}
		s.Mounts = []specs.Mount{m}
		l, warnings, err := Compile(s, options)
		if err == nil && len(warnings) == 0 && len(l.Rootfs.Mounts[0].Data) == 0 {
			return true
		}
	}
	return false
}

// A feature is announced as enabled exactly if the compiler accepts it.
func TestFeaturesSwitches(t *testing.T) {
	f := Features().Linux
	for name, c := range map[string]struct {
		on   *bool
		with func(s *specs.Spec, o *Options)
	}{
		"apparmor": {f.Apparmor.Enabled, func(s *specs.Spec, _ *Options) { s.Process.ApparmorProfile = "x" }},
		"selinux":  {f.Selinux.Enabled, func(s *specs.Spec, _ *Options) { s.Process.SelinuxLabel = "x" }},
		"selinux mount label": {f.Selinux.Enabled, func(s *specs.Spec, _ *Options) {
			s.Linux.MountLabel = "x"
		}},
		"intelRdt": {f.IntelRdt.Enabled, func(s *specs.Spec, _ *Options) {
			s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "x", L3CacheSchema: "L3:0=f"}
		}},
		"intelRdt.schemata": {f.IntelRdt.Schemata, func(s *specs.Spec, _ *Options) {
			s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "x", Schemata: []string{"L3:0=f"}}
		}},
		"intelRdt.monitoring": {f.IntelRdt.Monitoring, func(s *specs.Spec, _ *Options) {
			s.Linux.IntelRdt = &specs.LinuxIntelRdt{EnableMonitoring: true}
		}},
		"netDevices": {f.NetDevices.Enabled, func(s *specs.Spec, _ *Options) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth7": {Name: "eth0"}}
		}},
		"mountExtensions.idmap": {f.MountExtensions.IDMap.Enabled, func(s *specs.Spec, _ *Options) {
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/m", Type: "bind", Source: "/m", UIDMappings: ids, GIDMappings: ids})
		}},
		"cgroup.systemd": {f.Cgroup.Systemd, func(s *specs.Spec, o *Options) {
			o.SystemdCgroup = true
			s.Linux.CgroupsPath = "system.slice:skiff:web"
		}},
		"seccomp": {f.Seccomp.Enabled, func(s *specs.Spec, _ *Options) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow} }},
	} {
		s, o := Example(false), options
		c.with(s, &o)
		_, _, err := Compile(s, o)
		if on := c.on != nil && *c.on; on != (err == nil) {
			t.Errorf("%s: announced as %v; compiled: %v", name, on, err)
		}
	}
}

func TestFeaturesHooks(t *testing.T) {
	var fields []string
	for _, f := range specFields(reflect.TypeFor[specs.Hooks](), "") {
		if name, ok := strings.CutSuffix(f, "[].path"); ok {
			fields = append(fields, name)
		}
	}
	if got := Features().Hooks; !slices.Equal(got, fields) {
		t.Errorf("hooks %v, the specification's %v", got, fields)
	}
}

func TestFeaturesVersion(t *testing.T) {
	if f := Features(); f.OCIVersionMax != specs.Version || f.OCIVersionMin != "1.0.0" {
		t.Errorf("versions %s to %s, the specification's is %s", f.OCIVersionMin, f.OCIVersionMax, specs.Version)
	}
	for version, want := range map[string]bool{"1.0.0": true, specs.Version: true, "0.9.0": false, "2.0.0": false} {
		s := Example(false)
		s.Version = version
		if _, _, err := Compile(s, options); (err == nil) != want {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// An annotation that changes what skiff does is announced to engines (features.md, "Unsafe
// annotations in config.json").
func TestFeaturesAnnotations(t *testing.T) {
	unsafe := Features().PotentiallyUnsafeConfigAnnotations
	listed := func(name string) bool {
		return slices.ContainsFunc(unsafe, func(u string) bool { return u == name || strings.HasSuffix(u, ".") && strings.HasPrefix(name, u) })
	}
	for _, name := range append([]string{
		"bundle", "org.systemd.property.KillMode", "org.criu.config", "run.oci.keep_original_groups", "run.oci.mount_context_type",
		"run.oci.hooks.stdout", "run.oci.seccomp_bpf_data", "run.oci.handler", "module.wasm.image/variant", "io.kubernetes.cri.container-type",
		"org.opencontainers.image.stopSignal", "krun.cpus",
	}, unsafe...) {
		if strings.HasSuffix(name, ".") {
			name += "X"
		}
		changed := slices.Contains([]string{plan.HooksStdout, plan.HooksStderr, plan.PidfdReceiver}, name) // these act outside the compiler
		for _, systemd := range []bool{false, true} {
			o := options
			o.SystemdCgroup = systemd
			s := Example(false)
			s.Linux.MountLabel = "label"
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}}
			if name != receiverAnnotation {
				s.Linux.Seccomp.ListenerPath = "/agent"
			}
			if systemd {
				s.Linux.CgroupsPath = "system.slice:skiff:web"
			}
			without, _, err1 := Compile(s, o)
			s.Annotations = map[string]string{name: "'x'"}
			_, criu := CRIUConfig(s)
			with, _, err2 := Compile(s, o)
			if with != nil {
				with.Annotations = nil
			}
			changed = changed || criu || !reflect.DeepEqual(with, without) || text(err1) != text(err2)
		}
		if changed != listed(name) {
			t.Errorf("the annotation %s changes what is done: %v; it is listed: %v", name, changed, listed(name))
		}
	}
	if no := Features().Linux.Cgroup.Systemd; *no && !listed("org.systemd.property.KillMode") {
		t.Error("systemd's properties are not listed")
	}
}
