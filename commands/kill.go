// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func (c *call) killCommand() *cli.Command {
	return &cli.Command{
		Name:      "kill",
		Usage:     "send a signal to a container",
		ArgsUsage: "CONTAINER-ID [SIGNAL]",
		Description: `Sends a signal to the first process of the container. SIGNAL is a name, with
or without SIG, or a number; the default is SIGTERM.`,
		UsageText: `skiff kill web
skiff kill --all web KILL`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "send the signal to all processes in the container"},
			regexFlag(),
		},
		Action: c.kill,
	}
}

func (c *call) kill(ctx *cli.Context) error {
	if err := checkArgs(ctx, 1, 2); err != nil {
		return err
	}
	name := ctx.Args().Get(1)
	if name == "" && ctx.Args().Len() < 2 {
		name = "SIGTERM"
	}
	sig, err := parseSignal(name)
	if err != nil {
		return err
	}
	all := ctx.Bool("all")
	return c.each(ctx, 2, func(id string) error { return c.killOne(id, sig, all) })
}

func (c *call) killOne(id string, sig unix.Signal, all bool) error {
	container, err := c.load(id)
	if err != nil {
		return err
	}
	err = container.Signal(sig, all)
	// Engines use --all to kill what is left when the first process has ended, which may
	// be nothing.
	if all && errors.Is(err, libcontainer.ErrNotRunning) {
		return nil
	}
	return err
}
