// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// maxResources limits the document of --resources, in bytes.
const maxResources = 16 << 20

func (c *call) updateCommand() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "change the resource limits of a container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Changes the limits of a container that has not stopped. Limits that are not
given stay as they are.`,
		UsageText: `skiff update --memory 512M --pids-limit 100 web
echo '{"cpu": {"quota": 50000}}' | skiff update --resources - web`,
		Flags: updateFlags(),
		Action: func(ctx *cli.Context) error {
			if err := checkArgs(ctx, 1, 1); err != nil {
				return err
			}
			up, err := c.readUpdate(ctx)
			if err != nil {
				return err
			}
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Update(up)
		},
	}
}

func updateFlags() []cli.Flag {
	text := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Usage: usage} }
	return []cli.Flag{
		&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "read the limits from `FILE`, which has the form of linux.resources in config.json; - is standard input. " +
			"A list in it replaces the whole list. Only the options for Intel RDT can be given beside it"},
		text("blkio-weight", "`WEIGHT`: weight of block I/O, from 10 to 1000"),
		text("cpu-period", "`MICROSECONDS`: length of a CPU period"),
		text("cpu-quota", "`MICROSECONDS`: CPU time per period; -1 for no limit"),
		text("cpu-burst", "`MICROSECONDS`: unused CPU time that may be used later, beyond the quota"),
		text("cpu-share", "`SHARES`: relative weight of CPU time, from 2 to 262144"),
		text("cpu-rt-period", "`MICROSECONDS`: length of a CPU period for real-time processes (cgroup v1)"),
		text("cpu-rt-runtime", "`MICROSECONDS`: CPU time per period for real-time processes (cgroup v1)"),
		text("cpuset-cpus", "`LIST`: CPUs that may be used, such as 0-2,7"),
		text("cpuset-mems", "`LIST`: memory nodes that may be used, such as 0-1"),
		text("cpu-idle", "`0|1`: 1 runs the processes only when the CPU is otherwise idle"),
		text("memory", "`SIZE`: limit of memory, in bytes or with a unit, such as 512M or 1g; -1 for no limit"),
		text("memory-reservation", "`SIZE`: memory that is reclaimed last"),
		text("memory-swap", "`SIZE`: limit of memory and swap together; -1 for no limit"),
		text("kernel-memory", "`SIZE`: accepted, without effect (deprecated)"),
		text("kernel-memory-tcp", "`SIZE`: accepted, without effect (deprecated)"),
		text("pids-limit", "`N`: limit of the number of processes; -1 for no limit"),
		text("l3-cache-schema", "`SCHEMA`: Intel RDT schema of the L3 cache, such as L3:0=f;1=f"),
		text("mem-bw-schema", "`SCHEMA`: Intel RDT schema of memory bandwidth, such as MB:0=20;1=70"),
		&cli.BoolFlag{Name: "force", Usage: "set a memory limit below the current usage, for which the kernel may kill processes"},
	}
}

func (c *call) readUpdate(ctx *cli.Context) (*libcontainer.Update, error) {
	p := &limitFlags{ctx: ctx}
	up := &libcontainer.Update{Force: ctx.Bool("force")}
	up.L3CacheSchema = p.schema("l3-cache-schema", "L3")
	up.MemBwSchema = p.schema("mem-bw-schema", "MB:")
	file := ctx.String("resources")
	if file == "" {
		up.Resources = p.resources()
		for _, name := range [...]string{"kernel-memory", "kernel-memory-tcp"} {
			if p.bytes(name) != nil {
				c.log.warn("--%s has no effect: the kernel no longer has this limit", name)
			}
		}
		return up, p.faults()
	}
	for _, name := range ctx.LocalFlagNames() {
		if !besideResources(name) {
			c.log.warn("--%s has no effect with --resources", name)
		}
	}
	r, err := readResources(file)
	if err != nil {
		p.bad = append(p.bad, err)
	}
	up.Resources = r
	return up, p.faults()
}

// besideResources reports whether a flag counts together with --resources.
func besideResources(name string) bool {
	switch name {
	case "resources", "r", "l3-cache-schema", "mem-bw-schema", "force":
		return true
	}
	return false
}

func readResources(file string) (*specs.LinuxResources, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(io.LimitReader(os.Stdin, maxResources+1))
	} else {
		raw, err = sys.ReadStream(file, maxResources+1)
		if err != nil {
			return nil, fault.In(fault.Config, fmt.Errorf("--resources: %w", err))
		}
	}
	if err == nil && len(raw) > maxResources {
		err = fault.New(fault.InvalidConfig, fmt.Sprintf("must not be larger than %d MiB", maxResources>>20))
	}
	if err != nil {
		return nil, fault.In(fault.Config, fmt.Errorf("--resources %s: %w", file, err))
	}
	r, err := specconv.DecodeResources(raw)
	if err != nil {
		return nil, fmt.Errorf("--resources %s: %w", file, err)
	}
	return r, nil
}

// limitFlags reads limits from flags and collects all that is wrong.
type limitFlags struct {
	ctx *cli.Context
	bad []error
}

func (p *limitFlags) faults() error {
	if len(p.bad) == 1 {
		return p.bad[0]
	}
	return errors.Join(p.bad...)
}

func (p *limitFlags) fault(name, format string, args ...any) {
	p.bad = append(p.bad, misuse("--%s %q: %w", name, p.ctx.String(name), fmt.Errorf(format, args...)))
}

// resources returns the limits of linux.resources that flags give.
func (p *limitFlags) resources() *specs.LinuxResources {
	r := &specs.LinuxResources{
		CPU: &specs.LinuxCPU{
			Shares: p.unsigned("cpu-share"), Quota: p.signed("cpu-quota", -1), Burst: p.unsigned("cpu-burst"),
			Period: p.unsigned("cpu-period"), RealtimeRuntime: p.signed("cpu-rt-runtime", -1),
			RealtimePeriod: p.unsigned("cpu-rt-period"), Cpus: p.ctx.String("cpuset-cpus"),
			Mems: p.ctx.String("cpuset-mems"), Idle: p.signed("cpu-idle", 0),
		},
		Memory: &specs.LinuxMemory{
			Limit: p.bytes("memory"), Reservation: p.bytes("memory-reservation"), Swap: p.bytes("memory-swap"),
		},
	}
	if n := p.signed("pids-limit", -1); n != nil {
		r.Pids = &specs.LinuxPids{Limit: n}
	}
	if n := p.unsigned("blkio-weight"); n != nil {
		if *n > 1<<16-1 { // Update checks the other limits of it
			p.fault("blkio-weight", "must be between 10 and 1000")
		}
		w := uint16(*n)
		r.BlockIO = &specs.LinuxBlockIO{Weight: &w}
	}
	if n := r.CPU.Idle; n != nil && *n > 1 {
		p.fault("cpu-idle", "must be 0 or 1")
	}
	return r
}
