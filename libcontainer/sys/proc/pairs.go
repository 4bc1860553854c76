package proc

import (
	"iter"
	"strings"
)

// What is between key and value: in files of cgroups, and in /proc/PID/status
// and fdinfo.
const (
	Blank = " "
	Colon = ":"
)

// Pairs are the lines of "key value", in their order.
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

// Value is the value of the first line with key.
func Value(text, between, key string) (value string, ok bool) {
	for k, v := range Pairs(text, between) {
		if k == key {
			return v, true
		}
	}
	return "", false
}
