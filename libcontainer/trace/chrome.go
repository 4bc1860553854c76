// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bufio"
	"encoding/json"
	"io"
	"time"
)

// Clock relates the two clocks of this process to CLOCK_MONOTONIC, in which a file has
// its times.
type Clock struct {
	At        time.Time     // a time
	Monotonic time.Duration // the same time in CLOCK_MONOTONIC
}

// of returns a time in CLOCK_MONOTONIC. A time that the child has sent is one of
// CLOCK_REALTIME; it is right unless that clock was set meanwhile.
func (c *Clock) of(t time.Time) time.Duration { return c.Monotonic + t.Sub(c.At) }

// event is an event of the Trace Event Format, which Perfetto and chrome://tracing
// read. Times are in microseconds.
type event struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"`
	Scope string         `json:"s,omitempty"`
	TS    float64        `json:"ts"`
	Dur   *float64       `json:"dur,omitempty"`
	Pid   int            `json:"pid"`
	Tid   int            `json:"tid"`
	Args  map[string]any `json:"args,omitempty"`
}

// WriteChrome writes a file in the Trace Event Format: the command with the pid of
// skiff as one track, with its steps below it, and the child as another.
func WriteChrome(w io.Writer, c Clock, pid int, command Step, steps []Step) error {
	out := bufio.NewWriter(w)
	// There must be no displayTimeUnit: some versions of Perfetto take it for the unit of
	// the times in the file.
	sep := `{"traceEvents":[` + "\n"
	put := func(e event) {
		b, _ := json.Marshal(e) // strings and numbers always encode
		out.WriteString(sep)
		out.Write(b)
		sep = ",\n"
	}
	put(track(pid, "process_name", "skiff", 0))
	put(track(pid, "thread_name", "runtime", 0))
	put(c.span(&command, pid, command.Begun))
	known := map[int]bool{pid: true}
	for i := range steps {
		s := &steps[i]
		at := pid
		if s.Child {
			at = s.Pid
		}
		if !known[at] {
			known[at] = true
			put(track(at, "process_name", "container", len(known)-1))
			put(track(at, "thread_name", "child", 0))
			put(track(at, "process_sort_index", "", len(known)-1))
		}
		put(c.span(s, at, command.Begun))
	}
	out.WriteString("\n]}\n")
	return out.Flush()
}

// track names a track, or says where it is shown.
func track(pid int, what, name string, index int) event {
	args := map[string]any{"name": name}
	if name == "" {
		args = map[string]any{"sort_index": index}
	}
	return event{Name: what, Phase: "M", Pid: pid, Tid: pid, Args: args}
}

// span returns the event of a step. What the child has begun before this command, such
// as its wait for start, is shown from the command's beginning on.
func (c *Clock) span(s *Step, pid int, from time.Time) event {
	e := event{Name: s.Title(), Cat: "runtime", Phase: "X", Pid: pid, Tid: pid, Args: make(map[string]any)}
	begun, took := s.Begun, s.Took
	if s.Child {
		e.Cat, e.Args["operation"] = "child", s.Index
		if early := from.Sub(begun); early > 0 {
			begun, took = from, max(took-early, 0)
			e.Args["took_us"] = micro(s.Took)
		}
	}
	e.TS = micro(c.of(begun))
	if s.Instant {
		e.Phase, e.Scope = "i", "t"
	} else {
		dur := micro(took)
		e.Dur = &dur
	}
	for key, value := range map[string]string{"note": s.Note, "field": s.Field} {
		if value != "" {
			e.Args[key] = value
		}
	}
	if s.Err != nil {
		e.Args["error"] = s.Err.Error()
	}
	return e
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
