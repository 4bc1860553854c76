// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"
)

// written is what the viewers read of a file.
type written struct {
	TraceEvents []struct {
		Name, Cat, Ph, S string
		TS, Dur          float64
		Pid, Tid         int
		Args             map[string]any
	}
}

func write(t *testing.T, command Step, clock Clock, steps []Step) written {
	t.Helper()
	var b bytes.Buffer
	if err := WriteChrome(&b, clock, 10, command, steps); err != nil {
		t.Fatal(err)
	}
	var w written
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestChrome(t *testing.T) {
	at := time.Now()
	// What the child sends has no reading of Go's monotonic clock.
	wall := func(d time.Duration) time.Time { return time.Unix(0, at.Add(d).UnixNano()) }
	command := Step{What: "skiff", On: "create", Begun: at, Took: time.Millisecond, Err: errors.New("a \"bad\"\nline of text")}
	w := write(t, command, Clock{at, 5 * time.Second}, []Step{
		{What: "write", On: "/x", Begun: at.Add(100 * time.Microsecond), Took: 1500, Note: "1 byte"},
		{Child: true, Pid: 11, Index: 3, What: "listen()", Begun: wall(-time.Hour), Took: time.Hour + 20*time.Microsecond},
		{Child: true, Pid: 11, Index: 4, What: "umask()", Begun: wall(30 * time.Microsecond), Took: 2 * time.Microsecond, Field: "process"},
		{What: "fell back", Begun: at.Add(200 * time.Microsecond), Instant: true},
		{Child: true, Pid: 12, What: "fork()", Begun: wall(40 * time.Microsecond), Took: 0},
	})
	const s5 = 5e6
	type event struct {
		name, ph string
		ts, dur  float64
		pid      int
		args     map[string]any
	}
	var got []event
	for _, e := range w.TraceEvents {
		if e.Tid != e.Pid {
			t.Errorf("%+v", e)
		}
		got = append(got, event{e.Name, e.Ph, e.TS, e.Dur, e.Pid, e.Args})
	}
	named := func(name string) map[string]any { return map[string]any{"name": name} }
	want := []event{
		{"process_name", "M", 0, 0, 10, named("skiff")},
		{"thread_name", "M", 0, 0, 10, named("runtime")},
		{"skiff create", "X", s5, 1000, 10, map[string]any{"error": "a \"bad\"\nline of text"}},
		{"write /x", "X", s5 + 100, 1.5, 10, map[string]any{"note": "1 byte"}},
		{"process_name", "M", 0, 0, 11, named("container")},
		{"thread_name", "M", 0, 0, 11, named("child")},
		{"process_sort_index", "M", 0, 0, 11, map[string]any{"sort_index": 1.0}},
		// It was begun before this command: it is cut, and its whole duration is told.
		{"listen()", "X", s5, 20, 11, map[string]any{"operation": 3.0, "took_us": 3600e6 + 20}},
		{"umask()", "X", s5 + 30, 2, 11, map[string]any{"operation": 4.0, "field": "process"}},
		{"fell back", "i", s5 + 200, 0, 10, nil},
		{"process_name", "M", 0, 0, 12, named("container")},
		{"thread_name", "M", 0, 0, 12, named("child")},
		{"process_sort_index", "M", 0, 0, 12, map[string]any{"sort_index": 2.0}},
		{"fork()", "X", s5 + 40, 0, 12, map[string]any{"operation": 0.0}},
	}
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("event %d: %+v, expected %+v", i, got[min(i, len(got)-1)], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events, expected %d", len(got), len(want))
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestChromeFull(t *testing.T) {
	if err := WriteChrome(full{}, Clock{}, 1, Step{}, nil); err != io.ErrShortWrite {
		t.Error(err)
	}
}
