package commands

import (
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
		if got := reorder(c.command(args[1]), args, 1); !slices.Equal(got, strings.Fields(want)) {
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
	} {
		args, wants := strings.Fields(line), strings.Fields(want)
		if got := firstNames(c.command(args[0]).Flags, args[1:]); !slices.Equal(got, wants[1:]) {
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

// Every verb in the help text has a command, and none has the library's help
// subcommand.
func TestVerbs(t *testing.T) {
	c := new(call)
	for _, name := range verbNames() {
		if name == "help" {
			continue
		}
		cmd := c.command(name)
		if cmd == nil || cmd.Name != name || !cmd.HideHelpCommand || cmd.Usage == "" || cmd.Action == nil {
			t.Errorf("%s: %+v", name, cmd)
		}
	}
	if c.command("help") != nil || c.command("nosuch") != nil {
		t.Error("help or nosuch is an ordinary command")
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
