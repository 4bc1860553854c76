// SPDX-License-Identifier: Apache-2.0

package script

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "record the output in docs/GETTING-STARTED.md anew")

// startedPage has recordings of a terminal: blocks of the language "console", with root's
// prompt, "# ", before each command, and its output. In the output, "..." stands for any
// text of a line that differs each time.
const startedPage = "docs/GETTING-STARTED.md"

// A recorded is a command of the page with its output, the lines from from to to.
type recorded struct {
	command  string
	from, to int
}

// recordings finds the commands of a page.
func recordings(lines []string) (all []recorded) {
	inside := false
	for i, line := range lines {
		command, is := strings.CutPrefix(line, "# ")
		switch {
		case !inside:
			inside = line == "```console"
		case line == "```":
			inside = false
		case is:
			all = append(all, recorded{command, i + 1, i + 1})
		case len(all) > 0:
			all[len(all)-1].to = i + 1
		}
	}
	return all
}

// alike reports whether a line of output is as recorded.
func alike(want, got string) bool {
	first, rest, any := strings.Cut(want, "...")
	if !any {
		return want == got
	}
	got, ok := strings.CutPrefix(got, first)
	for ok && any {
		first, rest, any = strings.Cut(rest, "...")
		switch {
		case !any:
			ok = strings.HasSuffix(got, first)
		default:
			_, got, ok = strings.Cut(got, first)
		}
	}
	return ok
}

// varying has what differs each time, and what is recorded in its place.
var varying = []struct {
	text *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "..."},
	{regexp.MustCompile(`^(skiff version|commit:|go:|libseccomp:) .*`), "$1 ..."},
	{regexp.MustCompile(`("pid": )\d+`), "$1..."},
	{regexp.MustCompile(`CREATED +OWNER`), "CREATED   OWNER"},                              // as wide as the time
	{regexp.MustCompile(`^(web +)\d+ +((?:created|running|paused) )`), "$1...         $2"}, // as wide with any number
}

// masked returns a line of output as it is recorded.
func masked(line string) string {
	for _, v := range varying {
		line = v.text.ReplaceAllString(line, v.mask)
	}
	return line
}

// fit returns the page with the outputs in the place of the recorded ones. Lines with
// "..." that are alike stay.
func fit(lines []string, all []recorded, outputs [][]string) (page []string) {
	done := 0
	for i, r := range all {
		page = append(page, lines[done:r.from]...)
		for n, got := range outputs[i] {
			line := masked(got)
			if at := r.from + n; at < r.to && strings.Contains(lines[at], "...") && alike(lines[at], got) {
				line = lines[at]
			}
			page = append(page, line)
		}
		done = r.to
	}
	return append(page, lines[done:]...)
}

// TestRecordings tests how the page is read.
func TestRecordings(t *testing.T) {
	page := []string{"# Title", "```console", "# one", "a ... c", "# two", "```", "text", "```text", "# three", "```"}
	all := recordings(page)
	if len(all) != 2 || all[0] != (recorded{"one", 3, 4}) || all[1] != (recorded{"two", 5, 5}) {
		t.Errorf("found %v", all)
	}
	for _, test := range []struct {
		want, got string
		alike     bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"...", "", true}, {"a ... c", "a b c", true}, {"a ... c", "a b d", false},
		{"a...", "ab", true}, {"a...", "b", false}, {"...b...d", "abcd", true}, {"...b...d", "acbd", true}, {"...b...d", "ad", false},
	} {
		if got := alike(test.want, test.got); got != test.alike {
			t.Errorf("%q, %q: %v", test.want, test.got, got)
		}
	}
	for line, want := range map[string]string{
		`"created": "2026-11-29T07:07:40.809402048Z",`: `"created": "...",`,
		"web         691         paused      /mnt/web": "web         ...         paused      /mnt/web",
		"web         69123       paused      /mnt/web": "web         ...         paused      /mnt/web",
		"web         0           stopped     /mnt/web": "web         0           stopped     /mnt/web",
	} {
		if got := masked(line); got != want {
			t.Errorf("%q is recorded as %q", line, got)
		}
	}
	got := strings.Join(fit(page, all, [][]string{{"a b c", "d"}, {"commit: e"}}), "\n")
	if want := "# Title\n```console\n# one\na ... c\nd\n# two\ncommit: ...\n```\ntext\n```text\n# three\n```"; got != want {
		t.Errorf("the page is %q, want %q", got, want)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// separator comes before the output of each command, and after the last one.
const separator = "\x01"

// record runs the commands in one shell on a terminal, and returns their outputs.
func record(t *testing.T, dir, path string, all []recorded) (outputs [][]string) {
	t.Helper()
	var script strings.Builder
	for _, r := range all {
		fmt.Fprintf(&script, "printf '\\001'\n%s\n", r.command)
	}
	script.WriteString("printf '\\001'\n")
	master, slave := openTerminal(t)
	cmd := exec.Command("sh", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var text strings.Builder
	buf := make([]byte, 4096)
	for strings.Count(text.String(), separator) <= len(all) {
		n, err := master.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("the shell ended early: %v\n%s", err, text.String())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.ReplaceAll(text.String(), "\r", ""), separator)
	for _, part := range parts[1 : len(all)+1] {
		var lines []string
		for line := range strings.Lines(part) {
			lines = append(lines, strings.TrimRight(line, " \n"))
		}
		outputs = append(outputs, lines)
	}
	return outputs
}

// TestGettingStarted runs the commands that the page has recorded.
func TestGettingStarted(t *testing.T) {
	isolate.Require(t)
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(top, startedPage)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Skipf("this is not the source: %v", err)
	}
	const dir = "/mnt" // a name that is the same each time
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := os.Symlink(filepath.Join(top, "contrib"), filepath.Join(dir, "contrib")); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	all := recordings(lines)
	if len(all) < 20 {
		t.Fatalf("found %d commands in %s", len(all), startedPage)
	}
	now := fit(lines, all, record(t, dir, filepath.Dir(os.Getenv("SKIFF")), all))
	if strings.Join(now, "\n") == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(strings.Join(now, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s was recorded anew: review it", startedPage)
		return
	}
	fresh := filepath.Join(t.TempDir(), "now")
	if err := os.WriteFile(fresh, []byte(strings.Join(now, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	diff, _ := exec.Command("diff", "-U1", page, fresh).Output()
	t.Errorf("%s does not say what happens; to record it anew: go test ./tests/script -run TestGettingStarted -update\n%s", startedPage, diff)
}
