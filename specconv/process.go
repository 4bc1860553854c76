// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// process compiles the process of a configuration (field "process") or of an
// exec (field "").
func (c *compiler) process(p *specs.Process, field string) {
	out := &c.out.Process
	*out = plan.Process{
		Field: field, Args: p.Args, Cwd: filepath.Clean(p.Cwd), Terminal: p.Terminal,
		UID: p.User.UID, GID: p.User.GID, Groups: p.User.AdditionalGids, Umask: p.User.Umask,
		NoNewPrivs: p.NoNewPrivileges, OOMScoreAdj: p.OOMScoreAdj,
		AppArmor: p.ApparmorProfile, SELinux: p.SelinuxLabel,
	}
	switch {
	case len(p.Args) == 0:
		c.fault(under(field, "args"), "must not be empty: expected the program to run")
	case p.Args[0] == "":
		c.fault(under(field, "args[0]"), "must not be empty: expected the program to run")
	}
	switch {
	case p.Cwd == "":
		c.fault(under(field, "cwd"), "is required")
	case !filepath.IsAbs(p.Cwd):
		c.fault(under(field, "cwd"), "%q must be an absolute path", p.Cwd)
	}
	if p.CommandLine != "" {
		c.warn(under(field, "commandLine"), "has no effect on Linux")
	}
	if p.User.Username != "" {
		c.warn(under(field, "user.username"), "has no effect on Linux")
	}
	out.Env = c.environment(p.Env, under(field, "env"))
	c.user(p, out, field)
	if p.Terminal && p.ConsoleSize != nil {
		out.ConsoleRows = c.consoleSize(p.ConsoleSize.Height, under(field, "consoleSize.height"))
		out.ConsoleCols = c.consoleSize(p.ConsoleSize.Width, under(field, "consoleSize.width"))
	}
	out.Caps = c.capabilities(p.Capabilities, under(field, "capabilities"))
	c.rlimits(p.Rlimits, under(field, "rlimits"))
	if n := p.OOMScoreAdj; n != nil && (*n < -1000 || *n > 1000) {
		c.fault(under(field, "oomScoreAdj"), "must be between -1000 and 1000, not %d", *n)
	}
	c.tuning(p, field)
	c.memoryPolicy()
	c.personality()
}

// noID is no id: setresuid(2) and chown(2) take it as "do not change".
const noID = 1<<32 - 1

func (c *compiler) user(p *specs.Process, out *plan.Process, field string) {
	if out.UID == noID {
		c.fault(under(field, "user.uid"), "%d is not a valid user id", out.UID)
	}
	if out.GID == noID {
		c.fault(under(field, "user.gid"), "%d is not a valid group id", out.GID)
	}
	c.mapped(out.UID, c.out.UserMaps.UID, under(field, "user.uid"), "linux.uidMappings")
	c.mapped(out.GID, c.out.UserMaps.GID, under(field, "user.gid"), "linux.gidMappings")
	c.keepGroups(out)
	for i, g := range out.Groups {
		c.mapped(g, c.out.UserMaps.GID, at(under(field, "user.additionalGids"), i), "linux.gidMappings")
		if g == noID {
			c.fault(at(under(field, "user.additionalGids"), i), "%d is not a valid group id", g)
		}
	}
	if m := p.User.Umask; m != nil && *m > 0o777 {
		c.fault(under(field, "user.umask"), "must be between 0 and 0777, not %#o", *m)
	}
}

func (c *compiler) consoleSize(n uint, field string) uint16 {
	if n > 1<<16-1 {
		c.fault(field, "must be between 0 and 65535, not %d", n)
	}
	return uint16(n)
}

// environment checks a list of NAME=VALUE, and returns it without duplicates: the last
// value of a name wins, in the place of the first.
func (c *compiler) environment(env []string, field string) []string {
	out := make([]string, 0, len(env))
	place := make(map[string]int, len(env))
	for i, e := range env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			c.fault(at(field, i), "%q must be of the form NAME=VALUE", e)
			continue
		}
		if j, ok := place[name]; ok {
			out[j] = e
			continue
		}
		place[name] = len(out)
		out = append(out, e)
	}
	return out
}

// rlimitNames are the resources of setrlimit(2).
var rlimitNames = [...]struct {
	name     string
	resource int
}{
	{"RLIMIT_AS", unix.RLIMIT_AS},
	{"RLIMIT_CORE", unix.RLIMIT_CORE},
	{"RLIMIT_CPU", unix.RLIMIT_CPU},
	{"RLIMIT_DATA", unix.RLIMIT_DATA},
	{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", unix.RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", unix.RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", unix.RLIMIT_NICE},
	{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE},
	{"RLIMIT_NPROC", unix.RLIMIT_NPROC},
	{"RLIMIT_RSS", unix.RLIMIT_RSS},
	{"RLIMIT_RTPRIO", unix.RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", unix.RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", unix.RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", unix.RLIMIT_STACK},
}

func (c *compiler) rlimits(list []specs.POSIXRlimit, field string) {
	var seen [len(rlimitNames)]bool
	for i, r := range list {
		field := at(field, i)
		j := 0
		for j < len(rlimitNames) && rlimitNames[j].name != r.Type {
			j++
		}
		if j == len(rlimitNames) {
			c.fault(field+".type", "unknown resource limit %q: expected a name like RLIMIT_NOFILE", r.Type)
			continue
		}
		if r.Soft > r.Hard {
			c.fault(field+".soft", "soft limit %d must not exceed the hard limit, %d", r.Soft, r.Hard)
		}
		if seen[j] {
			c.fault(field+".type", "%q is listed twice", r.Type)
		}
		seen[j] = true
		c.out.Process.Rlimits = append(c.out.Process.Rlimits, plan.Rlimit{
			Field: field, Name: r.Type, Resource: rlimitNames[j].resource, Soft: r.Soft, Hard: r.Hard,
		})
	}
}
