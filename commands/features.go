// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
)

func (c *call) featuresCommand() *cli.Command {
	return &cli.Command{
		Name:  "features",
		Usage: "print the supported features",
		Description: `Prints, as JSON, which parts of config.json this build of skiff supports:
hooks, mount options, namespaces, capabilities, seccomp and so on, in the
form of the OCI runtime specification (features.md).`,
		UsageText: `skiff features
skiff features | jq .linux.seccomp`,
		Action: func(ctx *cli.Context) error {
			if err := checkArgs(ctx, 0, 0); err != nil {
				return err
			}
			f := specconv.Features()
			// These depend on the host's kernel and libseccomp.
			s := f.Linux.Seccomp
			s.SupportedFlags = libcontainer.SeccompFlags()
			s.Archs = slices.DeleteFunc(slices.Clone(s.Archs), func(a string) bool { return !libcontainer.HasSeccompArch(a) })
			if f.Annotations == nil {
				f.Annotations = make(map[string]string)
			}
			f.Annotations["io.github.skiff-oci.skiff.version"] = c.build.Version
			if c.build.Commit != "" {
				f.Annotations["io.github.skiff-oci.skiff.commit"] = c.build.Commit
			}
			f.Annotations["io.github.seccomp.libseccomp.version"] = libcontainer.LibseccompVersion()
			// Engines offer checkpoints only if they find these, with runc and with crun.
			f.Annotations["org.opencontainers.runc.checkpoint.enabled"] = "true"
			f.Annotations["run.oci.crun.checkpoint.enabled"] = "true"
			return printJSON(f, "    ")
		},
	}
}
