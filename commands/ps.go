// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/urfave/cli/v2"
)

func (c *call) psCommand() *cli.Command {
	return &cli.Command{
		Name:      "ps",
		Usage:     "list the processes in a container",
		ArgsUsage: "CONTAINER-ID [PS-OPTION...]",
		Description: `Runs ps(1) on the host and prints the lines of the container's processes.
The default options of ps are -ef. Others must select the processes, as -e
does, and print a column PID.`,
		UsageText: `skiff ps web
skiff ps web -eo pid,rss,args`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "`table|json`: print the table of ps(1), or a JSON array of the process ids"},
		},
		Action: c.ps,
	}
}

func (c *call) ps(ctx *cli.Context) error {
	asJSON, err := tableFormat(ctx)
	if err != nil {
		return err
	}
	container, err := c.container(ctx, -1)
	if err != nil {
		return err
	}
	pids, err := container.Pids()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(append([]int{}, pids...), "")
	}
	table, err := processTable(operandsAfterID(ctx))
	if err != nil {
		return err
	}
	return filterTable(os.Stdout, table, pids)
}

// operandsAfterID returns the arguments after the container's id, without a "--" that
// separates them.
func operandsAfterID(ctx *cli.Context) []string {
	rest := ctx.Args().Tail()
	if len(rest) > 0 && rest[0] == "--" {
		return rest[1:]
	}
	return rest
}

func processTable(options []string) (string, error) {
	given := len(options) > 0
	if !given {
		options = []string{"-ef"}
	}
	out, err := exec.Command("ps", options...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fault.Hint(fault.With(fault.NotFound, err), "install the package that provides ps: procps, or procps-ng")
	}
	if err != nil {
		err = fmt.Errorf("ps %s: %w: %s", strings.Join(options, " "), err, bytes.TrimSpace(out))
	}
	if err != nil && given {
		err = misused(err)
	}
	if err != nil {
		return "", err
	}
	return string(out), nil
}

// filterTable writes the header of ps(1)'s table and the lines of the given pids.
func filterTable(w io.Writer, table string, pids []int) error {
	header, body, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(header), "PID")
	if column < 0 {
		return fault.Hint(misuse("the output of ps has no PID column: %q", header), "use options of ps(1) that print the PID")
	}
	if _, err := fmt.Fprintln(w, header); err != nil {
		return err
	}
	for line := range strings.Lines(body) {
		pid, err := linePid(line, column)
		if err != nil {
			return err
		}
		if slices.Contains(pids, pid) {
			if _, err := io.WriteString(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// linePid returns the pid in a column of a line, or 0 for an empty line.
func linePid(line string, column int) (int, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return 0, nil
	}
	if column >= len(fields) {
		return 0, fmt.Errorf("a line of the output of ps has no PID: %q", line)
	}
	pid, err := strconv.Atoi(fields[column])
	if err != nil {
		return 0, fmt.Errorf("a line of the output of ps has no PID: %q: %w", line, err)
	}
	return pid, nil
}
