// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// result is the outcome of one program.
type result struct {
	program string
	output  string
	failed  []string // failing TAP lines
	ok      int      // passing TAP lines
	err     error    // exit status or timeout
	took    time.Duration
}

func (r result) passed() bool { return r.err == nil && len(r.failed) == 0 }

// mayBeSlow reports whether a program may have failed because the machine was slow: no
// program waits longer than ten seconds for a container.
func (r result) mayBeSlow() bool { return !r.passed() && r.took > 10*time.Second }

// judge reads the TAP output of a program. A program passes if it exits with 0 and no
// test point fails; a failed point marked TODO does not count, as in TAP. Seven programs
// about hooks make no test point: they print a diagnostic, which report shows, and pass
// whatever happens.
func judge(program, text string, err error) result {
	r := result{program: program, output: text, err: err}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "not ok") && !strings.Contains(line, "# TODO"):
			r.failed = append(r.failed, line)
		case strings.HasPrefix(line, "ok") && !strings.Contains(line, "# SKIP"):
			r.ok++
		}
	}
	return r
}

// report prints the programs that did not behave as listed, why others fail as listed,
// and the numbers. It returns an error if a program is not what the list says.
func report(w io.Writer, results []result, listed map[string]row, verbose bool) error {
	var passed, asListed int
	failing := make(map[string][]string) // by reason
	for _, r := range results {
		row, known := listed[r.program]
		switch {
		case r.passed() == known && row.when != mostly:
			printSurprise(w, r, row)
		case r.passed():
			passed++
		default:
			asListed++
			reason := fmt.Sprintf("%s (%s)", row.reason, row.when)
			failing[reason] = append(failing[reason], r.program)
		}
		if verbose {
			printVerbose(w, r)
		}
	}
	for _, reason := range slices.SortedFunc(maps.Keys(failing), func(a, b string) int {
		return strings.Compare(failing[a][0], failing[b][0])
	}) {
		fmt.Fprintf(w, "listed  %s: %s\n", strings.Join(failing[reason], " "), reason)
	}
	surprises := len(results) - passed - asListed
	fmt.Fprintf(w, "%d programs behaved as listed: %d pass, %d fail for the reasons above\n", passed+asListed, passed, asListed)
	// The programs that fail as listed are not failures of this run, and did not pass.
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", passed, surprises, asListed)
	if surprises > 0 {
		return fmt.Errorf("%d of %d programs failed or passed otherwise than %s says", surprises, len(results), "expected.txt")
	}
	return nil
}

// printSurprise prints a program that fails and is not listed, or is listed and passes.
func printSurprise(w io.Writer, r result, row row) {
	if r.passed() {
		fmt.Fprintf(w, "FAILED  %s: it passes, but expected.txt lists it as failing (%s): remove its row\n", r.program, row.when)
		return
	}
	fmt.Fprintf(w, "FAILED  %s (%.1f s, %d points passed)\n", r.program, r.took.Seconds(), r.ok)
	printIndented(w, r.failed)
	printIndented(w, diagnostics(r.output))
	if r.err != nil {
		printIndented(w, []string{r.err.Error()})
	}
	fmt.Fprintf(w, "to run it again:\n    tests/oci/run skiff -v -run '^%s$'\n", r.program)
}

// printVerbose prints how long a program took, and all that it printed.
func printVerbose(w io.Writer, r result) {
	points := fmt.Sprintf("%d points", r.ok)
	if r.passed() && r.ok == 0 {
		points = "the program makes no test point"
	}
	outcome := "fails "
	if r.passed() {
		outcome = "passes"
	}
	fmt.Fprintf(w, "%s  %s (%.1f s, %s)\n%s\n", outcome, r.program, r.took.Seconds(), points, r.output)
}

func printIndented(w io.Writer, lines []string) {
	const most = 12
	for i, line := range lines {
		if i == most {
			fmt.Fprintf(w, "        ... %d more\n", len(lines)-most)
			return
		}
		fmt.Fprintf(w, "        %s\n", line)
	}
}

// diagnostics returns the lines of an output that say what went wrong: the errors in
// TAP's diagnostic blocks and what the runtime printed.
func diagnostics(text string) []string {
	var keep []string
	for _, line := range strings.Split(text, "\n") {
		t := strings.TrimSpace(line)
		switch {
		case t == "" || strings.HasPrefix(t, "TAP version") || strings.HasPrefix(t, "1.."):
		case strings.HasPrefix(t, `"error"`), strings.HasPrefix(t, `"stderr"`):
			keep = append(keep, t)
		case line == t && !strings.HasPrefix(t, "ok") && !strings.HasPrefix(t, "not ok") && !strings.HasPrefix(t, "#"):
			keep = append(keep, t)
		}
	}
	return keep
}
