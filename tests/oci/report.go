package main

import (
	"fmt"
	"io"
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

// report prints the result of every program, and returns an error if one of them is not
// what the list says.
func report(w io.Writer, results []result, listed map[string]row, verbose bool) error {
	passed, surprises := 0, 0
	for _, r := range results {
		row, known := listed[r.program]
		if r.passed() {
			passed++
		}
		if r.passed() == known && row.when != mostly {
			surprises++
		}
		printResult(w, r, row, known)
		if verbose {
			fmt.Fprintln(w, r.output)
		}
	}
	failed := len(results) - passed
	fmt.Fprintf(w, "%d of %d programs not as listed\n", surprises, len(results))
	fmt.Fprintf(w, "%d passed, %d failed, 0 skipped\n", passed, failed)
	if surprises > 0 {
		return fmt.Errorf("%d programs failed or passed otherwise than the list says", surprises)
	}
	return nil
}

func printResult(w io.Writer, r result, row row, known bool) {
	switch {
	case r.passed() && known && row.when != mostly:
		fmt.Fprintf(w, "PASSED  %s: but listed as failing (%s): remove its row\n", r.program, row.when)
	case r.passed() && r.ok == 0:
		fmt.Fprintf(w, "ok      %s (%.1f s; the program makes no test point)\n", r.program, r.took.Seconds())
		printIndented(w, diagnostics(r.output))
	case r.passed():
		fmt.Fprintf(w, "ok      %s (%.1f s, %d points)\n", r.program, r.took.Seconds(), r.ok)
	case known:
		fmt.Fprintf(w, "listed  %s: %s (%s)\n", r.program, row.reason, row.when)
		printIndented(w, r.failed)
	default:
		fmt.Fprintf(w, "FAILED  %s (%.1f s, %d points passed)\n", r.program, r.took.Seconds(), r.ok)
		printIndented(w, r.failed)
		printIndented(w, diagnostics(r.output))
		if r.err != nil {
			printIndented(w, []string{r.err.Error()})
		}
	}
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
