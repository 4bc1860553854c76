package specconv

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// Violation is one thing that is wrong with a configuration.
type Violation struct {
	Path string // JSON path: "process.rlimits[1].hard"
	Text string // what is wrong, and what was expected
}

func (v Violation) String() string { return v.Path + ": " + v.Text }

// Violations is all that is wrong with a configuration.
type Violations []Violation

// Error lists them in one line.
func (v Violations) Error() string {
	parts := make([]string, len(v))
	for i := range v {
		parts[i] = v[i].String()
	}
	return strings.Join(parts, "; ")
}

// Warning is something in a configuration that is passed over.
type Warning struct{ Path, Text string }

func (w Warning) String() string { return w.Path + ": " + w.Text }

func (c *compiler) fault(path, format string, args ...any) {
	c.bad = append(c.bad, Violation{path, fmt.Sprintf(format, args...)})
}

func (c *compiler) warn(path, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{path, fmt.Sprintf(format, args...)})
}

// Short names for what nearly each check here needs.
func at(path string, i int) string     { return plan.At(path, i) }
func under(path, member string) string { return plan.Under(path, member) }
