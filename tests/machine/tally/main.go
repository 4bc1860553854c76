// Command tally sums up the tests of one test binary. Its input is the binary's
// output under -test.v=test2json, as `go tool test2json` turns it into JSON. It
// prints the tests that failed with all that they said, those that were skipped
// with the reason, and as the last line "N passed, N failed, N skipped". Of a
// test that was run again the last outcome counts; that it had failed is said. The
// exit status is 1 if a test failed, if none ran, or if the binary did not end
// well.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one of those of `go doc test2json`.
type event struct{ Action, Test, Output string }

// tally is what has been read.
type tally struct {
	said   map[string]*strings.Builder // by test; "" is the binary itself
	parent map[string]bool             // has subtests: not counted, but for its own failure
	ended  []event                     // pass, fail and skip, in order
}

func main() {
	t := &tally{said: map[string]*strings.Builder{}, parent: map[string]bool{}}
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
		if t.said[e.Test] == nil {
			t.said[e.Test] = &strings.Builder{}
		}
		t.said[e.Test].WriteString(e.Output)
	case "run":
		for name := e.Test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndexByte(name, '/')]
			t.parent[name] = true
		}
	case "pass", "fail", "skip":
		t.ended = append(t.ended, e)
	}
}

// print reports, and tells whether all is well.
func (t *tally) print(w io.Writer) bool {
	n := map[string]int{}
	well := false
	last := map[string]int{} // place in t.ended
	for i, e := range t.ended {
		last[e.Test] = i
	}
	for i, e := range t.ended {
		if last[e.Test] != i {
			if final := t.ended[last[e.Test]].Action; e.Action == "fail" && final != "fail" && e.Test != "" && !t.parent[e.Test] {
				fmt.Fprintf(w, "again   %s: it failed, and when it was run again, alone: %s\n%s", e.Test, final, t.words(e.Test))
			}
			continue
		}
		switch {
		case e.Test == "": // the binary
			well = e.Action == "pass"
			continue
		case e.Action == "fail":
			fmt.Fprintf(w, "FAILED  %s\n%s", e.Test, t.words(e.Test))
		case e.Action == "skip":
			fmt.Fprintf(w, "skipped %s: %s\n", e.Test, t.reason(e.Test))
		}
		if !t.parent[e.Test] {
			n[e.Action]++
		}
	}
	if !well && n["fail"] == 0 {
		fmt.Fprintf(w, "FAILED  the tests did not end well\n%s", t.words(""))
		n["fail"]++
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"])
	return well && n["pass"] > 0
}

func (t *tally) words(test string) string {
	if t.said[test] == nil {
		return ""
	}
	return t.said[test].String()
}

// reason is the last thing that a test said before it was skipped. An empty
// message is a place in a file and nothing behind it.
func (t *tally) reason(test string) string {
	last := "no reason given"
	for line := range strings.Lines(t.words(test)) {
		line = strings.TrimSpace(line)
		if line != "" && line != "PASS" && !strings.HasSuffix(line, ":") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}
