// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// columns are the contenders in the table.
var columns = []string{"skiff", "before", "crun", "runc", "floor"}

// table returns the rows as a table, for a terminal. A contender that is in no row has no
// column.
func table(rows []row) string {
	var s strings.Builder
	present := slices.DeleteFunc(slices.Clone(columns), func(name string) bool {
		return !slices.ContainsFunc(rows, func(r row) bool { _, ok := r.Values[name]; return ok })
	})
	fmt.Fprintf(&s, "\n%-46s", "")
	for _, name := range present {
		fmt.Fprintf(&s, " %9s", name)
	}
	others := slices.DeleteFunc(slices.Clone(present), func(name string) bool { return name == "skiff" || name == "runc" })
	for _, name := range others {
		fmt.Fprintf(&s, " %10s", "of "+name)
	}
	fmt.Fprintf(&s, " %12s  %s\n", "CPU of crun", "goal")
	for _, r := range rows {
		fmt.Fprintf(&s, "%-46s", r.Name+" ("+r.Unit+")")
		for _, name := range present {
			fmt.Fprintf(&s, " %9s", cell(r.Values, name))
		}
		for _, name := range others {
			fmt.Fprintf(&s, " %10s", ratio(r.Values, name))
		}
		mark := ""
		if r.Missed {
			mark = "  MISSED"
		}
		fmt.Fprintf(&s, " %12s%s\n", ratio(r.CPU, "crun"), strings.TrimRight("  "+r.Goal+mark, " "))
	}
	for _, r := range rows {
		for _, name := range slices.Sorted(maps.Keys(r.Notes)) {
			fmt.Fprintf(&s, "%s: %s: %s\n", r.Name, name, r.Notes[name])
		}
	}
	return s.String()
}

func cell(values map[string]float64, name string) string {
	v, ok := values[name]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(values map[string]float64, to string) string {
	base, own := values[to], values["skiff"]
	if base == 0 || own == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", own/base)
}
