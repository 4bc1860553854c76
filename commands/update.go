package commands

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// maxResources limits the document of --resources, in bytes.
const maxResources = 16 << 20

func (c *call) updateCommand() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "change the limits of a container",
		ArgsUsage: "CONTAINER-ID",
		Flags:     updateFlags(),
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
		&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "JSON of linux.resources from a file, or from standard input with -; " +
			"what it does not name stays, a list in it replaces the whole list; other limits by flag are ignored"},
		text("blkio-weight", "weight of block I/O, from 10 to 1000"),
		text("cpu-period", "CPU: period in microseconds"),
		text("cpu-quota", "CPU: time in a period, in microseconds; -1 for no limit"),
		text("cpu-burst", "CPU: time to be had in addition, if it was not used before, in microseconds"),
		text("cpu-share", "CPU: shares, from 2 to 262144"),
		text("cpu-rt-period", "CPU: period for realtime, in microseconds (cgroup v1)"),
		text("cpu-rt-runtime", "CPU: time for realtime in a period, in microseconds (cgroup v1)"),
		text("cpuset-cpus", "CPUs, like 0-2,7"),
		text("cpuset-mems", "memory nodes, like 0-2,7"),
		text("cpu-idle", "CPU: 1 for idle, 0 for not"),
		text("memory", "memory in bytes, or with a unit (512M, 1g); -1 for no limit"),
		text("memory-reservation", "memory that is kept for the container"),
		text("memory-swap", "memory and swap together; -1 for no limit"),
		text("kernel-memory", "has no effect (deprecated)"),
		text("kernel-memory-tcp", "has no effect (deprecated)"),
		text("pids-limit", "number of processes; -1 for no limit"),
		text("l3-cache-schema", "Intel RDT: L3 cache, like L3:0=f;1=f"),
		text("mem-bw-schema", "Intel RDT: memory bandwidth, like MB:0=20;1=70"),
		&cli.BoolFlag{Name: "force", Usage: "set a memory limit below what is in use, for which the kernel may kill"},
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
	r, err := readResources(file)
	if err != nil {
		p.bad = append(p.bad, err.Error())
	}
	up.Resources = r
	return up, p.faults()
}

func readResources(file string) (*specs.LinuxResources, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(io.LimitReader(os.Stdin, maxResources+1))
	} else {
		raw, err = sys.ReadStream(file, maxResources+1)
		if err != nil {
			return nil, fmt.Errorf("--resources: %w", err)
		}
	}
	if err == nil && len(raw) > maxResources {
		err = fmt.Errorf("must not be larger than %d MiB", maxResources>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("--resources %s: %w", file, err)
	}
	r, err := specconv.DecodeResources(raw)
	if err != nil {
		return nil, fmt.Errorf("--resources %s: %w", file, err)
	}
	return r, nil
}

// limitFlags reads limits from flags and collects what is wrong with them.
type limitFlags struct {
	ctx *cli.Context
	bad []string
}

func (p *limitFlags) faults() error {
	if len(p.bad) == 0 {
		return nil
	}
	return misuse("%s", strings.Join(p.bad, "; "))
}

func (p *limitFlags) fault(name, format string, args ...any) {
	p.bad = append(p.bad, fmt.Sprintf("--%s %q: ", name, p.ctx.String(name))+fmt.Sprintf(format, args...))
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
		w := uint16(min(*n, 1<<16-1)) // clamped: Update refuses a weight above 1000
		r.BlockIO = &specs.LinuxBlockIO{Weight: &w}
	}
	if n := r.CPU.Idle; n != nil && *n > 1 {
		p.fault("cpu-idle", "must be 0 or 1")
	}
	return r
}
