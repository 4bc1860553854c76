// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/skiff-oci/skiff/commands"
	"github.com/skiff-oci/skiff/specconv"
)

// built writes the pages to a directory of the test, and returns their files.
func built(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := write("1.2.3", dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d pages: %v", len(files), err)
	}
	return files
}

// Each command has a page with all of its options.
func TestPages(t *testing.T) {
	all, err := build("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	global, verbs := commands.Describe()
	want := map[string][]commands.Flag{"skiff.8": global, "skiff-config.5": nil}
	for _, v := range verbs {
		want[pageOf(v.Name)] = v.Flags
	}
	if got, names := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, names) {
		t.Errorf("got pages %q, want %q", got, names)
	}
	for name, flags := range want {
		for _, f := range flags {
			if !strings.Contains(all[name], "\n.It Fl \\-"+escape(f.Names[0])) {
				t.Errorf("%s does not have --%s", name, f.Names[0])
			}
		}
		if strings.Contains(all[name], "{{") || !strings.Contains(all[name], "\n.Os skiff 1.2.3\n") {
			t.Errorf("%s:\n%s", name, all[name])
		}
	}
}

// The examples of the help texts are calls that skiff knows.
func TestHelpExamples(t *testing.T) {
	m := new(manual)
	m.global, m.verbs = commands.Describe()
	for _, v := range m.verbs {
		lines := strings.Split(v.Examples, "\n")
		if err := m.check(lines); err != nil || !strings.Contains(v.Examples, "skiff "+v.Name) {
			t.Errorf("%s: %q: %v", v.Name, lines, err)
		}
	}
}

// skiff-config(5) has every annotation that skiff acts on, and no other.
func TestAnnotations(t *testing.T) {
	page, err := fs.ReadFile(pages, "pages/skiff-config.5")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, ".It "); ok && strings.Contains(name, ".") {
			got = append(got, strings.Fields(name)[0])
		}
	}
	want := slices.Sorted(slices.Values(specconv.Features().PotentiallyUnsafeConfigAnnotations))
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What an example has in quotes or brackets is literal.
func TestDisplays(t *testing.T) {
	const want = "a\n.Bd -literal -offset indent -compact\necho \"(x)\" | \\-\\-y\nz\n.Ed\n.Fl \\-all\n"
	if got := escapeSource("a\n.Dl echo \"(x)\" | --y\n.Dl z\n.Fl -all\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFaultsAreFound(t *testing.T) {
	const good = ".Dd January 1, 2026\n{{head}}\n.Sh DESCRIPTION\nSee\n.Fl -root ,\n.Fl -all ,\n.Ic skiff list Fl -quiet\nand\n.Xr skiff-list 8 .\n{{options}}\n"
	m := &manual{
		global: []commands.Flag{{Names: []string{"root"}, Arg: "DIR", Text: "keep it in DIR"}},
		verbs: []commands.Verb{
			{Name: "kill", Usage: "send a signal", Args: "CONTAINER-ID [SIGNAL]", Flags: []commands.Flag{{Names: []string{"all", "a"}, Text: "all of them"}}},
			{Name: "list", Usage: "list them", Flags: []commands.Flag{{Names: []string{"quiet", "q"}, Text: "say less"}}},
		},
	}
	list := strings.ReplaceAll(good, ".Fl -all ,\n", "")
	for fault, kill := range map[string]string{
		"":                             good + ".Dl skiff --root x kill web --all | skiff list -q\n",
		"there is no option --none":    good + ".Fl -none\n",
		"there is no option --quiet":   good + ".Fl -quiet\n",
		"there is no option --any":     good + ".Dl skiff kill --any web\n",
		"there is no option -b":        good + ".Bd -literal\nskiff -b kill web\n.Ed\n",
		"there is no command start":    good + ".Dl ps && skiff start web\n",
		"--root has no value":          good + ".Dl skiff --root\n",
		"there is no page skiff-run.8": good + ".Xr skiff-run 8\n",
		"{{options}} is missing":       strings.Replace(good, "{{options}}", "", 1),
	} {
		all, err := m.pages(fstest.MapFS{"skiff-kill.8": {Data: []byte(kill)}, "skiff-list.8": {Data: []byte(list)}})
		switch {
		case fault == "" && (err != nil || !strings.Contains(all["skiff-kill.8"], "\n.It Fl \\-all , Fl a\nAll of them.\n")):
			t.Errorf("got %v\n%s", err, all["skiff-kill.8"])
		case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
			t.Errorf("got %v, want %s", err, fault)
		}
	}
	for fault, sources := range map[string]fstest.MapFS{
		"skiff-kill.8: the command kill has no page": {"skiff-list.8": {Data: []byte(list)}},
		"skiff-start.8: there is no such command":    {"skiff-start.8": {Data: []byte(list)}},
	} {
		if _, err := m.pages(sources); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want %s", err, fault)
		}
	}
}

// man shows the pages without a warning, in 80 columns.
func TestMan(t *testing.T) {
	if _, err := exec.LookPath("man"); err != nil {
		t.Skip("man is not installed (man-db)")
	}
	for _, file := range built(t) {
		cmd := exec.Command("man", "--warnings", "--local-file", file)
		cmd.Env = append(cmd.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		stderr := new(strings.Builder)
		cmd.Stderr = stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 || !strings.Contains(string(out), "DESCRIPTION") {
			t.Errorf("%s: %v: %s%s", filepath.Base(file), err, stderr, out)
		}
		for line := range strings.Lines(string(out)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", filepath.Base(file), n, line)
			}
		}
	}
}

// mandoc finds no fault in them. It is stricter than groff.
func TestMandoc(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Skip("mandoc is not installed")
	}
	for _, file := range built(t) {
		// The exit status counts what is left out below.
		out, _ := exec.Command("mandoc", "-T", "lint", "-W", "style", file).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			// Which pages of others are installed depends on the host.
			if !strings.Contains(line, "referenced manual not found") && !strings.Contains(line, "mandoc.db") {
				t.Error(line)
			}
		}
	}
}
