// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"io"

	"github.com/urfave/cli/v2"
)

// printer keeps the first error of a write, which the library ignores.
type printer struct {
	to  io.Writer
	err error
}

func (p *printer) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if p.err == nil {
		p.err = err
	}
	return n, err
}

func (c *call) helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Aliases:   []string{"h"},
		Usage:     "show help for skiff or for a command",
		ArgsUsage: "[COMMAND]",
		Description: `Shows the commands and global options, or the options of one command. The
manual page skiff(8) says more.`,
		UsageText: `skiff help run
skiff run --help`,
		HideHelpCommand: true,
		Action: func(ctx *cli.Context) error {
			name := ctx.Args().First()
			if name != "" && ctx.App.Command(name) == nil {
				return unknownVerb(name, ctx.App.Commands)
			}
			if err := checkArgs(ctx, 0, 1); err != nil {
				return err
			}
			if name == "" {
				return cli.ShowAppHelp(ctx)
			}
			return cli.ShowCommandHelp(ctx, name)
		},
	}
}
