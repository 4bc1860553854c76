// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"encoding/base64"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
)

// seccomp checks the words of the profile. Package seccomp compiles it, for which it needs
// the host's libseccomp.
func (c *compiler) seccomp() {
	p := c.linux.Seccomp
	if c.rawFilter() || p == nil {
		return
	}
	c.out.Seccomp = p
	c.action(p.DefaultAction, p.DefaultErrnoRet, "linux.seccomp.defaultAction", "linux.seccomp.defaultErrnoRet")
	if p.DefaultAction == specs.ActNotify {
		c.fault("linux.seccomp.defaultAction", "must not be SCMP_ACT_NOTIFY")
	}
	for i, a := range p.Architectures {
		c.word("architecture", string(a), bpf.Archs[:], at("linux.seccomp.architectures", i))
	}
	for i, f := range p.Flags {
		if _, ok := bpf.FlagBit(string(f)); !ok {
			c.fault(at("linux.seccomp.flags", i), "unknown flag %q: expected a name like SECCOMP_FILTER_FLAG_LOG", f)
		}
	}
	for i := range p.Syscalls {
		c.syscall(&p.Syscalls[i], at("linux.seccomp.syscalls", i))
	}
	c.listener(p)
	c.out.SeccompStrict = c.flagAnnotation(strictAnnotation)
}

// rawFilter uses the compiled filter of an annotation in place of the profile, as in crun,
// and reports whether there is one. The kernel checks the instructions.
func (c *compiler) rawFilter() (given bool) {
	text, given := c.spec.Annotations[plan.SeccompRaw]
	if !given {
		return false
	}
	filter, err := base64.StdEncoding.DecodeString(text)
	switch field := plan.AnnotationField(plan.SeccompRaw); {
	case err != nil:
		c.fault(field, "must be base64: %v", err)
	case !bpf.Plausible(filter):
		c.fault(field, "must be a BPF filter: 1 to %d instructions of %d bytes each, the last of which returns", bpf.MaxInsns, bpf.InsnSize)
	case c.linux.Seccomp != nil && !c.out.Joined:
		c.warn("linux.seccomp", "has no effect, because %s is set", field)
	}
	c.out.SeccompRaw = filter
	return true
}

// strictAnnotation makes the name of an unknown system call an error rather than a warning,
// as in crun.
const strictAnnotation = "run.oci.seccomp_fail_unknown_syscall"

// flagAnnotation reads a boolean annotation. An empty value is true.
func (c *compiler) flagAnnotation(key string) bool {
	word, ok := c.spec.Annotations[key]
	if !ok || word == "" {
		return ok
	}
	yes, err := strconv.ParseBool(word)
	if err != nil {
		c.fault("annotations."+key, "must be true or false, not %q", word)
	}
	return yes
}

// Annotations of crun about the agent for SCMP_ACT_NOTIFY: its socket, and plugins, which
// skiff does not support.
const (
	receiverAnnotation = "run.oci.seccomp.receiver"
	pluginsAnnotation  = "run.oci.seccomp.plugins"
)

// listener checks the socket of the agent. It ignores the socket if no system call needs
// the agent.
func (c *compiler) listener(p *specs.LinuxSeccomp) {
	if p.ListenerMetadata != "" && p.ListenerPath == "" {
		c.fault("linux.seccomp.listenerMetadata", "requires linux.seccomp.listenerPath")
	}
	i := slices.IndexFunc(p.Syscalls, func(s specs.LinuxSyscall) bool { return s.Action == specs.ActNotify })
	if i < 0 {
		return
	}
	path, field := c.agent(p)
	switch {
	case path == "":
		c.fault(field, "is required, because %s is SCMP_ACT_NOTIFY", at("linux.seccomp.syscalls", i)+".action")
	case !filepath.IsAbs(path):
		c.fault(field, "%q must be an absolute path", path)
	}
	c.out.SeccompAgent = field
	if path != p.ListenerPath {
		profile := *p
		profile.ListenerPath = path
		c.out.Seccomp = &profile
	}
}

// agent returns the path of the agent's socket, and the field that has it.
func (c *compiler) agent(p *specs.LinuxSeccomp) (path, field string) {
	field = "linux.seccomp.listenerPath"
	receiver, ok := c.spec.Annotations[receiverAnnotation]
	switch {
	case !ok:
	case p.ListenerPath == "":
		return receiver, plan.AnnotationField(receiverAnnotation)
	case p.ListenerPath != receiver && !c.out.Joined:
		c.warn(plan.AnnotationField(receiverAnnotation), "has no effect, because %s is set", field)
	}
	return p.ListenerPath, field
}

func (c *compiler) syscall(s *specs.LinuxSyscall, field string) {
	if len(s.Names) == 0 {
		c.fault(field+".names", "must not be empty")
	}
	for j, name := range s.Names {
		if name == "" {
			c.fault(at(field+".names", j), "must not be empty")
		}
	}
	c.action(s.Action, s.ErrnoRet, field+".action", field+".errnoRet")
	if s.Action == specs.ActNotify && slices.Contains(s.Names, "write") {
		c.fault(field+".action", "SCMP_ACT_NOTIFY cannot be used for the write syscall")
	}
	for j, a := range s.Args {
		if a.Index > 5 {
			c.fault(at(field+".args", j)+".index", "must be between 0 and 5, not %d", a.Index)
		}
		c.word("operator", string(a.Op), bpf.Operators[:], at(field+".args", j)+".op")
		if a.ValueTwo != 0 && a.Op != specs.OpMaskedEqual {
			c.warn(at(field+".args", j)+".valueTwo", "%d has no effect with %q", a.ValueTwo, a.Op)
		}
	}
}

func (c *compiler) action(a specs.LinuxSeccompAction, errno *uint, field, errnoField string) {
	if a == "" {
		c.fault(field, "is required")
		return
	}
	c.word("action", string(a), bpf.Actions[:], field)
	switch {
	case errno == nil:
	case a != specs.ActErrno && a != specs.ActTrace:
		c.fault(errnoField, "cannot be set for action %q", a)
	case a == specs.ActErrno && *errno > 4095:
		c.fault(errnoField, "must be between 0 and 4095, not %d", *errno)
	}
}

// word checks that w, such as an action, is one of list.
func (c *compiler) word(what, w string, list []string, field string) {
	if !slices.Contains(list, w) {
		expected := "one of " + strings.Join(list, ", ")
		if len(list) > 12 {
			expected = "a name like " + list[0]
		}
		c.fault(field, "unknown %s %q: expected %s", what, w, expected)
	}
}
