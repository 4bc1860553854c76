// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"iter"
	"strings"
)

// Separators of key and value: Blank in cgroup files, Colon in /proc/PID/status and
// fdinfo.
const (
	Blank = " "
	Colon = ":"
)

// Pairs yields the lines that have a key and a value, in their order.
func Pairs(text, between string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for line := range strings.Lines(text) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), between)
			if ok && !yield(key, strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// Value returns the value of the first line with that key.
func Value(text, between, key string) (value string, ok bool) {
	for k, v := range Pairs(text, between) {
		if k == key {
			return v, true
		}
	}
	return "", false
}
