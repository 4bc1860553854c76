// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/commands"
)

// calls returns the lines of a page's displays that call skiff.
func calls(source string) (lines []string) {
	literal := false
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		display, isDisplay := strings.CutPrefix(line, ".Dl ")
		switch {
		case strings.HasPrefix(line, ".Bd -literal"):
			literal = true
		case strings.HasPrefix(line, ".Ed"):
			literal = false
		case isDisplay:
			lines = append(lines, display)
		case literal:
			lines = append(lines, line)
		}
	}
	return slices.DeleteFunc(lines, func(line string) bool { return !slices.Contains(strings.Fields(line), "skiff") })
}

// check reports the calls of skiff in shell commands that have an unknown command or
// option, or an option without its value. Words are separated by spaces: enough for
// examples.
func (m *manual) check(lines []string) error {
	var failed []error
	for _, line := range lines {
		words := strings.Fields(line)
		for i, word := range words {
			if word == "skiff" && startsCommand(words[:i]) {
				if err := m.call(words[i+1:]); err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", line, err))
				}
			}
		}
	}
	return errors.Join(failed...)
}

// startsCommand reports whether the word after these is a command's name in a shell.
func startsCommand(before []string) bool {
	return len(before) == 0 || slices.Contains([]string{"|", "||", "&&", ";", "$", "#"}, before[len(before)-1])
}

// call checks the arguments of one call of skiff.
func (m *manual) call(args []string) error {
	rest, err := m.skip(m.global, args, true)
	if err != nil || len(rest) == 0 {
		return err
	}
	verb := m.verb(rest[0])
	if verb == nil {
		return fmt.Errorf("there is no command %s", rest[0])
	}
	_, err = m.skip(verb.Flags, rest[1:], verb.Name == "exec" || verb.Name == "ps")
	return err
}

// skip checks the options in args up to the end of the shell command, or with first up to
// the first other argument. It returns the arguments from there on.
func (m *manual) skip(known []commands.Flag, args []string, first bool) ([]string, error) {
	for i := 0; i < len(args); i++ {
		switch word := args[i]; {
		case slices.Contains([]string{"|", "||", "&&", ";", ">", ">>", "<", "&"}, word):
			return nil, nil
		case word == "-" || word[0] != '-':
			if first {
				return args[i:], nil
			}
		default:
			name, _, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
			f := find(known, name)
			if f == nil {
				return nil, fmt.Errorf("there is no option %s", word)
			}
			if f.Arg != "" && !given {
				i++
			}
			if i >= len(args) {
				return nil, fmt.Errorf("%s has no value", word)
			}
		}
	}
	return nil, nil
}
