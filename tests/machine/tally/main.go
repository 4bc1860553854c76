// Command tally summarizes the results of one test binary. It reads the binary's output
// under -test.v=test2json, as `go tool test2json` converts it to JSON. It prints the
// failed tests with their whole output, the skipped tests with the reason, and as the
// last line "N passed, N failed, N skipped". If a test was run again, its last result
// counts, and its first failure is printed. The exit status is 1 if a test failed, if
// none ran, or if the binary itself failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is an event as in `go doc test2json`.
type event struct{ Action, Test, Output string }

// tally has the events that were read.
type tally struct {
	output map[string]*strings.Builder // of each test; "" is the binary itself
	parent map[string]bool             // tests with subtests: they are not counted, but their own failure is printed
	ended  []event                     // pass, fail and skip events, in order
}

func main() {
	t := &tally{output: map[string]*strings.Builder{}, parent: map[string]bool{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if !t.print(os.Stdout) {
		os.Exit(1)
	}
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		t.take(e)
	}
	return lines.Err()
}

func (t *tally) take(e event) {
	switch e.Action {
	case "output":
		if t.output[e.Test] == nil {
			t.output[e.Test] = &strings.Builder{}
		}
		t.output[e.Test].WriteString(e.Output)
	case "run":
		for name := e.Test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndexByte(name, '/')]
			t.parent[name] = true
		}
	case "pass", "fail", "skip":
		t.ended = append(t.ended, e)
	}
}

// print prints the summary, and reports whether all is well.
func (t *tally) print(w io.Writer) bool {
	n := map[string]int{}
	well := false
	last := map[string]int{} // index in t.ended
	for i, e := range t.ended {
		last[e.Test] = i
	}
	for i, e := range t.ended {
		if last[e.Test] != i {
			if final := t.ended[last[e.Test]].Action; e.Action == "fail" && final != "fail" && e.Test != "" && !t.parent[e.Test] {
				fmt.Fprintf(w, "again   %s: it failed, and when it was run again, alone: %s\n%s", e.Test, final, t.textOf(e.Test))
			}
			continue
		}
		switch {
		case e.Test == "": // the binary
			well = e.Action == "pass"
			continue
		case e.Action == "fail":
			fmt.Fprintf(w, "FAILED  %s\n%s", e.Test, t.textOf(e.Test))
		case e.Action == "skip":
			fmt.Fprintf(w, "skipped %s: %s\n", e.Test, t.reason(e.Test))
		}
		if !t.parent[e.Test] {
			n[e.Action]++
		}
	}
	if !well && n["fail"] == 0 {
		fmt.Fprintf(w, "FAILED  the tests did not end well\n%s", t.textOf(""))
		n["fail"]++
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"])
	return well && n["pass"] > 0
}

func (t *tally) textOf(test string) string {
	if t.output[test] == nil {
		return ""
	}
	return t.output[test].String()
}

// reason returns the last line that a test printed before it was skipped. An empty
// message leaves only the position in the file, which is ignored.
func (t *tally) reason(test string) string {
	last := "no reason given"
	for line := range strings.Lines(t.textOf(test)) {
		line = strings.TrimSpace(line)
		if line != "" && line != "PASS" && !strings.HasSuffix(line, ":") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}
