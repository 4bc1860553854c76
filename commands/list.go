// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

func (c *call) listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list containers",
		Description: `Lists the containers below --root with their process id, status, bundle, time
of creation and owner.`,
		UsageText: `skiff list
skiff list --format json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "`table|json`: form of the output"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only the container ids"},
		},
		Action: c.list,
	}
}

func (c *call) list(ctx *cli.Context) error {
	if err := checkArgs(ctx, 0, 0); err != nil {
		return err
	}
	asJSON, err := tableFormat(ctx)
	if err != nil {
		return err
	}
	if ctx.Bool("quiet") {
		all, broken, err := c.host.List()
		if err := c.listed(broken, err); err != nil {
			return err
		}
		return printIDs(os.Stdout, all)
	}
	states, broken, err := c.host.States()
	if err := c.listed(broken, err); err != nil {
		return err
	}
	if asJSON && states == nil {
		states = []*libcontainer.State{} // [], not null
	}
	if asJSON {
		return printJSON(states, "")
	}
	return printTable(os.Stdout, states)
}

// listed warns of containers that cannot be read, and returns the error of a list.
func (c *call) listed(broken []error, err error) error {
	for _, b := range broken {
		c.log.warn("list: %v", b)
	}
	// The default root directory does not exist before the first container does.
	if c.rootIsDefault && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.hintRoot(err)
}

func printIDs(w io.Writer, all []string) error {
	out := bufio.NewWriter(w)
	for _, id := range all {
		fmt.Fprintln(out, id)
	}
	return out.Flush()
}

func printTable(w io.Writer, states []*libcontainer.State) error {
	out := bufio.NewWriter(w) // the table is written cell by cell
	t := tabwriter.NewWriter(out, 12, 1, 3, ' ', 0)
	fmt.Fprint(t, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range states {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n",
			s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return out.Flush()
}
