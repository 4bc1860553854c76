// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed functions.fish
var fishFunctions string

// fish makes the completion of fish: the functions, the options with a value, and the
// calls of complete.
func fish(verbs []verb) string {
	b := new(strings.Builder)
	b.WriteString("# Completion of skiff(8) for fish, generated from its table of commands.\n\n")
	b.WriteString("# Whether an option takes a value. Usage: __skiff_takes COMMAND.OPTION.\nfunction __skiff_takes\n    contains -- $argv[1]")
	for _, v := range verbs {
		for _, o := range v.options {
			for _, name := range o.Names {
				if o.Arg != "" {
					fmt.Fprintf(b, " \\\n        %s.%s", v.name, name)
				}
			}
		}
	}
	b.WriteString("\nend\n\n" + fishFunctions + "\ncomplete -c skiff -f\n")
	for _, v := range verbs[1:] {
		fmt.Fprintf(b, "complete -c skiff -n '__skiff_at 0' -a %s -d %s\n", v.name, fishQuote(v.usage))
	}
	for i, v := range verbs {
		fmt.Fprintln(b)
		for _, o := range v.options {
			b.WriteString(fishOption(v.name, &o))
		}
		for n, a := range v.args {
			if i > 0 {
				b.WriteString(fishArgument(v.name, n, &a))
			}
		}
	}
	return b.String()
}

func fishOption(verb string, o *option) string {
	line := fmt.Sprintf("complete -c skiff -n '__skiff_options_of \"%s\"'", verb)
	for _, name := range o.Names {
		if len(name) == 1 {
			line += " -s " + name
		} else {
			line += " -l " + name
		}
	}
	if o.Arg != "" {
		line += fishValue(&o.value, " -x", " -r -F")
	}
	return line + " -d " + fishQuote(o.Text) + "\n"
}

func fishArgument(verb string, n int, a *value) string {
	if a.kind == nothing {
		return ""
	}
	return fmt.Sprintf("complete -c skiff -n '__skiff_at %d %s'%s\n", n+1, verb, fishValue(a, "", " -F"))
}

func fishValue(v *value, plain, files string) string {
	switch v.kind {
	case file:
		return files
	case dir:
		return plain + " -a '(__fish_complete_directories (commandline -ct))'"
	case words:
		return plain + " -a " + fishQuote(strings.Join(v.words, " "))
	case ids:
		return plain + " -a '(__skiff_ids " + strings.Join(v.words, " ") + ")'"
	case nothing:
	}
	return plain
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
