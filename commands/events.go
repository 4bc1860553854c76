// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

func (c *call) eventsCommand() *cli.Command {
	return &cli.Command{
		Name:      "events",
		Usage:     "print events and resource usage of a container",
		ArgsUsage: "CONTAINER-ID",
		Description: `Prints one JSON object per line: resource usage at an interval, and an event
when the container starts, pauses, resumes, is updated, runs out of memory or
exits. Ends when the container does.`,
		UsageText: `skiff events --stats web
skiff events --interval 1s web`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "interval", Value: "5s", Usage: "`DURATION`: time between two reports of resource usage, such as 500ms"},
			&cli.BoolFlag{Name: "stats", Usage: "print the resource usage once, and exit"},
		},
		Action: c.events,
	}
}

func (c *call) events(ctx *cli.Context) error {
	interval, err := time.ParseDuration(ctx.String("interval"))
	if err != nil || interval <= 0 {
		return misuse("--interval %q: must be a duration greater than 0, such as 5s or 500ms", ctx.String("interval"))
	}
	container, err := c.container(ctx, 1)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(os.Stdout)
	if !ctx.Bool("stats") {
		return container.Events(interval, func(e libcontainer.Event) error { return lines.Encode(e) })
	}
	stats, err := container.Stats()
	if err != nil {
		return err
	}
	return lines.Encode(libcontainer.Event{Type: "stats", ID: container.ID(), Data: stats})
}
