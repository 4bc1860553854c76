package commands

import "github.com/urfave/cli/v2"

func (c *call) resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "let a paused container go on",
		ArgsUsage: "CONTAINER-ID",
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Resume()
		},
	}
}
