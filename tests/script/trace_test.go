// SPDX-License-Identifier: Apache-2.0

package script

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"
)

// traceEvent is an event of a file of --trace.
type traceEvent struct {
	Name    string
	Cat     string
	Ph      string
	TS, Dur float64
	Pid     int
	Args    struct {
		Name, Note, Error, Field string
		Operation                int
	}
}

// slack is by how much times may differ that are computed from different clocks, in
// microseconds.
const slack = 50

func (e *traceEvent) end() float64 { return e.TS + e.Dur }

// within reports whether e is inside of o, but for rounding.
func (e *traceEvent) within(o *traceEvent, slack float64) bool {
	return e.TS >= o.TS-slack && e.end() <= o.end()+slack
}

// trace is a file of --trace.
type traceFile struct {
	runtime, child []traceEvent // the spans of each track, as written
	command        traceEvent
	names          map[string]int // names of the tracks
}

func readTrace(file string) (*traceFile, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct{ TraceEvents []traceEvent }
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t := &traceFile{names: make(map[string]int)}
	for _, e := range doc.TraceEvents {
		switch {
		case e.Ph == "M" && e.Name == "thread_name":
			t.names[e.Args.Name] = e.Pid
		case e.Ph == "M":
		case e.Ph == "X" && t.command.Pid == 0:
			t.command = e
		case e.Cat == "child":
			t.child = append(t.child, e)
		case e.Ph == "X" || e.Ph == "i":
			t.runtime = append(t.runtime, e)
		default:
			return nil, fmt.Errorf("%+v", e)
		}
	}
	return t, nil
}

// check checks that all spans are in the command's, that those of a track nest, and
// that the child's are one after the other, in the order of its program.
func (t *traceFile) check() error {
	all := slices.Concat(t.runtime, t.child)
	for i := range all {
		if e := &all[i]; !e.within(&t.command, slack) {
			return fmt.Errorf("%+v is not within %+v", e, t.command)
		}
	}
	if t.names["runtime"] != t.command.Pid || len(t.child) > 0 && t.names["child"] == 0 {
		return fmt.Errorf("tracks: %v", t.names)
	}
	if err := nested(t.runtime); err != nil {
		return err
	}
	sum := 0.0
	for i := range t.child {
		sum += t.child[i].Dur
		if i == 0 {
			continue
		}
		if a, b := &t.child[i-1], &t.child[i]; b.Args.Operation != a.Args.Operation+1 || b.TS < a.end()-1 {
			return fmt.Errorf("operation %+v comes after %+v", b, a)
		}
	}
	if sum > t.command.Dur {
		return fmt.Errorf("the child's operations took %v µs, the command %v", sum, t.command.Dur)
	}
	return nil
}

// nested checks that no span begins in another one and ends after it.
func nested(list []traceEvent) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b traceEvent) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(b.Dur, a.Dur)) })
	var open []*traceEvent
	for i := range list {
		e := &list[i]
		for len(open) > 0 && open[len(open)-1].end() <= e.TS {
			open = open[:len(open)-1]
		}
		if len(open) > 0 && !e.within(open[len(open)-1], 0.01) {
			return fmt.Errorf("%+v overlaps with %+v", e, open[len(open)-1])
		}
		open = append(open, e)
	}
	return nil
}

// cmdTraced checks a file of --trace, and prints a line for each span.
func cmdTraced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: traced FILE")
	}
	t, err := readTrace(ts.MkAbs(args[0]))
	if err == nil && t.command.Pid == 0 {
		err = errors.New("there is no command")
	}
	if err == nil {
		err = t.check()
	}
	ts.Check(err)
	out := ts.Stdout()
	print := func(track string, e *traceEvent) {
		_, err := fmt.Fprintf(out, "%s: %s; %s; %s; %s\n", track, e.Name, e.Args.Note, e.Args.Field, e.Args.Error)
		ts.Check(err)
	}
	print("command", &t.command)
	for i := range t.runtime {
		print("runtime", &t.runtime[i])
	}
	for i := range t.child {
		print("child", &t.child[i])
	}
}
