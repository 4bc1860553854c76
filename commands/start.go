package commands

import "github.com/urfave/cli/v2"

func (c *call) startCommand() *cli.Command {
	return &cli.Command{
		Name:      "start",
		Usage:     "start the program of a created container",
		ArgsUsage: "CONTAINER-ID",
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			return container.Start()
		},
	}
}
