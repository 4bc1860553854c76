package specconv

import (
	"fmt"
	"strings"
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

// at is the path of an array's element.
func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// under is the path of a member; the process of an exec has no path itself.
func under(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}
