// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

func (c *call) startCommand() *cli.Command {
	return &cli.Command{
		Name:      "start",
		Usage:     "start the program of a created container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Starts the program of a container that create has prepared, and returns
without waiting for it.`,
		UsageText: `skiff create --bundle /srv/web web
skiff start web`,
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Start(libcontainer.StartOptions{NotifySocket: os.Getenv(notifySocket)})
		},
	}
}
