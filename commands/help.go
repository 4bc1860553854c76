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
		Name:            "help",
		Aliases:         []string{"h"},
		Usage:           "show the commands, or the flags of one",
		ArgsUsage:       "[COMMAND]",
		HideHelpCommand: true,
		Action: func(ctx *cli.Context) error {
			if err := checkArgs(ctx, 0, 1); err != nil {
				return prefix("help", err)
			}
			name := ctx.Args().First()
			if name == "" {
				return cli.ShowAppHelp(ctx)
			}
			if ctx.App.Command(name) == nil {
				return misuse("help: unknown command %q", name)
			}
			return cli.ShowCommandHelp(ctx, name)
		},
	}
}
