// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A budget has, for each command, how many of each kind it may use.
type budget map[string]map[string]int

// parse reads a budget: a line is a command, a kind and a number.
func parse(text string) (budget, error) {
	b := make(budget)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var command, kind string
		var n int
		if _, err := fmt.Sscanf(line, "%s %s %d", &command, &kind, &n); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if b[command] == nil {
			b[command] = make(map[string]int)
		}
		b[command][kind] = n
	}
	return b, nil
}

func (b budget) String() string {
	var s strings.Builder
	for _, command := range slices.Sorted(maps.Keys(b)) {
		for _, kind := range slices.Sorted(maps.Keys(b[command])) {
			fmt.Fprintf(&s, "%s %s %d\n", command, kind, b[command][kind])
		}
	}
	return s.String()
}

// over returns a line for each kind of which a command has used more than the budget, plus
// percent of it, allows.
func (b budget) over(command string, used map[string]int, percent int) (lines []string) {
	for _, kind := range slices.Sorted(maps.Keys(used)) {
		if allowed := b[command][kind]; used[kind] > allowed+allowed*percent/100 {
			lines = append(lines, fmt.Sprintf("%s: %d %s, the budget is %d", command, used[kind], kind, allowed))
		}
	}
	return lines
}
