// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"os"

	"github.com/urfave/cli/v2"
)

func (c *call) stateCommand() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Usage:     "print the state of a container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Prints, as JSON, the status of the container (creating, created, running,
paused or stopped), its process id, bundle and annotations.`,
		UsageText: `skiff state web
skiff state web | jq -r .status`,
		Action: func(ctx *cli.Context) error {
			container, err := c.container(ctx, 1)
			if err != nil {
				return err
			}
			state, err := container.State()
			if err != nil {
				return err
			}
			return printJSON(state, "  ")
		},
	}
}

// printJSON prints v with a member on each line, or all on one line if indent is empty.
func printJSON(v any, indent string) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
