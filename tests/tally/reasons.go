// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
)

// reasons groups the skipped tests by the reason why they were skipped.
type reasons struct{ all []skipped }

type skipped struct {
	reason string
	tests  []string
}

func (r *reasons) add(reason, test string) {
	i := slices.IndexFunc(r.all, func(s skipped) bool { return s.reason == reason })
	if i < 0 {
		i = len(r.all)
		r.all = append(r.all, skipped{reason: reason})
	}
	if !slices.Contains(r.all[i].tests, test) {
		r.all[i].tests = append(r.all[i].tests, test)
	}
}

// print prints one line for each reason, the most frequent first, and with names a
// further one for each test.
func (r *reasons) print(w io.Writer, names bool) {
	slices.SortStableFunc(r.all, func(a, b skipped) int { return len(b.tests) - len(a.tests) })
	for _, s := range r.all {
		fmt.Fprintf(w, "%4d skipped: %s\n", len(s.tests), s.reason)
		for _, test := range s.tests {
			if names {
				fmt.Fprintf(w, "             %s\n", test)
			}
		}
	}
}
