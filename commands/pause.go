// SPDX-License-Identifier: Apache-2.0

package commands

import "github.com/urfave/cli/v2"

func (c *call) pauseCommand() *cli.Command {
	return &cli.Command{
		Name:      "pause",
		Usage:     "suspend all processes in a container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Freezes the container's cgroup. The processes do not run until resume thaws
it again.`,
		UsageText: `skiff pause web
skiff resume web`,
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Pause()
		},
	}
}
