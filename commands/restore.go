// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/criu"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

func (c *call) restoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "restore a container from a checkpoint",
		ArgsUsage: "CONTAINER-ID",
		Description: `Creates a container from a bundle and the image files of a checkpoint, and
waits until it exits. Needs criu(8).`,
		UsageText: `skiff restore --bundle /srv/web --image-path /var/tmp/web web
skiff restore --detach --tcp-established web`,
		Flags: append(slices.Concat(criuFlags(), bundleFlags),
			&cli.StringFlag{Name: "console-socket", Usage: "send the terminal's master end to the UNIX socket `SOCKET`"},
			&cli.StringFlag{Name: "pid-file", Usage: "write the process id to `FILE`"},
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run the container in the background"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the parent of orphaned processes in the container"},
			&cli.BoolFlag{Name: "no-pivot", Usage: "accepted, without effect: CRIU changes the root in its own way"},
			&cli.BoolFlag{Name: "tcp-close", Usage: "restore TCP connections as closed"},
			&cli.StringFlag{Name: "lsm-profile", Usage: "`TYPE:NAME`: use apparmor:PROFILE or selinux:LABEL instead of what was saved"},
			&cli.StringFlag{Name: "lsm-mount-context", Usage: "`CONTEXT`: use this SELinux context of mounts instead of what was saved"},
		),
		Action: c.restore,
	}
}

func (c *call) restore(ctx *cli.Context) error {
	detach := ctx.Bool("detach")
	l, o, err := c.prepareRestore(ctx, detach)
	if err != nil {
		return err
	}
	if err := c.makeRoot(); err != nil {
		return err
	}
	if detach {
		_, _, err := c.host.Restore(l.plan, l.raw, l.io, o)
		return err
	}
	if err := adoptTerminal(&l.plan.Process, &l.io, noTerminalToRun); err != nil {
		return err
	}
	l.io.Subreaper = !ctx.Bool("no-subreaper")
	return c.foreground(l, false, func() (*libcontainer.Container, *libcontainer.Process, error) {
		return c.host.Restore(l.plan, l.raw, l.io, o)
	})
}

// prepareRestore reads the bundle and the flags.
func (c *call) prepareRestore(ctx *cli.Context, detach bool) (*launch, *criu.RestoreOptions, error) {
	if err := checkArgs(ctx, 1, 1); err != nil {
		return nil, nil, err
	}
	id := ctx.Args().First()
	if err := libcontainer.CheckID(id); err != nil {
		return nil, nil, err
	}
	l, bundle, err := readBundle(ctx)
	if err != nil {
		return nil, nil, err
	}
	if l.plan, err = c.compile(l.spec, specconv.Options{ID: id, Bundle: bundle}); err != nil {
		return nil, nil, err
	}
	o := &criu.RestoreOptions{LSMProfile: ctx.String("lsm-profile"), LSMMountContext: ctx.String("lsm-mount-context")}
	if o.Options, err = criuOptions(ctx, l.spec); err != nil {
		return nil, nil, err
	}
	if o.CgroupsMode == "strict" {
		return nil, nil, misuse("--manage-cgroups-mode strict: skiff, not CRIU, makes the cgroups of a restored container: must be soft, full or ignore")
	}
	if err := checkProfile(o.LSMProfile); err != nil {
		return nil, nil, err
	}
	l.io = libcontainer.IO{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ConsoleSocket: ctx.String("console-socket"), PidFile: ctx.String("pid-file"),
	}
	return l, o, checkTerminal(l.plan.Process.Terminal, detach, l.io.ConsoleSocket)
}

// checkProfile checks --lsm-profile.
func checkProfile(s string) error {
	kind, name, _ := strings.Cut(s, ":")
	if s != "" && (name == "" || kind != "apparmor" && kind != "selinux") {
		return misuse("--lsm-profile %q: must be apparmor:NAME or selinux:LABEL", s)
	}
	return nil
}
