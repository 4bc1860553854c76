// SPDX-License-Identifier: Apache-2.0

// Package commands is the command line. Each verb has a file, which turns arguments
// into a request to package libcontainer. Only this package prints, logs, forwards
// signals, sets exit codes and, apart from D-Bus addresses, reads the environment.
//
// The command line is that of runc: verbs, flags, exit codes, output and log records
// are the same, since container engines depend on them.
package commands

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/entry"
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
	forgetOneProc()
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

// forgetOneProc removes the variable that the entry point has added to the environment,
// which hooks may inherit. Of two variables of the same name, the first counts, and is kept
// alone: that of the caller.
func forgetOneProc() {
	if os.Getenv(entry.OneProc) == entry.OneProcValue {
		_ = os.Unsetenv(entry.OneProc) // fails for an invalid name only
	}
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

// unknownCommand is the exit status for an unknown command, as in runc.
const unknownCommand = 3

func (e *exitError) Unwrap() error { return e.error }

// run parses args and runs the verb. It builds only the command that is needed:
// building all of them takes longer than many verbs themselves. Help needs all.
func (c *call) run(args []string) error {
	a := c.app()
	v := verb(a.Flags, args)
	global := append(args[:1:1], firstNames(a.Flags, args[1:v])...)
	a.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
		c.openLogOf(global[1:])
		return misused(err)
	}
	i := -1
	if v < len(args) {
		i = findVerb(args[v])
	}
	if i < 0 || verbs[i].name == "help" {
		if v == len(args) && wantsVersion(a.Flags, global[1:]) {
			c.leaveOut(a, new(cli.Command), global[1:], nil)
		} else {
			a.Commands = c.allCommands()
		}
		return a.Run(append(global, args[v:]...))
	}
	cmd := c.command(i)
	a.Commands = []*cli.Command{cmd}
	args = reorder(cmd, args, v)
	own := firstNames(append(cmd.Flags, cli.HelpFlag), args[v+1:])
	c.leaveOut(a, cmd, global[1:], own)
	return a.Run(slices.Concat(global, args[v:v+1], own))
}

// wantsVersion reports whether the global flags have --version, and not --version=false.
func wantsVersion(known []cli.Flag, global []string) bool {
	return slices.Contains(used(known, global), cli.VersionFlag) && slices.Contains(global, "--version")
}

// leaveOut takes the flags that do not matter from the program and the command: the
// library takes its time for each. Help needs all.
func (c *call) leaveOut(a *cli.App, cmd *cli.Command, global, own []string) {
	theirs, its := used(a.Flags, global), used(append(cmd.Flags, cli.HelpFlag), own)
	if slices.Contains(theirs, cli.HelpFlag) || slices.Contains(its, cli.HelpFlag) {
		return
	}
	a.Flags, a.HideHelp, a.HideVersion = quick(theirs), true, !slices.Contains(theirs, cli.VersionFlag)
	cmd.Flags, cmd.HideHelp = quick(its), true
}

func (c *call) app() *cli.App {
	cli.HelpFlag, cli.VersionFlag = quickFlag(cli.HelpFlag), quickFlag(cli.VersionFlag)
	cli.FlagStringer, cli.AppHelpTemplate = flagHelp, appHelp
	cli.CommandHelpTemplate, cli.SubcommandHelpTemplate = commandHelp, commandHelp
	cli.VersionPrinter = func(*cli.Context) { c.printVersion(&c.help) }
	return &cli.App{
		Name:                      "skiff",
		Usage:                     "run containers as specified by the Open Container Initiative",
		UsageText:                 appExamples,
		Version:                   c.build.Version,
		Compiled:                  time.Unix(1, 0), // otherwise the library looks at os.Args[0] for this time, which is not shown
		Writer:                    &c.help,
		Flags:                     append(globalFlags(), cli.HelpFlag, cli.VersionFlag),
		Before:                    c.before,
		Action:                    noVerb,
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

// verbs has the commands, in the order of the help text. A constructor must not refer to
// this table, which Go would take for an initialization cycle.
var verbs = [...]struct {
	name string
	make func(*call) *cli.Command
}{
	{"checkpoint", (*call).checkpointCommand},
	{"create", (*call).createCommand},
	{"delete", (*call).deleteCommand},
	{"events", (*call).eventsCommand},
	{"exec", (*call).execCommand},
	{"features", (*call).featuresCommand},
	{"kill", (*call).killCommand},
	{"list", (*call).listCommand},
	{"mounts", (*call).mountsCommand},
	{"pause", (*call).pauseCommand},
	{"ps", (*call).psCommand},
	{"restore", (*call).restoreCommand},
	{"resume", (*call).resumeCommand},
	{"run", (*call).runCommand},
	{"spec", (*call).specCommand},
	{"start", (*call).startCommand},
	{"state", (*call).stateCommand},
	{"update", (*call).updateCommand},
	{"help", (*call).helpCommand},
}

func (c *call) allCommands() []*cli.Command {
	all := make([]*cli.Command, len(verbs))
	for i := range verbs {
		all[i] = c.command(i)
	}
	return all
}

// findVerb returns the index in verbs of a command's name, or -1 if it is unknown.
func findVerb(name string) int {
	for i := range verbs {
		if verbs[i].name == name {
			return i
		}
	}
	return -1
}

// command returns the command of verbs[i].
func (c *call) command(i int) *cli.Command {
	cmd, name := verbs[i].make(c), verbs[i].name
	act := cmd.Action
	cmd.Action = func(ctx *cli.Context) error { return fault.Prefix(name, act(ctx)) }
	cmd.HideHelpCommand = true // else `state help` is not the state of a container named help
	cmd.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return fault.Prefix(name, misplaced(misused(err))) }
	return cmd
}

// noVerb runs when no known verb was given.
func noVerb(ctx *cli.Context) error {
	if name := ctx.Args().First(); name != "" {
		return unknownVerb(name, ctx.App.Commands)
	}
	return cli.ShowAppHelp(ctx)
}

// unknownVerb is the error for a command that is not one of known.
func unknownVerb(name string, known []*cli.Command) error {
	names := make([]string, len(known))
	for i, cmd := range known {
		names[i] = cmd.Name
	}
	return &exitError{unknownCommand, misuse("unknown command %q; the commands are %s", name, strings.Join(names, ", "))}
}
