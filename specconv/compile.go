// SPDX-License-Identifier: Apache-2.0

// Package specconv compiles config.json: it reads the bundle, checks the
// configuration and resolves every word in it to a value of the launch plan.
//
// Compilation makes no system call, so the same configuration and options give the same
// plan on every host. It reports all errors of a configuration together ([Violations]).
package specconv

import (
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Options are the input of a compilation besides the configuration.
type Options struct {
	ID     string // container id
	Bundle string // absolute path of the bundle
	// NoPivot: change the root by moving the mount, not by pivot_root(2).
	NoPivot       bool
	SystemdCgroup bool // cgroups are made through systemd
	UserUnits     bool // with SystemdCgroup: through the systemd of the caller, an ordinary user
	Rootless      bool // the caller is an ordinary user, without privileges outside a user namespace
}

// compiler is one compilation: its input, its output, and its errors and warnings.
type compiler struct {
	Options
	spec     *specs.Spec
	linux    *specs.Linux // never nil
	out      *plan.Launch
	bad      Violations
	warnings []Warning
}

// Compile compiles the configuration of a container. The error is [Violations]. There
// may be warnings with and without an error.
func Compile(spec *specs.Spec, o Options) (*plan.Launch, []Warning, error) {
	m := trace.Begin()
	c := newCompiler(spec, o)
	l, warnings, err := c.launch()
	m.Done(err, "check the configuration", "")
	return l, warnings, err
}

func newCompiler(spec *specs.Spec, o Options) *compiler {
	c := &compiler{Options: o, spec: spec, linux: spec.Linux}
	if c.linux == nil {
		c.linux = new(specs.Linux)
	}
	c.out = &plan.Launch{
		ID: o.ID, Bundle: o.Bundle, OCIVersion: spec.Version, Annotations: spec.Annotations,
	}
	return c
}

func (c *compiler) launch() (*plan.Launch, []Warning, error) {
	c.version()
	c.foreign()
	c.annotations()
	c.root()
	c.namespaces()
	c.userMaps()
	c.timeOffsets()
	c.names()
	c.mounts()
	c.devices()
	c.paths()
	c.sysctl()
	c.netDevices()
	c.intelRdt()
	c.cgroup()
	c.seccomp()
	c.hooks()
	if p := c.spec.Process; p != nil {
		c.process(p, "process")
	} else { // required for start alone (config.md, "Process")
		c.out.Process = plan.Process{Field: "process", Cwd: "/"}
	}
	return c.result()
}

// CompileExec compiles p, a process to add to a container. stored is the configuration
// that the container was made with. Paths in errors about p begin at the process. The
// error is [Violations].
func CompileExec(stored *specs.Spec, p *specs.Process, o Options) (*plan.Launch, []Warning, error) {
	c := newCompiler(stored, o)
	c.out.Joined = true
	c.out.Cgroup.Resources = c.linux.Resources // these are in force already: an exec sets none
	c.out.UserMaps = c.knownMaps()
	c.seccomp()
	c.process(p, "")
	return c.result()
}

func (c *compiler) result() (*plan.Launch, []Warning, error) {
	if len(c.bad) > 0 {
		return nil, c.warnings, c.bad
	}
	return c.out, c.warnings, nil
}

// version checks ociVersion: SemVer, of the first major version (config.md,
// "Specification version"). A later minor version only adds fields.
func (c *compiler) version() {
	v := c.spec.Version
	switch {
	case v == "":
		c.fault("ociVersion", "is required")
	case !semver(v):
		c.fault("ociVersion", "%q must be a version like %s", v, specs.Version)
	case !strings.HasPrefix(v, "1."):
		c.fault("ociVersion", "%q is not supported: must be version 1 of the specification", v)
	}
}

// semver reports whether v has the form MAJOR.MINOR.PATCH, perhaps with -PRERELEASE and
// +BUILD.
func semver(v string) bool {
	core, _, _ := strings.Cut(v, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return false
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

// foreign warns of sections for other platforms (config.md, "Platform-specific
// configuration").
func (c *compiler) foreign() {
	s := c.spec
	for _, part := range [...]struct {
		name  string
		given bool
	}{
		{"solaris", s.Solaris != nil}, {"windows", s.Windows != nil}, {"vm", s.VM != nil}, {"zos", s.ZOS != nil}, {"freebsd", s.FreeBSD != nil},
	} {
		if part.given {
			c.warn(part.name, "has no effect on Linux")
		}
	}
}

func (c *compiler) root() {
	r := c.spec.Root
	switch {
	case r == nil:
		c.fault("root", "is required")
		return
	case r.Path == "":
		c.fault("root.path", "is required")
		return
	}
	path := r.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Bundle, path)
	}
	path = filepath.Clean(path)
	if path == "/" {
		c.fault("root.path", "must not be the root directory of the host")
	}
	c.out.Rootfs.Path = path
	c.out.Rootfs.Readonly = r.Readonly
	c.out.Rootfs.NoPivot = c.NoPivot
}

// names checks the host and domain name, which need a uts namespace.
func (c *compiler) names() {
	c.out.Hostname, c.out.Domainname = c.spec.Hostname, c.spec.Domainname
	for _, n := range [...]struct{ field, value string }{{"hostname", c.spec.Hostname}, {"domainname", c.spec.Domainname}} {
		switch {
		case n.value == "":
		case !c.has(specs.UTSNamespace):
			c.fault(n.field, "cannot be set without a uts namespace in linux.namespaces")
		case len(n.value) > 64:
			c.fault(n.field, "must be at most 64 bytes long, not %d", len(n.value))
		}
	}
}
