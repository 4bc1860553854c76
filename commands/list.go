// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

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
	rows := [][6]string{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}}
	for _, s := range states {
		rows = append(rows, [...]string{s.ID, strconv.Itoa(s.Pid), s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner})
	}
	_, err := w.Write(aligned(rows))
	return err
}

// aligned returns rows in columns, each of which is at least 12 characters wide, and at
// least 3 wider than its text: what text/tabwriter makes of them, in a quarter of the
// time.
func aligned(rows [][6]string) []byte {
	var widths [6]int
	for i := range rows {
		for k, text := range rows[i] {
			widths[k] = max(widths[k], 12, utf8.RuneCountInString(text)+3)
		}
	}
	var out []byte
	for i := range rows {
		for k, text := range rows[i] {
			out = append(out, text...)
			for n := utf8.RuneCountInString(text); n < widths[k] && k < len(widths)-1; n++ {
				out = append(out, ' ')
			}
		}
		out = append(out, '\n')
	}
	return out
}
