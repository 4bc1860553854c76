// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed bash.sh
var bashScript string

// bash makes the completion of bash: functions with the table, and bash.sh.
func bash(verbs []verb) string {
	b := new(strings.Builder)
	b.WriteString("# Completion of skiff(8) for bash, generated from its table of commands.\n\n")
	b.WriteString("# Sets REPLY to the options of a command.\n_skiff_options() {\n\tcase $1 in\n")
	for _, v := range verbs {
		var names []string
		for _, o := range v.options {
			for _, name := range o.Names {
				names = append(names, dashed(name))
			}
		}
		fmt.Fprintf(b, "\t%q) REPLY=%q ;;\n", v.name, strings.Join(names, " "))
	}
	b.WriteString("\t*) REPLY= ;;\n\tesac\n}\n\n")
	b.WriteString("# Sets REPLY to what the value of an option is (COMMAND.OPTION), or an argument\n# (COMMAND:NUMBER). It is empty if there is none.\n_skiff_value() {\n\tcase $1 in\n")
	for _, v := range verbs {
		for _, o := range v.options {
			if o.Arg == "" {
				continue
			}
			var keys []string
			for _, name := range o.Names {
				keys = append(keys, v.name+"."+name)
			}
			fmt.Fprintf(b, "\t%s) REPLY=%q ;;\n", strings.Join(keys, " | "), bashValue(o.value))
		}
		for i, a := range v.args {
			fmt.Fprintf(b, "\t%s:%d) REPLY=%q ;;\n", v.name, i, bashValue(a))
		}
	}
	b.WriteString("\t*) REPLY= ;;\n\tesac\n}\n\n")
	return b.String() + bashScript
}

func bashValue(v value) string {
	return strings.TrimSpace(string(v.kind) + " " + strings.Join(v.words, " "))
}
