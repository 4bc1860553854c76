// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/skiff-oci/skiff/commands"
)

// head is the top of a page, after its date: title, name and synopsis.
func (m *manual) head(title, section string, verb *commands.Verb) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, ".Dt %s %s\n.Os skiff %s\n.nh\n.Sh NAME\n.Nm %s\n", strings.ToUpper(title), section, m.version, title)
	switch {
	case verb != nil:
		fmt.Fprintf(b, ".Nd %s\n.Sh SYNOPSIS\n.Nm skiff\n.Op Ar global-option ...\n.Cm %s\n.Op Ar option ...\n", verb.Usage, verb.Name)
		for _, arg := range strings.Fields(verb.Args) {
			b.WriteString(argument(arg))
		}
	case section == "8":
		b.WriteString(".Nd run containers as specified by the Open Container Initiative\n.Sh SYNOPSIS\n.Nm\n.Op Ar global-option ...\n.Ar command\n.Op Ar option ...\n.Op Ar argument ...\n")
	default:
		b.WriteString(".Nd the configuration of a container, as skiff reads it\n")
	}
	return b.String()
}

// argument is a word of a command's arguments in mdoc: add|remove is typed as it is, and
// the others are placeholders.
func argument(word string) string {
	if inner, ok := strings.CutPrefix(word, "["); ok {
		inner, dots := strings.CutSuffix(strings.TrimSuffix(inner, "]"), "...")
		if dots {
			inner += " ..."
		}
		return ".Op Ar " + escape(inner) + "\n"
	}
	if strings.Contains(word, "|") {
		return ".Cm " + escape(strings.ReplaceAll(word, "|", " | ")) + "\n"
	}
	return ".Ar " + escape(word) + "\n"
}

// options is the section with the options of a command, or with the global ones.
func (m *manual) options(verb *commands.Verb) string {
	b := new(strings.Builder)
	flags, title := m.global, "GLOBAL OPTIONS"
	if verb != nil {
		flags, title = verb.Flags, "OPTIONS"
	}
	fmt.Fprintf(b, ".Sh %s\n.Bl -tag -width Ds\n", title)
	for i := range flags {
		b.WriteString(option(&flags[i]))
	}
	b.WriteString(".El\n")
	return b.String()
}

func option(f *commands.Flag) string {
	b := new(strings.Builder)
	b.WriteString(".It")
	for i, name := range f.Names {
		if i > 0 {
			b.WriteString(" ,")
		}
		if len(name) > 1 {
			name = "-" + name
		}
		b.WriteString(" Fl " + escape(name))
	}
	switch {
	case f.Arg == "":
	case strings.Contains(f.Arg, "|"):
		b.WriteString(" Cm " + escape(strings.ReplaceAll(f.Arg, "|", " | ")))
	default:
		b.WriteString(" Ar " + escape(f.Arg))
	}
	b.WriteString("\n" + sentences(f.Text))
	if f.Repeats {
		b.WriteString("The option may be repeated.\n")
	}
	if f.Default != "" {
		b.WriteString(sentences("the default is " + f.Default))
	}
	return b.String()
}

// sentences makes sentences of a phrase. Each begins on a new line, and a line has at
// most 80 bytes.
func sentences(phrase string) string {
	text, b, column := escape(strings.ToUpper(phrase[:1])+phrase[1:]+"."), new(strings.Builder), 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+len(word) >= 80 || strings.HasSuffix(b.String(), "."):
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}

// commands lists the commands, each with a reference to its page.
func (m *manual) commands() string {
	b := new(strings.Builder)
	b.WriteString(".Bl -tag -width Ds\n")
	for _, v := range m.verbs {
		fmt.Fprintf(b, ".It Cm %s\n%sSee\n.Xr skiff-%s 8 .\n", v.Name, sentences(v.Usage), v.Name)
	}
	b.WriteString(".El\n")
	return b.String()
}

// escape keeps hyphens from becoming typographical ones, which cannot be pasted into a
// shell.
func escape(s string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s) }

var flagWords = regexp.MustCompile(`\bFl -?[a-z0-9-]+`)

// escapeSource escapes the hyphens in options and in displays of a page's source. Lines
// of one display, .Dl, become literal text, in which quotes are not mdoc's.
func escapeSource(source string) string {
	const begin, end = ".Bd -literal -offset indent -compact\n", ".Ed\n"
	b, literal, inDisplay := new(strings.Builder), false, false
	for line := range strings.Lines(source) {
		display, isDisplay := strings.CutPrefix(line, ".Dl ")
		switch {
		case isDisplay && !inDisplay:
			b.WriteString(begin)
		case inDisplay && !isDisplay:
			b.WriteString(end)
		}
		inDisplay = isDisplay
		switch {
		case strings.HasPrefix(line, ".Bd -literal"):
			literal = true
		case strings.HasPrefix(line, ".Ed"):
			literal = false
		case isDisplay:
			line = escape(display)
		case literal:
			line = escape(line)
		default:
			line = flagWords.ReplaceAllStringFunc(line, func(s string) string { return "Fl " + escape(s[len("Fl "):]) })
		}
		b.WriteString(line)
	}
	if inDisplay {
		b.WriteString(end)
	}
	return b.String()
}
