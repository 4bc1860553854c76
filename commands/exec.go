// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// execFailed is the exit status if exec itself fails; else the status is that of the
// process.
const execFailed = 255

func (c *call) execCommand() *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "run a command in a running container",
		ArgsUsage: "CONTAINER-ID COMMAND [ARGUMENT...]",
		Description: `Runs another process in the container, with the environment, user and
capabilities that config.json gives, unless options or --process change them.
The exit status is that of the command, or 255 if it could not be run.`,
		UsageText: `skiff exec web ps
skiff exec --tty --env TERM=xterm --user 1000:1000 web sh`,
		Flags: slices.Concat(processFlags, execFlags),
		Action: func(ctx *cli.Context) error {
			if err := checkArgs(ctx, 1, -1); err != nil {
				return err
			}
			if err := c.exec(ctx); err != nil {
				return &exitError{execFailed, err}
			}
			return nil
		},
	}
}

// execFlags are those of exec alone.
var execFlags = []cli.Flag{
	&cli.StringFlag{Name: "cwd", Usage: "run in working directory `PATH`"},
	&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "`NAME=VALUE`: set an environment variable"},
	&cli.BoolFlag{Name: "tty", Aliases: []string{"t"}, Usage: "allocate a terminal"},
	&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "`UID[:GID]`: run as this user and group"},
	&cli.StringSliceFlag{Name: "additional-gids", Aliases: []string{"g"}, Usage: "add the supplementary group `GID`"},
	&cli.StringFlag{Name: "process", Aliases: []string{"p"}, Usage: "read the process from `FILE`, which has the form of process in config.json; - is standard input"},
	&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run the command in the background"},
	&cli.StringFlag{Name: "process-label", Usage: "`LABEL`: SELinux label of the process"},
	&cli.StringFlag{Name: "apparmor", Usage: "`PROFILE`: AppArmor profile of the process"},
	&cli.BoolFlag{Name: "no-new-privs", Usage: "set no_new_privs, so that set-user-ID programs and file capabilities give no privileges"},
	&cli.StringSliceFlag{Name: "cap", Aliases: []string{"c"}, Usage: "add the capability `CAP`, such as CAP_NET_ADMIN"},
	&cli.StringSliceFlag{Name: "cgroup", Usage: "`[CONTROLLER,...:]PATH`: run in an existing cgroup below the container's"},
	&cli.BoolFlag{Name: "ignore-paused", Usage: "accept a paused container, in which the command waits until resume"},
}

func (c *call) exec(ctx *cli.Context) error {
	container, err := c.container(ctx, -1)
	if err != nil {
		return err
	}
	l, err := c.compileExec(ctx, container)
	if err != nil {
		return err
	}
	detach := ctx.Bool("detach")
	io, err := c.processIO(ctx, l.Process.Terminal, detach)
	if err != nil {
		return err
	}
	options := libcontainer.ExecOptions{IgnorePaused: ctx.Bool("ignore-paused")}
	if detach {
		_, err = container.Exec(l, io, options)
		return err
	}
	if err := adoptTerminal(&l.Process, &io, noTerminalToExec); err != nil {
		return err
	}
	fg, err := newForeground(false)
	if err != nil {
		return err
	}
	process, err := container.Exec(l, io, options)
	if err != nil {
		return err
	}
	c.log.flush()
	c.code, err = fg.wait(process, io.PlainOutput)
	c.warnOOM(process)
	return err
}

// compileExec compiles the process that the flags describe.
func (c *call) compileExec(ctx *cli.Context, container *libcontainer.Container) (*plan.Launch, error) {
	raw, err := container.Config()
	if err != nil {
		return nil, err
	}
	stored, err := specconv.Decode(raw)
	if err != nil {
		return nil, err
	}
	process, err := execProcess(ctx, stored)
	if err != nil {
		return nil, err
	}
	l, err := c.compileProcess(stored, process, container.ID())
	if file := ctx.String("process"); file != "" {
		err = fault.Prefix("--process", fault.Prefix(file, err)) // its fields are those of the file
	}
	if err != nil {
		return nil, err
	}
	l.Cgroup.Sub, err = subCgroups(ctx.StringSlice("cgroup"))
	return l, err
}

func (c *call) compileProcess(stored *specs.Spec, p *specs.Process, id string) (*plan.Launch, error) {
	l, warnings, err := specconv.CompileExec(stored, p, specconv.Options{
		ID:            id,
		SystemdCgroup: c.host.SystemdCgroup,
		Rootless:      c.host.Rootless,
	})
	for _, w := range warnings {
		c.log.warn("%v", w)
	}
	return l, err
}

// subCgroups reads --cgroup into a map of controllers to paths; the controller "" stands
// for all.
func subCgroups(args []string) (map[string]string, error) {
	sub := make(map[string]string)
	for _, arg := range args {
		controllers, path, named := strings.Cut(arg, ":")
		if !named {
			controllers, path = "", arg
		}
		if path == "" || named && controllers == "" {
			return nil, misuse("--cgroup %q: must be [CONTROLLER[,CONTROLLER...]:]PATH", arg)
		}
		for name := range strings.SplitSeq(controllers, ",") {
			if named && name == "" {
				return nil, misuse("--cgroup %q: controller names must not be empty", arg)
			}
			if old, ok := sub[name]; ok {
				return nil, misuse("--cgroup %q: the path %q has already been given", arg, old)
			}
			sub[name] = path
		}
	}
	return sub, nil
}
