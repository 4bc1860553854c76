// SPDX-License-Identifier: Apache-2.0

// Command tally summarizes the results of tests. It reads JSON as `go test -json` and
// `go tool test2json` print it. It prints the failed tests with their output, the reasons
// why tests were skipped, and as the last line "N passed, N failed, N skipped". If a test
// was run again, its last result counts, and its first failure is printed. The exit status
// is 1 if a test failed, if none ran, or if a test binary itself failed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// event is an event as in `go doc test2json`. Package is empty if the output of one
// binary was converted.
type event struct{ Action, Package, ImportPath, Test, Output, FailedBuild string }

// id is a test of a package; the package itself, or its build, has an empty test.
type id struct{ pkg, test string }

// tally has the events that were read.
type tally struct {
	names   bool   // print the names of the skipped tests
	again   string // a go test command to which a package and -run can be added
	logName string
	log     io.Writer

	output map[id]*strings.Builder
	parent map[id]bool // tests with subtests: they are not counted, but their own failure is printed
	begun  []id        // tests, in order
	ended  []event     // pass, fail and skip events, in order
}

func newTally() *tally {
	return &tally{log: io.Discard, output: map[id]*strings.Builder{}, parent: map[id]bool{}}
}

func main() {
	t := newTally()
	flag.BoolVar(&t.names, "v", false, "print the names of skipped tests")
	flag.StringVar(&t.again, "again", "", "a `command` that runs a test again if a package and -run are added")
	flag.StringVar(&t.logName, "log", "", "a `file` for the whole output")
	flag.Parse()
	well, err := t.summarize()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}

func (t *tally) summarize() (well bool, err error) {
	if t.logName != "" {
		f, err := os.Create(t.logName)
		if err != nil {
			return false, err
		}
		defer f.Close()
		t.log = f
	}
	if err := t.read(os.Stdin); err != nil {
		return false, err
	}
	return t.print(os.Stdout), nil
}

// read reads all events. A line that is not JSON is output of the go command, or of a
// program that writes to its terminal.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Action: "output", Output: lines.Text() + "\n"}
		}
		t.take(e)
	}
	return lines.Err()
}

func (t *tally) take(e event) {
	at := id{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		at.pkg = e.ImportPath
		fallthrough
	case "output":
		if t.output[at] == nil {
			t.output[at] = &strings.Builder{}
		}
		t.output[at].WriteString(e.Output)
		_, _ = io.WriteString(t.log, e.Output)
	case "run":
		t.begun = append(t.begun, at)
		for name := e.Test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndexByte(name, '/')]
			t.parent[id{e.Package, name}] = true
		}
	case "pass", "fail", "skip":
		t.ended = append(t.ended, e)
	}
}

// sum has the numbers of the last line.
type sum struct{ passed, failed, skipped int }

// print prints the summary, and reports whether all is well.
func (t *tally) print(w io.Writer) bool {
	last := map[id]int{} // index in t.ended
	for i, e := range t.ended {
		last[id{e.Package, e.Test}] = i
	}
	var n sum
	var failed []event
	skips := new(reasons)
	for i, e := range t.ended {
		at := id{e.Package, e.Test}
		final := t.ended[last[at]]
		switch {
		case e.Test == "":
		case last[at] != i:
			if e.Action == "fail" && final.Action != "fail" && !t.parent[at] {
				fmt.Fprintf(w, "again   %s: it failed, and when it was run again, alone: %s\n%s", e.Test, final.Action, t.textOf(at))
			}
		case e.Action == "fail":
			failed = append(failed, e)
			if !t.parent[at] {
				n.failed++
			}
		case e.Action == "skip":
			skips.add(t.reason(at), e.Test)
			if !t.parent[at] {
				n.skipped++
			}
		case !t.parent[at]:
			n.passed++
		}
	}
	skips.print(w, t.names)
	for _, e := range failed {
		at := id{e.Package, e.Test}
		if text := indented(t.textOf(at)); text != "" || !t.parent[at] {
			fmt.Fprintf(w, "FAILED  %s\n%s", e.Test, text)
		}
	}
	broken := t.printBroken(w, n.failed)
	n.failed += broken
	if len(failed) > 0 {
		t.printAgain(w, failed)
	}
	if n.failed > 0 && t.logName != "" {
		name := t.logName
		if dir, err := os.Getwd(); err == nil {
			name = strings.TrimPrefix(name, dir+"/")
		}
		fmt.Fprintf(w, "the whole output is in %s\n", name)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", n.passed, n.failed, n.skipped)
	return n.failed == 0 && n.passed+n.skipped > 0
}

// printBroken prints the packages and binaries that failed although none of their tests
// did: they do not compile, or ended early. It returns their number.
func (t *tally) printBroken(w io.Writer, failures int) (n int) {
	ended, has := map[id]bool{}, map[string]bool{}
	for _, e := range t.ended {
		ended[id{e.Package, e.Test}] = true
		if e.Test != "" && e.Action == "fail" {
			has[e.Package] = true
		}
	}
	for _, e := range t.ended {
		if e.Test != "" || e.Action != "fail" || has[e.Package] {
			continue
		}
		n++
		name := e.Package
		if name == "" {
			name = "the tests did not end well"
		}
		build := ""
		if e.FailedBuild != "" {
			build = t.textOf(id{pkg: e.FailedBuild})
		}
		fmt.Fprintf(w, "FAILED  %s\n%s", name, indented(build+t.textOf(id{pkg: e.Package})))
		for _, at := range t.begun {
			if at.pkg == e.Package && !ended[at] {
				fmt.Fprintf(w, "        %s did not end\n", at.test)
			}
		}
	}
	if len(t.ended) == 0 && failures == 0 {
		n++
		fmt.Fprintf(w, "FAILED  no test was run\n%s", indented(t.textOf(id{})))
	}
	return n
}

// printAgain prints the commands that run the failed tests again, most precise first;
// there is no need for more than three.
func (t *tally) printAgain(w io.Writer, failed []event) {
	if t.again == "" {
		return
	}
	fmt.Fprintln(w, "to run one of them again:")
	printed := 0
	for _, e := range failed {
		if t.parent[id{e.Package, e.Test}] {
			continue
		}
		if printed++; printed > 3 {
			return
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(e.Test), "/", "$/^") + "$"
		fmt.Fprintf(w, "    %s %s -run '%s'\n", t.again, local(e.Package), strings.ReplaceAll(pattern, "'", `'\''`))
	}
}

// local returns the path of a package of this module as the go command takes it.
func local(pkg string) string {
	if path, ok := strings.CutPrefix(pkg, "github.com/skiff-oci/skiff/"); ok && path != "tests/oci" {
		return "./" + path
	}
	return "."
}

func (t *tally) textOf(at id) string {
	if t.output[at] == nil {
		return ""
	}
	return t.output[at].String()
}

// indented returns an output without the lines of package testing.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- FAIL: ") {
			b.WriteString("        " + line)
		}
	}
	return b.String()
}

// position is what package testing puts before a message.
var position = regexp.MustCompile(`^[a-z_0-9]+\.go:[0-9]+: `)

// reason returns the last message of a test that was skipped, or its last line if there
// is no message.
func (t *tally) reason(at id) string {
	said, last := "", "no reason given"
	for line := range strings.Lines(t.textOf(at)) {
		line = strings.TrimSpace(line)
		// The log of a script comes after the message of its skip.
		if p := position.FindString(line); p != "" && len(line) > len(p) && !strings.HasPrefix(p, "testscript.go:") {
			said = strings.TrimSuffix(line[len(p):], ":")
		}
		if line != "" && line != "PASS" && !strings.HasSuffix(line, ":") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	if said != "" {
		return said
	}
	return last
}
