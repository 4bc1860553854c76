// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

func (c *call) specCommand() *cli.Command {
	return &cli.Command{
		Name:  "spec",
		Usage: "write a sample config.json",
		Description: `Writes a config.json that runs sh on a terminal, with the root filesystem in
the directory rootfs beside it. An existing file is not overwritten.`,
		UsageText: `skiff spec --bundle /srv/web
skiff spec --rootless`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "write it to `DIR`", DefaultText: "the working directory"},
			&cli.BoolFlag{Name: "rootless", Usage: "write a configuration for an ordinary user's container"},
		},
		Action: func(ctx *cli.Context) error {
			if err := checkArgs(ctx, 0, 0); err != nil {
				return err
			}
			path := filepath.Join(ctx.String("bundle"), "config.json")
			return writeSpec(path, ctx.Bool("rootless"))
		},
	}
}

func writeSpec(path string, rootless bool) error {
	s := specconv.Example(rootless)
	if !libcontainer.UnifiedCgroups() {
		specconv.ForLegacyCgroups(s)
	}
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	err = sys.PublishNew(path, append(b, '\n'), 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("file %s exists. Remove it first", path)
	}
	return err
}
