// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/urfave/cli/v2"
)

// misuse returns an error in the command line.
func misuse(format string, args ...any) error { return misused(fmt.Errorf(format, args...)) }

// misplaced adds a hint to the error of a verb's unknown flag if it is a global one.
func misplaced(err error) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if ok && slices.ContainsFunc(globalFlags(), func(f cli.Flag) bool { return f.Names()[0] == name }) {
		return fault.Hint(err, "--"+name+" is a global option: it goes before the command")
	}
	return err
}

// misused marks err as an error in the command line.
func misused(err error) error {
	return fault.With(fault.Usage, fault.In(fault.Arguments, err))
}
