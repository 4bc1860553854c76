// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// execProcess returns the process that exec is to start: that of --process, or the
// container's with other arguments, each with the changes that the flags make.
func execProcess(ctx *cli.Context, stored *specs.Spec) (*specs.Process, error) {
	p, err := baseProcess(ctx, stored)
	if err != nil {
		return nil, err
	}
	return p, applyFlags(ctx, p)
}

func baseProcess(ctx *cli.Context, stored *specs.Spec) (*specs.Process, error) {
	command := operandsAfterID(ctx)
	file := ctx.String("process")
	switch {
	case file != "" && len(command) > 0:
		return nil, misuse("cannot use --process %s together with the command %q", file, command)
	case file != "":
		p, err := specconv.ReadProcess(file)
		if err == nil && stored.Process != nil {
			inherit(p, stored.Process)
		}
		return p, fault.Prefix("--process", err)
	case len(command) == 0:
		return nil, fault.Hint(misuse("process args cannot be empty"), "give a command after the container ID, or use --process")
	case stored.Process == nil:
		return nil, fault.Hint(misuse("the container's config.json has no process whose settings the command could use"), "use --process")
	}
	p := copyProcess(stored.Process)
	p.Args = command
	p.CommandLine = ""
	p.Terminal = false // unless --tty is given
	return p, nil
}

// inherit fills in the settings that confine a process, or tune it, from the container's
// process where p has none. Other runtimes do so, too: an exec without capabilities or a
// label of its own would otherwise be confined differently from the container.
func inherit(p, from *specs.Process) {
	from = copyProcess(from)
	if p.Capabilities == nil {
		p.Capabilities = from.Capabilities
	}
	if p.User.Umask == nil {
		p.User.Umask = from.User.Umask
	}
	if len(p.Rlimits) == 0 {
		p.Rlimits = from.Rlimits
	}
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = from.OOMScoreAdj
	}
	if p.Scheduler == nil {
		p.Scheduler = from.Scheduler
	}
	if p.IOPriority == nil {
		p.IOPriority = from.IOPriority
	}
	if p.ExecCPUAffinity == nil {
		p.ExecCPUAffinity = from.ExecCPUAffinity
	}
	if p.ApparmorProfile == "" {
		p.ApparmorProfile = from.ApparmorProfile
	}
	if p.SelinuxLabel == "" {
		p.SelinuxLabel = from.SelinuxLabel
	}
}

// copyProcess copies a process and all that flags can change in it.
func copyProcess(from *specs.Process) *specs.Process {
	p := *from
	p.Env = slices.Clone(p.Env)
	p.User.AdditionalGids = slices.Clone(p.User.AdditionalGids)
	if p.Capabilities != nil {
		caps := *p.Capabilities
		caps.Bounding = slices.Clone(caps.Bounding)
		caps.Effective = slices.Clone(caps.Effective)
		caps.Permitted = slices.Clone(caps.Permitted)
		caps.Ambient = slices.Clone(caps.Ambient)
		p.Capabilities = &caps
	}
	return &p
}

func applyFlags(ctx *cli.Context, p *specs.Process) error {
	if err := addEnv(p, ctx.StringSlice("env")); err != nil {
		return err
	}
	if ctx.IsSet("tty") {
		p.Terminal = ctx.Bool("tty")
	}
	if ctx.IsSet("no-new-privs") {
		p.NoNewPrivileges = ctx.Bool("no-new-privs")
	}
	if cwd := ctx.String("cwd"); cwd != "" && cwd[0] != '/' {
		return misuse("--cwd %s: must be an absolute path", cwd)
	}
	override(&p.Cwd, ctx.String("cwd"))
	override(&p.ApparmorProfile, ctx.String("apparmor"))
	override(&p.SelinuxLabel, ctx.String("process-label"))
	if user := ctx.String("user"); user != "" {
		if err := setUser(&p.User, user); err != nil {
			return err
		}
	}
	if err := addGroups(&p.User, ctx.StringSlice("additional-gids")); err != nil {
		return err
	}
	return addCaps(p, ctx.StringSlice("cap"))
}

func addEnv(p *specs.Process, list []string) error {
	for _, e := range list {
		if strings.IndexByte(e, '=') < 1 {
			return misuse("--env %q: must be of the form NAME=VALUE", e)
		}
	}
	p.Env = append(p.Env, list...)
	return nil
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// addCaps adds capabilities to a process, but never to its inheritable set, by which a
// program with inheritable file capabilities would get them back (CVE-2022-29162). It
// adds to the ambient set only what is inheritable already, as the kernel requires.
func addCaps(p *specs.Process, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if p.Capabilities == nil {
		p.Capabilities = new(specs.LinuxCapabilities)
	}
	caps := p.Capabilities
	for _, name := range names {
		if plan.CapabilityNumber(name) < 0 {
			return misuse("--cap %s: unknown capability: must be a name such as CAP_NET_ADMIN", name)
		}
		caps.Bounding = append(caps.Bounding, name)
		caps.Effective = append(caps.Effective, name)
		caps.Permitted = append(caps.Permitted, name)
		if slices.Contains(caps.Inheritable, name) {
			caps.Ambient = append(caps.Ambient, name)
		}
	}
	return nil
}
