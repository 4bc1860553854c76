// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (c *call) createCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "create a container without starting its program",
		ArgsUsage: "CONTAINER-ID",
		Description: `Creates a container from a bundle: a directory with a config.json and a root
filesystem. The container has its namespaces, mounts and limits, and waits:
start runs its program.`,
		UsageText: `skiff create --bundle /srv/web web
skiff create --console-socket /run/tty.sock --pid-file /run/web.pid web`,
		Flags:  launchFlags(),
		Action: c.create,
	}
}

func (c *call) create(ctx *cli.Context) error {
	l, err := c.prepare(ctx, true)
	if err != nil {
		return err
	}
	l.io.Hold = true
	if ctx.Bool("plan") {
		return c.printPlan(l)
	}
	if err := c.makeRoot(); err != nil {
		return err
	}
	_, _, err = c.host.Create(l.plan, l.raw, l.io)
	return err
}

// printPlan prints the program that create or run would run.
func (c *call) printPlan(l *launch) error {
	p, err := c.host.Plan(l.plan, l.io)
	if err != nil {
		return err
	}
	_, err = fmt.Print(p)
	return err
}
