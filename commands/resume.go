// SPDX-License-Identifier: Apache-2.0

package commands

import "github.com/urfave/cli/v2"

func (c *call) resumeCommand() *cli.Command {
	return &cli.Command{
		Name:        "resume",
		Usage:       "resume a paused container",
		ArgsUsage:   "CONTAINER-ID",
		Description: `Thaws the cgroup of a container that pause has frozen.`,
		UsageText:   `skiff resume web`,
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Resume()
		},
	}
}
