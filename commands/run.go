// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/urfave/cli/v2"
)

func (c *call) runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "create and start a container, and wait for it",
		ArgsUsage: "CONTAINER-ID",
		Description: `Creates a container from a bundle, starts its program, waits until it exits
and deletes the container. The exit status is that of the program. Signals
are forwarded to it.`,
		UsageText: `skiff run --bundle /srv/web web
skiff run --detach --pid-file /run/web.pid web`,
		Flags:  slices.Concat(launchFlags(), runFlags),
		Action: c.runContainer,
	}
}

// runFlags are those of run that create does not have.
var runFlags = []cli.Flag{
	&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run the container in the background"},
	&cli.BoolFlag{Name: "keep", Usage: "keep the container after its program has exited"},
	&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the parent of orphaned processes in the container"},
}

func (c *call) runContainer(ctx *cli.Context) error {
	detach := ctx.Bool("detach")
	l, err := c.prepare(ctx, detach)
	if err != nil {
		return err
	}
	if len(l.plan.Process.Args) == 0 {
		return fault.In(fault.Config, fault.New(fault.InvalidConfig, "process: is required to run a container, but config.json has none"))
	}
	if ctx.Bool("plan") {
		return c.printPlan(l)
	}
	if err := c.makeRoot(); err != nil {
		return err
	}
	if detach {
		return c.runDetached(l)
	}
	if err := adoptTerminal(&l.plan.Process, &l.io, noTerminalToRun); err != nil {
		return err
	}
	l.io.Subreaper = !ctx.Bool("no-subreaper")
	return c.foreground(l, ctx.Bool("keep"), func() (*libcontainer.Container, *libcontainer.Process, error) {
		return c.host.Create(l.plan, l.raw, l.io)
	})
}

// runDetached starts the container and returns. If a service manager waits for the
// container to be ready, it relays that first.
func (c *call) runDetached(l *launch) error {
	_, process, err := c.host.Create(l.plan, l.raw, l.io)
	if err != nil {
		return err
	}
	c.notify(process, process.Pid, true)
	return nil
}

// notify relays the container's messages to the service manager. An error is only a
// warning, as the container runs.
func (c *call) notify(p *libcontainer.Process, main int, untilReady bool) {
	if err := p.Notify(main, untilReady); err != nil {
		c.log.warn("%v", err)
	}
}

// notifyForeground relays messages in the background until the container has ended, and
// then sends the error to the channel. The channel is nil without a service manager.
func notifyForeground(l *launch, p *libcontainer.Process) chan error {
	if l.io.NotifySocket == "" {
		return nil
	}
	relayed := make(chan error, 1)
	go func() { relayed <- p.Notify(os.Getpid(), false) }() // the service's main process is this one
	return relayed
}

// relayTime is how long messages are still relayed after the container has ended.
const relayTime = 2 * time.Second

// endNotify waits until notifyForeground's relay has ended, or relayTime is over.
func (c *call) endNotify(relayed chan error) {
	if relayed == nil {
		return
	}
	select {
	case err := <-relayed:
		if err != nil {
			c.log.warn("%v", err)
		}
	case <-time.After(relayTime):
		c.log.warn("%s: the service manager did not read all messages of the container within %v of its end", notifySocket, relayTime)
	}
}

// warnOOM warns if there are signs that p was killed because memory ran out: the exit
// status only has the signal.
func (c *call) warnOOM(p *libcontainer.Process) {
	if why := p.OOM(c.code); why != "" {
		c.log.warn("%s", why)
	}
}

// foreground makes a container with start, waits for it and, unless keep is set, deletes
// it.
func (c *call) foreground(l *launch, keep bool, start func() (*libcontainer.Container, *libcontainer.Process, error)) error {
	fg, err := newForeground(l.io.Subreaper)
	if err != nil {
		return err
	}
	container, process, err := start()
	if err != nil {
		return err
	}
	c.log.flush()
	relayed := notifyForeground(l, process)
	c.code, err = fg.wait(process, l.io.PlainOutput)
	c.warnOOM(process)
	c.endNotify(relayed)
	if keep {
		return err
	}
	// A checkpoint may have deleted it, and a restore may have made another.
	if deleteErr := container.Delete(err != nil); deleteErr != nil && !errors.Is(deleteErr, libcontainer.ErrNotExist) {
		// This is only a warning, so that the caller gets the process's exit status.
		c.log.warn("run: delete: %v", deleteErr)
	}
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}
