// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"io"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
)

// printVersion prints lines that engines parse. Docker takes the version from any line
// that contains the word "version", so there must be only one.
func (c *call) printVersion(w io.Writer) {
	fmt.Fprintln(w, "skiff version", c.build.Version)
	if c.build.Commit != "" {
		fmt.Fprintln(w, "commit:", c.build.Commit)
	}
	fmt.Fprintln(w, "spec:", specs.Version)
	fmt.Fprintln(w, "go:", runtime.Version())
	fmt.Fprintln(w, "libseccomp:", libcontainer.LibseccompVersion())
}
