// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// print prints the rows as a table.
func (b *bench) print() {
	fmt.Printf("\n%-40s %9s %9s %9s %9s %9s  %8s %8s %8s  %s\n", "", "skiff", "before", "crun", "runc", "floor", "of crun", "of floor", "of before", "goal")
	for _, r := range b.rows {
		fmt.Printf("%-40s", r.Name+" ("+r.Unit+")")
		for _, k := range []string{"skiff", "before", "crun", "runc", "floor"} {
			if v, ok := r.Values[k]; ok {
				fmt.Printf(" %9.2f", v)
			} else {
				fmt.Printf(" %9s", "-")
			}
		}
		fmt.Printf("  %8s %8s %8s  %s\n", ratio(r, "crun"), ratio(r, "floor"), ratio(r, "before"), r.Goal)
	}
	for _, r := range b.rows {
		for k, note := range r.Notes {
			fmt.Printf("%s: %s: %s\n", r.Name, k, note)
		}
	}
}

func ratio(r row, to string) string {
	base, ok := r.Values[to]
	own, measured := r.Values["skiff"]
	if !ok || !measured || base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", own/base)
}
