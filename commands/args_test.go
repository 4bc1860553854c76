// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestVerb(t *testing.T) {
	for line, want := range map[string]string{
		"skiff":                                      "",
		"skiff state x":                              "state",
		"skiff --root state list":                    "list",
		"skiff --root=state list":                    "list",
		"skiff -root state -log x list":              "list",
		"skiff --debug --systemd-cgroup run x":       "run",
		"skiff --debug=false --log-format json ps x": "ps",
		"skiff --version":                            "",
		"skiff --root":                               "",
		"skiff --nosuch kill":                        "kill",
		"skiff -- kill":                              "kill",
	} {
		args := strings.Fields(line)
		got := ""
		if v := verb(globalFlags(), args); v < len(args) {
			got = args[v]
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestReorder(t *testing.T) {
	c := new(call)
	for line, want := range map[string]string{
		"s delete x --force":         "s delete --force -- x",
		"s delete --force x":         "s delete --force -- x",
		"s delete --force":           "s delete --force",
		"s delete -- --force":        "s delete -- --force",
		"s create x --bundle":        "s create --bundle",
		"s create x -b d --pid-file": "s create -b d --pid-file",
		"s create x -b=d y":          "s create -b=d -- x y",
		"s run x -d --bundle d":      "s run -d --bundle d -- x",
		"s exec x ls -l":             "s exec x ls -l",
		"s exec -t x -- ls":          "s exec -t x -- ls",
		"s ps x -f":                  "s ps x -f",
		"s kill - KILL":              "s kill -- - KILL",
	} {
		args := strings.Fields(line)
		if got := reorder(c.command(findVerb(args[1])), args, 1); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %s", line, got, want)
		}
	}
}

// Flags get their first names, and all other arguments stay. describeFlag has every
// name of each flag.
func TestFirstNames(t *testing.T) {
	c := new(call)
	for line, want := range map[string]string{
		"exec -e A=1 --env B=2 -e=C=3 x env -e D":   "exec --env A=1 --env B=2 --env=C=3 x env -e D",
		"exec -t --tty -u 1 --user 2 --u=3 x id -u": "exec --tty --tty --user 1 --user 2 --user=3 x id -u",
		"exec -e -t x -t":                           "exec --env -t x -t",
		"exec --preserve-fds 2 -d x":                "exec --preserve-fds 2 --detach x",
		"exec -t -- -e":                             "exec --tty -- -e",
		"exec -e":                                   "exec --env",
		"exec --nosuch -t x":                        "exec --nosuch --tty x",
		"delete -f=false -- -f":                     "delete --force=false -- -f",
		"list -q -f json":                           "list --quiet --format json",
		"exec -t -h x":                              "exec --help",
		"delete --help -h -- x":                     "delete --help",
		"exec -e -h x":                              "exec --env -h x",
		"exec x -h":                                 "exec x -h",
		"delete --help=false x":                     "delete --help=false x",
	} {
		args, wants := strings.Fields(line), strings.Fields(want)
		if got := firstNames(append(c.command(findVerb(args[0])).Flags, cli.HelpFlag), args[1:]); !slices.Equal(got, wants[1:]) {
			t.Errorf("%s: got %q, want %s", line, got, want)
		}
	}
	for _, cmd := range c.allCommands() {
		for _, f := range cmd.Flags {
			first, aliases, takes := describeFlag(f)
			if all := append([]string{first}, aliases...); !slices.Equal(all, f.Names()) || takes != f.(cli.DocGenerationFlag).TakesValue() {
				t.Errorf("%s: flag %q, value %v, is described as %q, %v", cmd.Name, f.Names(), !takes, all, takes)
			}
		}
	}
}

// Only the flags before the first operand, and those with a default value, go to the
// library.
func TestUsed(t *testing.T) {
	c := new(call)
	for line, want := range map[string]string{
		"exec --env A=1 --env=B x env --tty":    "env",
		"exec --env --tty x":                    "env",
		"exec --tty --detach=false -- x --user": "tty detach",
		"exec --preserve-fds 2 --nosuch --user": "preserve-fds user",
		"exec --help=false - --user":            "help",
		"exec x":                                "",
		"list":                                  "format",
		"list --format=json --quiet":            "format quiet",
		"checkpoint --status-fd 3 x":            "manage-cgroups-mode status-fd",
	} {
		args := strings.Fields(line)
		var got []string
		for _, f := range used(append(c.command(findVerb(args[0])).Flags, cli.HelpFlag), args[1:]) {
			first, _, _ := describeFlag(f)
			got = append(got, first)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %s", line, got, want)
		}
	}
}

// A call that leaves flags out still knows them: their errors, help, and the version.
func TestLeaveOut(t *testing.T) {
	for line, want := range map[string]string{
		"skiff --root /nonexistent state --nosuch x":      "flag provided but not defined: -nosuch",
		"skiff --nosuch state x":                          "flag provided but not defined: -nosuch",
		"skiff --root /nonexistent exec --env":            "flag needs an argument: -env",
		"skiff --root /nonexistent exec --preserve-fds=x": "invalid value",
		"skiff --root /nonexistent state --root x":        "--root is a global option",
		"skiff --root /nonexistent list --format=xml":     "--format \"xml\"",
	} {
		if err := new(call).run(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	for _, line := range []string{"skiff --version", "skiff -v state x", "skiff --debug --version nosuch"} {
		out := new(bytes.Buffer)
		c := &call{build: Build{Version: "7"}, help: printer{to: out}}
		if err := c.run(strings.Fields(line)); err != nil || !strings.HasPrefix(out.String(), "skiff version 7\n") {
			t.Errorf("%s: got %v, %q", line, err, out)
		}
	}
	for _, args := range [][]string{{"exec", "--help=true"}, {"exec", "-h=1"}} {
		if helpOf(t, args...) != helpOf(t, "help", "exec") {
			t.Errorf("%q: another help text", args)
		}
	}
}

// The table has each command under its own name, and none has the library's help
// subcommand.
func TestVerbs(t *testing.T) {
	c := new(call)
	for i, cmd := range c.allCommands() {
		name := verbs[i].name
		if cmd.Name != name || findVerb(name) != i || !cmd.HideHelpCommand || cmd.Usage == "" || cmd.Action == nil {
			t.Errorf("%s, found as %d: %+v", name, findVerb(name), cmd)
		}
	}
	if findVerb("nosuch") >= 0 || findVerb("") >= 0 {
		t.Error("nosuch or an empty name is a command")
	}
}

func TestSubCgroups(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"sub/a"}, map[string]string{"": "sub/a"}},
		{[]string{"cpu,memory:/a", "pids:b:c"}, map[string]string{"cpu": "/a", "memory": "/a", "pids": "b:c"}},
		{[]string{"/a", "cpu:/b"}, map[string]string{"": "/a", "cpu": "/b"}},
	} {
		got, err := subCgroups(tt.args)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%q: got %v, %v, want %v", tt.args, got, err, tt.want)
		}
	}
	for _, args := range [][]string{{""}, {":a"}, {"cpu:"}, {"cpu,:a"}, {"a", "b"}, {"cpu:a", "pids,cpu:b"}} {
		if got, err := subCgroups(args); err == nil {
			t.Errorf("%q: got %v, want an error", args, got)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	for line, want := range map[string]int{
		"skiff bogus":              3,
		"skiff --debug bogus -x y": 3,
		"skiff help bogus":         3,
		"skiff help run exec":      1,
		"skiff --bogus list":       1,
		"skiff kill":               1,
	} {
		err := new(call).run(strings.Fields(line))
		code := 1
		if exit := (*exitError)(nil); errors.As(err, &exit) {
			code = exit.code
		}
		if err == nil || code != want {
			t.Errorf("%s: got %v, status %d, want status %d", line, err, code, want)
		}
	}
}
