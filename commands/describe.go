// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Flag describes an option to those who read about it.
type Flag struct {
	Names   []string // without dashes, the long one first
	Arg     string   // placeholder of its value, or its choices like "text|json"; empty for an option without a value
	Text    string   // what it does
	Default string   // may be empty
	Repeats bool     // it may be given several times
}

// Verb describes a command.
type Verb struct {
	Name, Usage, Args     string // the last one has the placeholders of its arguments
	Description, Examples string // several lines
	Flags                 []Flag
}

// Describe returns the global options and the commands, in the order of the help text,
// for the programs that generate manual pages and completions. Skiff itself does not
// call it, so it is not in the binary.
func Describe() (global []Flag, all []Verb) {
	c := new(call)
	a := c.app()
	for _, f := range a.Flags {
		d := describe(f)
		if d.Names[0] == "root" { // the default depends on the caller
			d.Default = "/run/skiff, or $XDG_RUNTIME_DIR/skiff for an ordinary user"
		}
		global = append(global, d)
	}
	for _, cmd := range c.allCommands() {
		v := Verb{Name: cmd.Name, Usage: cmd.Usage, Args: cmd.ArgsUsage, Description: cmd.Description, Examples: cmd.UsageText}
		for _, f := range append(cmd.Flags, cli.HelpFlag) {
			v.Flags = append(v.Flags, describe(f))
		}
		all = append(all, v)
	}
	return global, all
}

// describe describes a flag. Its usage has the placeholder of the value in backquotes,
// either within the sentence, or before it with a colon.
func describe(f cli.Flag) Flag {
	first, aliases, takes := describeFlag(f)
	d := f.(cli.DocGenerationFlag)
	out := Flag{Names: append([]string{first}, aliases...), Text: d.GetUsage(), Default: defaultOf(f)}
	if s, ok := f.(cli.DocGenerationSliceFlag); ok {
		out.Repeats = s.IsSliceFlag()
	}
	if before, rest, ok := strings.Cut(out.Text, "`"); ok && takes {
		arg, after, _ := strings.Cut(rest, "`")
		out.Arg, out.Text = arg, before+arg+after
		if text, ok := strings.CutPrefix(after, ": "); ok && before == "" {
			out.Text = text
		}
	}
	return out
}

// defaultOf returns the default value of a flag that takes a text.
func defaultOf(f cli.Flag) string {
	var s *cli.StringFlag
	switch f := f.(type) {
	case *stringFlag:
		s = f.StringFlag
	case *cli.StringFlag:
		s = f
	default:
		return ""
	}
	if s.DefaultText != "" {
		return s.DefaultText
	}
	return s.Value
}

// The columns of the help text: where the description of a flag begins, and how many a
// line has.
const (
	textColumn = 30
	lineWidth  = 80
	indent     = 3
)

// flagHelp is the entry of a flag in the help text, as in
//
//	--user, -u UID[:GID]       run as this user and group
//
// without the indentation of its first line.
func flagHelp(f cli.Flag) string {
	d := describe(f)
	text := d.Text
	if d.Default != "" {
		text += " (default: " + d.Default + ")"
	}
	if d.Repeats {
		text += " (may be repeated)"
	}
	names := slices.Clone(d.Names)
	for i, name := range names {
		names[i] = "-" + name
		if len(name) > 1 {
			names[i] = "--" + name
		}
	}
	head := strings.TrimSpace(strings.Join(names, ", ") + " " + d.Arg)
	margin := "\n" + strings.Repeat(" ", textColumn)
	lines := strings.Join(wrap(text, lineWidth-textColumn), margin)
	if room := textColumn - indent - len(head); room >= 2 {
		return head + strings.Repeat(" ", room) + lines
	}
	return head + margin + lines
}

// wrap breaks a text into lines of at most width bytes, if its words are not longer.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

const appExamples = `skiff spec --bundle /srv/web
skiff run --bundle /srv/web web
skiff help exec`

// appHelp and commandHelp are the help texts of skiff and of a command. UsageText has
// the examples.
const (
	appHelp = `NAME:
   {{.Name}} - {{.Usage}}

USAGE:
   {{.Name}} [GLOBAL-OPTION...] COMMAND [OPTION...] [ARGUMENT...]

VERSION:
   {{.Version}}

COMMANDS:{{template "visibleCommandTemplate" .}}

GLOBAL OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}

EXAMPLES:
   {{wrap .UsageText 3}}
`
	commandHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} [OPTION...]{{with .ArgsUsage}} {{.}}{{end}}

DESCRIPTION:
   {{wrap .Description 3}}

OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}

EXAMPLES:
   {{wrap .UsageText 3}}
`
)
