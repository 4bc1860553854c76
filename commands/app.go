// Package commands is the command line. Each verb has a file, which turns arguments
// into a request to package libcontainer. Only this package prints, logs, forwards
// signals, sets exit codes and, apart from D-Bus addresses, reads the environment.
//
// The command line is that of runc: verbs, flags, exit codes, output and log records
// are the same, since container engines depend on them.
package commands

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/urfave/cli/v2"
)

// Build identifies this build of skiff.
type Build struct {
	Version string
	Commit  string // may be empty
}

// call is one invocation of skiff. It has the state that the verbs share.
type call struct {
	build         Build
	host          libcontainer.Host
	rootIsDefault bool // --root was not given
	log           journal
	trace         *tracing // nil without --debug and --trace
	help          printer  // output of help and --version
	code          int      // exit status of a call that succeeds
}

// Main runs the command line and returns the exit status of the process.
func Main(build Build, args []string) int {
	sys.SlowMonitor()
	c := &call{build: build, host: libcontainer.Host{Version: build.Version}, help: printer{to: os.Stdout}}
	err := c.run(args)
	if err == nil {
		err = c.help.err
	}
	c.closeTrace(err)
	if err == nil {
		c.log.flush()
		return c.code
	}
	c.log.fail(withProc(err))
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return exit.code
	}
	return 1
}

// withProc adds to an error what is wrong with /proc, which most commands read for
// their own process, cgroup and mounts.
func withProc(err error) error {
	broken := sys.ProcFault()
	return fault.Hint(err, broken)
}

// exitError is a failure with an exit status other than 1.
type exitError struct {
	code int
	error
}

func (e *exitError) Unwrap() error { return e.error }

// run parses args and runs the verb. It builds only the command that is needed:
// building all of them takes longer than many verbs themselves.
func (c *call) run(args []string) error {
	a := c.app()
	if v := verb(a.Flags, args); v < len(args) {
		if cmd := c.command(args[v]); cmd != nil {
			a.Commands = []*cli.Command{cmd}
			args = reorder(cmd, args, v)
			return a.Run(slices.Concat(args[:v+1], firstNames(cmd.Flags, args[v+1:])))
		}
	}
	a.Commands = c.allCommands()
	return a.Run(args)
}

func (c *call) app() *cli.App {
	cli.HelpFlag, cli.VersionFlag = quickFlag(cli.HelpFlag), quickFlag(cli.VersionFlag)
	cli.VersionPrinter = func(*cli.Context) { c.printVersion(&c.help) }
	return &cli.App{
		Name:                      "skiff",
		Usage:                     "run containers from OCI bundles",
		Version:                   c.build.Version,
		Writer:                    &c.help,
		Flags:                     append(quick(globalFlags()), cli.HelpFlag),
		Before:                    c.before,
		Action:                    noVerb,
		OnUsageError:              usageError,
		HideHelpCommand:           true, // skiff has its own help verb
		DisableSliceFlagSeparator: true, // a comma in --env separates nothing
		ExitErrHandler:            func(*cli.Context, error) {},
	}
}

// verb returns the index of the first argument after the global flags, or len(args)
// if there is none.
func verb(flags []cli.Flag, args []string) int {
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return i + 1
		case !isFlag(args[i]):
			return i
		case takesNext(flags, args[i]):
			i++
		}
	}
	return len(args)
}

// verbNames lists the verbs in the order of the help text.
func verbNames() []string {
	return []string{
		"checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "mounts", "pause", "ps",
		"restore", "resume", "run", "spec", "start", "state", "update", "help",
	}
}

func (c *call) allCommands() []*cli.Command {
	var all []*cli.Command
	for _, name := range verbNames() {
		if name != "help" {
			all = append(all, c.command(name))
		}
	}
	return append(all, c.helpCommand())
}

// command returns the command of one verb. It is nil for an unknown verb and for
// help, which needs all other commands.
func (c *call) command(name string) *cli.Command {
	cmd := c.bareCommand(name)
	if cmd == nil {
		return nil
	}
	act := cmd.Action
	cmd.Flags = quick(cmd.Flags)
	cmd.Action = func(ctx *cli.Context) error { return prefix(name, act(ctx)) }
	cmd.HideHelpCommand = true // else `state help` is not the state of a container named help
	cmd.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return prefix(name, misused(err)) }
	return cmd
}

func (c *call) bareCommand(name string) *cli.Command {
	switch name {
	case "checkpoint":
		return c.checkpointCommand()
	case "create":
		return c.createCommand()
	case "delete":
		return c.deleteCommand()
	case "events":
		return c.eventsCommand()
	case "exec":
		return c.execCommand()
	case "features":
		return c.featuresCommand()
	case "kill":
		return c.killCommand()
	case "mounts":
		return c.mountsCommand()
	case "list":
		return c.listCommand()
	case "pause":
		return c.pauseCommand()
	case "ps":
		return c.psCommand()
	case "restore":
		return c.restoreCommand()
	case "resume":
		return c.resumeCommand()
	case "run":
		return c.runCommand()
	case "spec":
		return c.specCommand()
	case "start":
		return c.startCommand()
	case "state":
		return c.stateCommand()
	case "update":
		return c.updateCommand()
	}
	return nil
}

// prefix adds the verb that failed to err, whose exit status stays.
func prefix(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, err)
}

func usageError(_ *cli.Context, err error, _ bool) error { return misused(err) }

// noVerb runs when no known verb was given.
func noVerb(ctx *cli.Context) error {
	if name := ctx.Args().First(); name != "" {
		return misuse("unknown command %q; the commands are %s", name, strings.Join(verbNames(), ", "))
	}
	return cli.ShowAppHelp(ctx)
}
