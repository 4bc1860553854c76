// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// Violation is one error in a configuration.
type Violation struct {
	Path string // JSON path: "process.rlimits[1].hard"
	Text string // what is wrong, and what was expected
}

func (v Violation) String() string { return v.Path + ": " + v.Text }

// Violations are all errors in a configuration.
type Violations []Violation

// FaultCode is what a program is told about them.
func (v Violations) FaultCode() fault.Code { return fault.InvalidConfig }

// FaultPhase is the phase in which they are found.
func (v Violations) FaultPhase() fault.Phase { return fault.Config }

// Unwrap returns each of them as an error.
func (v Violations) Unwrap() []error {
	all := make([]error, len(v))
	for i := range v {
		all[i] = errors.New(v[i].String())
	}
	return all
}

// Error lists them in one line.
func (v Violations) Error() string {
	parts := make([]string, len(v))
	for i := range v {
		parts[i] = v[i].String()
	}
	return strings.Join(parts, "; ")
}

// Warning is about a part of a configuration that is no error, but most likely not what
// was meant, such as one that has no effect. Path and Text are as in [Violation].
type Warning struct{ Path, Text string }

func (w Warning) String() string { return w.Path + ": " + w.Text }

func (c *compiler) fault(path, format string, args ...any) {
	c.bad = append(c.bad, Violation{path, fmt.Sprintf(format, args...)})
}

func (c *compiler) warn(path, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{path, fmt.Sprintf(format, args...)})
}

// Short names, as nearly every check needs these.
func at(path string, i int) string     { return plan.At(path, i) }
func under(path, member string) string { return plan.Under(path, member) }
