// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

// maxMounts limits the document that mounts reads, in bytes.
const maxMounts = 16 << 20

func (c *call) mountsCommand() *cli.Command {
	return &cli.Command{
		Name:      "mounts",
		Usage:     "add mounts to a running container, or remove them",
		ArgsUsage: "add|remove CONTAINER-ID FILE",
		Description: `Mounts filesystems in a container that was created or is running. FILE is a
JSON array in the form of mounts in config.json; - is standard input. remove
unmounts what add has mounted at the destinations in FILE.`,
		UsageText: `skiff mounts add web data.json
echo '[{"destination": "/data"}]' | skiff mounts remove web -`,
		Action: c.mounts,
	}
}

func (c *call) mounts(ctx *cli.Context) error {
	if err := checkArgs(ctx, 3, 3); err != nil {
		return err
	}
	what, id, file := ctx.Args().Get(0), ctx.Args().Get(1), ctx.Args().Get(2)
	if what != "add" && what != "remove" {
		return misuse("unknown action %q: must be add or remove", what)
	}
	if err := libcontainer.CheckID(id); err != nil {
		return err
	}
	container, err := c.load(id)
	if err != nil {
		return err
	}
	list, raw, err := readMounts(file)
	if err != nil {
		return err
	}
	if what == "remove" {
		return c.removeMounts(container, list)
	}
	l, err := c.compileMounts(container, list)
	if err != nil {
		return err
	}
	return container.AddMounts(l, raw)
}

func (c *call) removeMounts(container *libcontainer.Container, list []specs.Mount) error {
	var where []libcontainer.Destination
	for i, m := range list {
		field := plan.At("mounts", i) + ".destination"
		if m.Destination == "" {
			return fault.In(fault.Config, fault.With(fault.InvalidConfig, fmt.Errorf("%s: is required", field)))
		}
		where = append(where, libcontainer.Destination{Field: field, Path: filepath.Join("/", m.Destination)})
	}
	l, err := c.compileMounts(container, nil)
	if err != nil {
		return err
	}
	return container.RemoveMounts(l, where)
}

func (c *call) compileMounts(container *libcontainer.Container, list []specs.Mount) (*plan.Launch, error) {
	raw, err := container.Config()
	if err != nil {
		return nil, err
	}
	stored, err := specconv.Decode(raw)
	if err != nil {
		return nil, err
	}
	state, err := container.State()
	if err != nil {
		return nil, err
	}
	l, warnings, err := specconv.CompileMounts(stored, list, specconv.Options{ID: container.ID(), Bundle: state.Bundle, Rootless: c.host.Rootless})
	for _, w := range warnings {
		c.log.warn("%v", w)
	}
	return l, err
}

func readMounts(file string) (list []specs.Mount, raw []json.RawMessage, err error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, nil, fault.In(fault.Config, err)
		}
		defer f.Close()
		in = f
	}
	doc, err := io.ReadAll(io.LimitReader(in, maxMounts+1))
	if err == nil && len(doc) > maxMounts {
		err = fault.New(fault.InvalidConfig, fmt.Sprintf("must not be larger than %d MiB", maxMounts>>20))
	}
	if err == nil {
		list, raw, err = specconv.DecodeMounts(doc)
	}
	if err != nil {
		return nil, nil, fault.In(fault.Config, fault.Prefix(file, err))
	}
	return list, raw, nil
}
