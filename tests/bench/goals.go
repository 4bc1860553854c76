// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// goal is what a value of skiff should not exceed: a part of another contender's value, or
// a value. The zero goal is none.
type goal struct {
	most float64
	of   string // a contender; empty: most is the value itself
}

func ofCrun(most float64) goal { return goal{most, "crun"} }

func (g goal) String() string {
	switch {
	case g.most == 0:
		return ""
	case g.of == "":
		return fmt.Sprintf("<= %g", g.most)
	}
	return fmt.Sprintf("<= %.2f of %s", g.most, g.of)
}

// missed reports whether skiff's value exceeds the goal. A value that was not measured
// exceeds nothing.
func (g goal) missed(values map[string]float64) bool {
	limit := g.most
	if g.of != "" {
		limit *= values[g.of]
	}
	return limit > 0 && values["skiff"] > limit
}
