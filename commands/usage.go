// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// misuse returns an error in the command line.
func misuse(format string, args ...any) error { return misused(fmt.Errorf(format, args...)) }

// misused marks err as an error in the command line.
func misused(err error) error {
	return fault.With(fault.Usage, fault.In(fault.Arguments, err))
}
