// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// notifySocket is the environment variable with the socket at which a service manager,
// such as systemd, expects to be told that the service is ready (sd_notify(3)).
const notifySocket = "NOTIFY_SOCKET"

// launch is the request of create, run or restore to libcontainer.
type launch struct {
	plan *plan.Launch
	spec *specs.Spec
	raw  []byte // the text of config.json
	io   libcontainer.IO
}

// launchFlags returns the flags of both create and run.
func launchFlags() []cli.Flag { return slices.Concat(processFlags, bundleFlags, createFlags) }

// The compiler makes the flags that are variables. To make them in each call would take
// fresh pages of the heap.
var createFlags = []cli.Flag{
	&cli.BoolFlag{Name: "no-pivot", Usage: "change the root without pivot_root(2), which does not work on a ramdisk"},
	&cli.BoolFlag{Name: "no-new-keyring", Usage: "keep the caller's session keyring instead of creating one"},
	&cli.BoolFlag{Name: "plan", Usage: "print the operations that would create the container, and do nothing"},
}

// bundleFlags are the flags of all verbs that make a container.
var bundleFlags = []cli.Flag{
	&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "use the bundle in `DIR`", DefaultText: "the working directory"},
	&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: "read the configuration from `FILE` instead of config.json in the bundle"},
}

// readBundle reads the bundle that the flags name.
func readBundle(ctx *cli.Context) (l *launch, bundle string, err error) {
	if bundle, err = filepath.Abs(ctx.String("bundle")); err != nil {
		return nil, "", fmt.Errorf("--bundle: %w", err)
	}
	file := ctx.String("config")
	if file == "" && ctx.IsSet("config") {
		return nil, "", misuse("--config: must not be empty")
	}
	l = new(launch)
	l.spec, l.raw, err = specconv.Read(bundle, file)
	if err != nil && file != "" {
		return l, bundle, fmt.Errorf("--config: %w", err)
	}
	return l, bundle, missingBundle(bundle, err)
}

// missingBundle returns err, the error of reading the bundle's config.json, or says that
// the whole directory is missing.
func missingBundle(bundle string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, missing := os.Stat(bundle); errors.Is(missing, fs.ErrNotExist) {
		return fault.In(fault.Config, fmt.Errorf("--bundle: the bundle directory is missing: %w", missing))
	}
	return err
}

// processFlags are the flags of create, run and exec for the new process.
var processFlags = []cli.Flag{
	&cli.StringFlag{Name: "console-socket", Usage: "send the terminal's master end to the UNIX socket `SOCKET`"},
	&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the process to the UNIX socket `SOCKET`"},
	&cli.StringFlag{Name: "pid-file", Usage: "write the process id to `FILE`"},
	&cli.IntFlag{Name: "preserve-fds", Usage: "pass `N` more file descriptors to the process, from 3 on"},
}

// prepare reads and compiles the bundle of create or run.
func (c *call) prepare(ctx *cli.Context, detach bool) (*launch, error) {
	if err := checkArgs(ctx, 1, 1); err != nil {
		return nil, err
	}
	id := ctx.Args().First()
	if err := libcontainer.CheckID(id); err != nil {
		return nil, err
	}
	l, bundle, err := readBundle(ctx)
	if err != nil {
		return nil, err
	}
	l.plan, err = c.compile(l.spec, specconv.Options{ID: id, Bundle: bundle, NoPivot: ctx.Bool("no-pivot")})
	if err != nil {
		return nil, err
	}
	l.io, err = c.processIO(ctx, l.plan.Process.Terminal, detach)
	l.io.NoNewKeyring = ctx.Bool("no-new-keyring")
	l.io.NotifySocket = os.Getenv(notifySocket)
	return l, err
}

func (c *call) compile(spec *specs.Spec, o specconv.Options) (*plan.Launch, error) {
	o.UserUnits = c.host.Rootless
	o.SystemdCgroup, o.Rootless = c.host.SystemdCgroup, c.host.Rootless && !libcontainer.InUserNamespace()
	l, warnings, err := specconv.Compile(spec, o)
	for _, w := range warnings {
		c.log.warn("%v", w)
	}
	return l, err
}

// processIO reads the flags that say what a new process inherits and where its terminal
// and pid go.
func (c *call) processIO(ctx *cli.Context, terminal, detach bool) (libcontainer.IO, error) {
	io := libcontainer.IO{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ConsoleSocket: ctx.String("console-socket"),
		PidfdSocket:   ctx.String("pidfd-socket"),
		PidFile:       ctx.String("pid-file"),
		ListenFDs:     listenFDs(),
	}
	if io.ListenFDs > 0 {
		io.ListenNames = os.Getenv("LISTEN_FDNAMES")
	}
	if err := checkTerminal(terminal, detach, io.ConsoleSocket); err != nil {
		return io, err
	}
	var err error
	io.Preserve, err = inherited(ctx.Int("preserve-fds"), io.ListenFDs)
	return io, err
}

// checkTerminal refuses a terminal whose master nobody would keep open, and a console
// socket that nothing would be sent to.
func checkTerminal(terminal, detach bool, socket string) error {
	switch {
	case detach && terminal && socket == "":
		return fault.Hint(misuse("cannot allocate tty if skiff will detach without setting console socket"), "use --console-socket")
	case (!detach || !terminal) && socket != "":
		return fault.Hint(misuse("cannot use console socket if skiff will not detach or allocate tty"), "omit --console-socket")
	}
	return nil
}
