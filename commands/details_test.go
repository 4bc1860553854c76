// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Each error says what kind it is, where it came up, and what it is about.
func TestDetails(t *testing.T) {
	trace.To(nil) // as in a new process
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noJSON, wrong := write("no.json", "{"), write("wrong.json", `{"memory":{"limit":"x"}}`)
	missing := filepath.Join(dir, "missing")
	usage := fault.Details{Code: fault.Usage, Phase: fault.Arguments}
	notFound := fault.Details{Code: fault.NotFound, Phase: fault.Arguments, Errno: "ENOENT", Path: missing + "/x"}
	for _, c := range []struct {
		args string
		want fault.Details
		text string
	}{
		{"mounts add web x.json", fault.Details{Code: fault.NoContainer, Phase: fault.Operate}, "mounts: container does not exist"},
		{"mounts foo web x.json", usage, `mounts: unknown action "foo"`},
		{"mounts --foo", usage, "mounts: flag provided but not defined"},
		{"state web --debug", fault.Details{Code: fault.Usage, Phase: fault.Arguments, Hint: "--debug is a global option: it goes before the command"}, "not defined: -debug"},
		{"state --root=x web", fault.Details{Code: fault.Usage, Phase: fault.Arguments, Hint: "--root is a global option: it goes before the command"}, "not defined: -root"},
		{"state a/b", fault.Details{Code: fault.InvalidID, Phase: fault.Arguments}, `"a/b": only letters`},
		{"state ..", fault.Details{Code: fault.InvalidID, Phase: fault.Arguments}, `"..": must not be "." or ".."`},
		{"state " + strings.Repeat("x", 1025), fault.Details{Code: fault.InvalidID, Phase: fault.Arguments}, "must not be longer than 1024"},
		{"kill a b c", usage, "too many arguments"},
		{"--log " + missing + "/x state web", notFound, "--log: open"},
		{"--trace " + missing + "/x state web", notFound, "--trace: open"},
		{"help bogus", usage, `unknown command "bogus"; the commands are checkpoint, `},
		{"bogus", usage, `unknown command "bogus"; the commands are checkpoint, `},
		{"update --resources " + missing + " web", fault.Details{Code: fault.NotFound, Phase: fault.Config, Errno: "ENOENT", Path: missing}, "--resources: open"},
		{"update --resources " + noJSON + " web", fault.Details{Code: fault.InvalidConfig, Phase: fault.Config}, "no.json: line 1"},
		{"update --resources " + wrong + " web", fault.Details{Code: fault.InvalidConfig, Phase: fault.Config}, "wrong.json: memory.limit: got a string"},
		{"update --memory x --pids-limit y web", usage, `--pids-limit "y": must be an integer`},
		{"update --blkio-weight 70000 web", usage, `--blkio-weight "70000": must be between 10 and 1000`},
		{"restore --bundle " + missing + " web", fault.Details{Code: fault.NotFound, Phase: fault.Config, Errno: "ENOENT", Path: missing}, "the bundle directory is missing"},
		{"create --bundle " + dir + " web", fault.Details{Code: fault.NotFound, Phase: fault.Config, Errno: "ENOENT", Path: dir + "/config.json"}, "config.json not found in the bundle"},
	} {
		err := new(call).run(append([]string{"skiff", "--root", dir}, strings.Fields(c.args)...))
		if err == nil {
			t.Errorf("%s: no error", c.args)
			continue
		}
		if got := fault.Of(err); !reflect.DeepEqual(got, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v\n%+v, expected %s\n%+v", c.args, err, got, c.text, c.want)
		}
	}
}

// A wrong value of an option of exec is an error in the command line, not in the
// container's configuration.
func TestExecUsage(t *testing.T) {
	for args, text := range map[string]string{
		"-e A x ls":       `--env "A": must be of the form NAME=VALUE`,
		"--env =A x ls":   `--env "=A": must be of the form NAME=VALUE`,
		"--cwd tmp x ls":  "--cwd tmp: must be an absolute path",
		"--cap FOO x ls":  "--cap FOO: unknown capability",
		"--user foo x ls": "--user foo: user",
	} {
		_, err := processOf(t, storedSpec(), strings.Fields(args)...)
		if err == nil || fault.Of(err).Code != fault.Usage || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, expected %s", args, err, text)
		}
	}
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte(`{"args":5}`), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := processOf(t, &specs.Spec{}, "--process", file, "x")
	if want := "--process: " + file + ": args: got a number, expected an array"; err == nil || err.Error() != want {
		t.Errorf("%v, expected %s", err, want)
	}
}

// An error in the global flags goes to the log that the flags before it name.
func TestLogOfWrongFlags(t *testing.T) {
	for _, args := range []string{"--bogus state x", "--systemd-cgroup=x --log-level error state x", "--root", "--log-level x state x", "--root / state x", "--trace= state x"} {
		file := filepath.Join(t.TempDir(), "log")
		c := new(call)
		err := c.run(append([]string{"skiff", "--log-format", "json", "--log=" + file}, strings.Fields(args)...))
		if err == nil {
			t.Fatalf("%s: no error", args)
		}
		c.log.write(record{Level: "error", Msg: err.Error()})
		if b, _ := os.ReadFile(file); !strings.HasPrefix(string(b), `{"level":"error"`) {
			t.Errorf("%s: the log has %q", args, b)
		}
	}
}
