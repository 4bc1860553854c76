// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/tried"
)

// untried has flags that no test uses, "VERB --FLAG", each with the reason.
var untried = map[string]string{}

// Each flag of each verb is used by a script, or by a test of this package: the verb and
// the flag, by any of its names, are on one line.
func TestEveryFlagIsTried(t *testing.T) {
	c := &call{}
	names := make(map[string][]string) // by "VERB --FLAG"
	var all []string
	for _, cmd := range c.allCommands() {
		for _, f := range cmd.Flags {
			entry := cmd.Name + " --" + f.Names()[0]
			names[entry] = f.Names()
			all = append(all, entry)
		}
	}
	for _, f := range globalFlags() {
		entry := "skiff --" + f.Names()[0]
		names[entry] = f.Names()
		all = append(all, entry)
	}
	tests := tried.Scripts(t)
	for file, text := range tried.Read(t, "commands/*_test.go") {
		if file != "commands/tried_test.go" {
			tests[file] = text
		}
	}
	pattern := func(entry string) string {
		verb, _, _ := strings.Cut(entry, " ")
		return verb + `\b.*[ "'=]--?(` + strings.Join(names[entry], "|") + `)([ "'=\n]|$)`
	}
	tests.Check(t, "flag", all, func(entry string) string { return `(?m)` + pattern(entry) }, untried)
}
