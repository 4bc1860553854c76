// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/commands"
)

// world makes a directory with the completions, with a program skiff that lists five
// containers, or one below the root "other", and with a file and a directory to complete.
func world(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := write(filepath.Join(dir, "completions")); err != nil {
		t.Fatal(err)
	}
	const stub = `#!/bin/sh
case "$*" in
"list") ;;
"--root=other list") echo "ID PID STATUS BUNDLE CREATED OWNER"; echo "elsewhere 9 running / 2026 root"; exit ;;
*) exit 1 ;;
esac
echo "a warning" >&2
cat <<END
ID            PID         STATUS      BUNDLE      CREATED                OWNER
web-made      11          created     /b          2026-11-29T07:00:00Z   root
web-runs      12          running     /b          2026-11-29T07:00:00Z   root
web-paused    13          paused      /b          2026-11-29T07:00:00Z   root
web-stopped   0           stopped     /b          2026-11-29T07:00:00Z   root
half          0           creating    /b          2026-11-29T07:00:00Z   root
END
`
	for name, text := range map[string]string{"bin/skiff": stub, "data.json": "", "dir/file": ""} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lines has command lines, each with what must be offered at its end, sorted.
var lines = map[string][]string{
	"skiff re":                            {"restore", "resume"},
	"skiff --debug --log x kil":           {"kill"},
	"skiff start ":                        {"web-made"},
	"skiff kill ":                         {"web-made", "web-paused", "web-runs"},
	"skiff kill --all web-r":              {"web-runs"},
	"skiff resume ":                       {"web-paused"},
	"skiff pause ":                        {"web-made", "web-runs"},
	"skiff checkpoint --tcp-established ": {"web-paused", "web-runs"},
	"skiff delete ":                       {"half", "web-made", "web-paused", "web-runs", "web-stopped"},
	"skiff --root other kill ":            {"elsewhere"},
	"skiff --root=other kill ":            {"elsewhere"},
	"skiff run ":                          {},
	"skiff kill web-runs RTM":             {"RTMAX", "RTMIN"},
	"skiff kill web-runs HU":              {"HUP"},
	"skiff kill web-runs HUP ":            {},
	"skiff mounts ":                       {"add", "remove"},
	"skiff mounts add web-p":              {"web-paused"},
	"skiff mounts add web-runs da":        {"data.json"},
	"skiff help star":                     {"start"},
	"skiff --log-f":                       {"--log-format"},
	"skiff --log-format ":                 {"json", "text"},
	"skiff --log da":                      {"data.json"},
	"skiff exec --cap CAP_NET_A":          {"CAP_NET_ADMIN"},
	"skiff exec --env A=1 web-":           {"web-made", "web-runs"},
	"skiff exec --user 1:2 web-":          {"web-made", "web-runs"},
	"skiff exec -t -e A web-r":            {"web-runs"},
	"skiff exec --ignore":                 {"--ignore-paused"},
	"skiff exec web-runs --ignore":        {},
	"skiff kill web-runs --re":            {"--regex"},
	"skiff run --preserve-fds ":           {},
	"skiff update --cpu-idle ":            {"0", "1"},
}

// with adds lines that are for one shell.
func with(more map[string][]string) map[string][]string {
	all := make(map[string][]string)
	for line, want := range lines {
		all[line] = want
	}
	for line, want := range more {
		all[line] = want
	}
	return all
}

// try runs the script of a shell for each line in dir, and compares its output.
func try(t *testing.T, dir string, all map[string][]string, shell ...string) {
	t.Helper()
	if _, err := exec.LookPath(shell[0]); err != nil {
		t.Skipf("%s is not installed", shell[0])
	}
	for line, want := range all {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, shell[0], append(slices.Clone(shell[1:]), line)...)
			cmd.Dir = dir
			tmp := t.TempDir()
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+tmp, "LC_ALL=C.UTF-8")
			out, err := cmd.CombinedOutput()
			if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) != 0 {
				t.Errorf("files are left: %q", left)
			}
			got := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
			if slices.Sort(got); err != nil || !slices.Equal(slices.Compact(got), want) {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestBash(t *testing.T) {
	dir := world(t)
	// Bash takes the words of a line apart at COMP_WORDBREAKS, = and : among them.
	const script = `
source completions/skiff
compopt() { :; }
line=$0
words=$(sed -E 's/([=:])/ \1 /g; s/  +/ /g' <<<"$line")
read -ra COMP_WORDS <<<"$words"
[[ $words == *' ' && $words != *[=:]' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
_skiff
printf '%s\n' "${COMPREPLY[@]}" | grep .
true
`
	try(t, dir, with(map[string][]string{
		"skiff --log-format=j":               {"json"},
		"skiff --log-format=":                {"json", "text"},
		"skiff create --bundle=di":           {"dir"},
		"skiff create --bundle ":             {"bin", "completions", "dir"},
		"skiff create --bundle d":            {"dir"},
		"skiff -root=other kill ":            {"elsewhere"},
		"skiff kill -- web-r":                {"web-runs"},
		"skiff nosuch ":                      {},
		"skiff features --":                  {"--help"},
		"bin/skiff start web":                {"web-made"},
		"skiff exec --process=data":          {"data.json"},
		"skiff --log-level=debug state half": {"half"},
	}), "bash", "--norc", "-c", script)
}

func TestFish(t *testing.T) {
	dir := world(t)
	const script = `source completions/skiff.fish; complete -C $argv[1] | string replace -r '\t.*' ''; true`
	try(t, dir, with(map[string][]string{
		"skiff create --bundle d": {"dir/"},
	}), "fish", "--no-config", "-c", script)
}

func TestZsh(t *testing.T) {
	dir := world(t)
	for name, text := range map[string]string{"capture": capture, "setup": setup} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	try(t, dir, with(map[string][]string{
		"skiff create --bundle d":  {"dir"},
		"skiff kill web-runs HUP ": {"--all", "--help", "--regex", "-a", "-h", "-r"}, // when nothing else is left
	}), "zsh", "-f", "capture")
}

// capture types a line and the tabulator into an interactive zsh, and prints what the
// completion adds: compadd is replaced by a function that notes it.
const capture = `
zmodload zsh/zpty
line=$1
added=$(mktemp $PWD/added.XXXXXX)
zpty shell zsh -f -i
zpty -w shell "added=$added; source ./setup"
sleep 0.1
zpty -r -m shell seen '*ready*'
zpty -w -n shell "$line"$'\t'
for i in {1..1500}; do
	zpty -r -t shell seen
	[[ -e $added.end ]] && break
	sleep 0.02
done
zpty -d shell
grep . $added
[[ -e $added.end ]]
`

const setup = `
fpath=($PWD/completions $fpath)
PROMPT=
autoload -U compinit
compinit -u -d ./zcompdump
bindkey '^I' complete-word
compadd() {
	local -a hits
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A hits "$@"
	print -rl -- $hits >>$added
	builtin compadd "$@"
}
ended() { : >$added.end; }
comppostfuncs=(ended)
print rea''dy
`

// The table says for each command which containers it can act on.
func TestTable(t *testing.T) {
	global, verbs := commands.Describe()
	if _, err := table(global, verbs); err != nil {
		t.Error(err)
	}
	if _, err := table(global, append(verbs, commands.Verb{Name: "new", Args: "CONTAINER-ID"})); err == nil || !strings.Contains(err.Error(), "new: the statuses") {
		t.Errorf("got %v", err)
	}
	if _, err := table(global, verbs[1:]); err == nil || !strings.Contains(err.Error(), verbs[0].Name+": is in the table") {
		t.Errorf("got %v", err)
	}
}
