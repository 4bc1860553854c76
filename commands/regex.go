// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/urfave/cli/v2"
)

// regexFlag makes CONTAINER-ID a pattern, as in crun.
func regexFlag() cli.Flag {
	return &cli.BoolFlag{Name: "regex", Aliases: []string{"r"}, Usage: "treat CONTAINER-ID as a regular expression, and act on all containers that it matches"}
}

// each calls do with the container id that is the first argument; with --regex, with
// each id that it matches, even if one fails. It is no error if it matches none.
func (c *call) each(ctx *cli.Context, most int, do func(id string) error) error {
	if err := checkArgs(ctx, 1, most); err != nil {
		return err
	}
	if !ctx.Bool("regex") {
		return do(ctx.Args().First())
	}
	ids, err := c.matching(ctx.Args().First())
	if err != nil {
		return err
	}
	n := counter{verb: ctx.Command.Name, total: len(ids)}
	defer progress(n.String)()
	var failed []error
	for _, id := range ids {
		if err := do(id); err != nil && !errors.Is(err, libcontainer.ErrNotExist) { // else it has just been deleted
			failed = append(failed, fmt.Errorf("container %s: %w", id, err))
		}
		n.done.Add(1)
	}
	return errors.Join(failed...)
}

// matching returns the ids of the containers that a regular expression matches. It
// refuses an empty one, which is likely an unset variable in a script.
func (c *call) matching(expression string) ([]string, error) {
	if expression == "" {
		return nil, fault.Hint(misuse("--regex: the regular expression must not be empty"), "use . to match every container ID")
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, misuse("--regex: %w", err)
	}
	ids, err := c.host.IDs()
	if c.rootIsDefault && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // there has not been a container yet
	}
	if err != nil {
		return nil, c.hintRoot(err)
	}
	var matched []string
	for _, id := range ids {
		if re.MatchString(id) {
			matched = append(matched, id)
		}
	}
	return matched, nil
}
