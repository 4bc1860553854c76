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
	all, err := c.containers()
	if err != nil {
		return err
	}
	if ctx.Bool("quiet") {
		return printIDs(os.Stdout, all)
	}
	states := c.states(all)
	if asJSON {
		return printJSON(states, "")
	}
	return printTable(os.Stdout, states)
}

// containers returns all containers, and warns of those that it cannot read.
func (c *call) containers() ([]*libcontainer.Container, error) {
	all, broken, err := c.host.List()
	for _, b := range broken {
		c.log.warn("list: %v", b)
	}
	// The default root directory does not exist before the first container does.
	if c.rootIsDefault && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return all, c.hintRoot(err)
}

// states returns the states of those containers that still exist.
func (c *call) states(all []*libcontainer.Container) []*libcontainer.State {
	states := make([]*libcontainer.State, 0, len(all))
	for _, container := range all {
		s, err := container.State()
		switch {
		case err == nil:
			states = append(states, s)
		case !errors.Is(err, libcontainer.ErrNotExist):
			c.log.warn("list: %v", err)
		}
	}
	return states
}

func printIDs(w io.Writer, all []*libcontainer.Container) error {
	out := bufio.NewWriter(w)
	for _, container := range all {
		fmt.Fprintln(out, container.ID())
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
