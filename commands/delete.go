// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

func (c *call) deleteCommand() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "delete a container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Deletes a container that has stopped or was never started: its cgroup, its
state and, if it was never started, its waiting process.`,
		UsageText: `skiff delete web
skiff delete --force --regex '^test-'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "kill the container if it is running, and succeed if it does not exist"},
			regexFlag(),
		},
		Action: func(ctx *cli.Context) error {
			force := ctx.Bool("force")
			return c.each(ctx, 1, func(id string) error { return c.deleteOne(id, force) })
		},
	}
}

func (c *call) deleteOne(id string, force bool) error {
	container, err := c.load(id)
	if err == nil || force && errors.Is(err, libcontainer.ErrDamaged) {
		err = c.hintRoot(container.Delete(force))
	}
	if force && errors.Is(err, libcontainer.ErrNotExist) {
		return nil // it never existed, or another delete has just removed it
	}
	return err
}
