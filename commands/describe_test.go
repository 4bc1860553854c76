// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// helpOf returns what a call of help prints.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	out := new(bytes.Buffer)
	c := &call{help: printer{to: out}}
	if err := c.run(append([]string{"skiff"}, args...)); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String()
}

// Every help text has all its parts, is the same for both ways to ask for it, and fits a
// terminal of 80 columns.
func TestHelp(t *testing.T) {
	texts := map[string]string{"": helpOf(t, "--help")}
	if texts[""] != helpOf(t, "help") {
		t.Error("skiff help and skiff --help differ")
	}
	for _, v := range verbs {
		texts[v.name] = helpOf(t, "help", v.name)
		if v.name != "help" && texts[v.name] != helpOf(t, v.name, "--help") {
			t.Errorf("skiff help %s and skiff %[1]s --help differ", v.name)
		}
		if !strings.Contains(texts[""], "\n   "+v.name) {
			t.Errorf("skiff --help does not have %s", v.name)
		}
	}
	for name, text := range texts {
		for _, part := range []string{"NAME:\n   skiff", "\nUSAGE:\n   skiff ", "\n   --help, -h ", "\nEXAMPLES:\n   "} {
			if strings.Count(text, part) != 1 {
				t.Errorf("help %s has not one %q:\n%s", name, part, text)
			}
		}
		if name != "" && !strings.Contains(text, "\nDESCRIPTION:\n   ") {
			t.Errorf("help %s has no description", name)
		}
		for line := range strings.Lines(text) {
			if n := len(strings.TrimSuffix(line, "\n")); n > lineWidth {
				t.Errorf("help %s: %d columns: %s", name, n, line)
			}
		}
	}
}

// Each option that takes a value has a placeholder, and each has a phrase that says what
// it does.
func TestDescribe(t *testing.T) {
	global, all := Describe()
	for _, v := range append(all, Verb{Flags: global}) {
		for _, f := range v.Flags {
			if f.Text == "" || strings.HasSuffix(f.Text, ".") || strings.Contains(f.Text, "`") {
				t.Errorf("%s --%s: %q is not a phrase", v.Name, f.Names[0], f.Text)
			}
		}
	}
	c := new(call)
	for _, f := range slices.Concat(c.app().Flags, flagsOf(c.allCommands())) {
		if d, takes := describe(f), f.(cli.DocGenerationFlag).TakesValue(); takes != (d.Arg != "") {
			t.Errorf("--%s: takes a value: %v; placeholder %q", d.Names[0], takes, d.Arg)
		}
	}
}

func flagsOf(all []*cli.Command) (flags []cli.Flag) {
	for _, cmd := range all {
		flags = append(flags, cmd.Flags...)
	}
	return flags
}

func TestFlagHelp(t *testing.T) {
	for want, f := range map[string]cli.Flag{
		"--log FILE                 append to FILE":                                          &cli.StringFlag{Name: "log", Usage: "append to `FILE`"},
		"--format, -f a|b           form (default: a)":                                       &cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "a", Usage: "`a|b`: form"},
		"--all, -a                  everything":                                              &cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "everything"},
		"--cap CAP                  add the CAP (may be repeated)":                           &cli.StringSliceFlag{Name: "cap", Usage: "add the `CAP`"},
		"--fd N                     use N":                                                   &cli.IntFlag{Name: "fd", Usage: "use `N`"},
		"--manage-it a|lot|of|words\n" + strings.Repeat(" ", textColumn) + "it (default: x)": &cli.StringFlag{Name: "manage-it", DefaultText: "x", Usage: "`a|lot|of|words`: it"},
	} {
		if got := flagHelp(f); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if got, want := wrap("a bb ccc dddd  e", 5), []string{"a bb", "ccc", "dddd", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
