// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// span is a step of the runtime or of the child. Times are in µs.
type span struct {
	who, what  string
	start, end float64
	inside     bool // it is a part of the step before it
}

// steps says to which step operations of the child belong, by the word before the
// parenthesis.
var steps = map[string]string{
	"nodump": namespaces, "unshare": namespaces, "propagate": namespaces, "again": namespaces, "setns": namespaces, "network": namespaces,
	"setsid": "session, keyring, host name", "keyring": "session, keyring, host name", "sethostname": "session, keyring, host name",
	"linkup":  "bring lo up",
	"fsmount": mounts, "opentree": mounts, "setattr": mounts, "attach": mounts,
	"mknod": devices, "symlink": devices,
	"pivot": "change the root", "devnull": "change the root",
	"readonly": paths, "mask": paths,
	"sync": ready, "await": ready, "exec": "execute the program",
}

// Steps of several operations.
const (
	namespaces = "make the namespaces"
	mounts     = "make and attach the mounts"
	devices    = "make the files of /dev"
	paths      = "make paths read-only, and mask paths"
	ready      = "say ready, and wait for the answer"
	others     = "working directory, limits, capabilities, user"
)

// stepOf returns the step of an operation such as "mknod(/dev/null)".
func stepOf(operation string) string {
	word, argument, _ := strings.Cut(operation, "(")
	switch {
	case word == "setattr" && argument == ")": // of the root
		return paths
	case operation == "await(go)":
		return "wait for the cgroups"
	case word == "opentree" && strings.HasPrefix(argument, "/dev/null"): // for masked files
		return devices
	case steps[word] != "":
		return steps[word]
	}
	return others
}

// spans returns the steps of a file of --trace in the order of their starts. Operations of
// the child that follow each other and belong to the same step are one. The first span is
// the whole command.
func spans(trace []byte) (all []span, err error) {
	var doc struct {
		TraceEvents []struct {
			Name, Cat, Ph string
			TS, Dur       float64
		}
	}
	if err := json.Unmarshal(trace, &doc); err != nil {
		return nil, err
	}
	var child []span
	for _, e := range doc.TraceEvents {
		switch {
		case e.Ph != "X":
		case e.Cat != "child":
			all = append(all, span{who: "runtime", what: e.Name, start: e.TS, end: e.TS + e.Dur})
		case len(child) > 0 && child[len(child)-1].what == stepOf(e.Name):
			child[len(child)-1].end = e.TS + e.Dur
		default:
			child = append(child, span{who: "child", what: stepOf(e.Name), start: e.TS, end: e.TS + e.Dur})
		}
	}
	slices.SortStableFunc(all, func(a, b span) int {
		if a.start != b.start {
			return int(a.start - b.start)
		}
		return int(b.end - a.end)
	})
	within := 0.0
	for i := 1; i < len(all); i++ {
		all[i].inside = all[i].start < within
		within = max(within, all[i].end)
	}
	all = append(all, child...)
	slices.SortStableFunc(all[min(1, len(all)):], func(a, b span) int { return int(a.start - b.start) })
	return all, nil
}

// timeline writes the spans as a table, with times from the start of the command.
func timeline(all []span) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%8s %8s  %-52s %s\n", "from µs", "takes", "runtime", "child")
	for _, e := range all {
		what := e.what
		if e.inside {
			what = "  " + what
		}
		if e.who == "child" {
			what = fmt.Sprintf("%-52s %s", "", what)
		}
		fmt.Fprintf(&s, "%8.0f %8.0f  %s\n", e.start-all[0].start, e.end-e.start, what)
	}
	return s.String()
}

// timeline prints the fastest of several runs of the bundle that rows with this name use.
func (b *bench) timeline(of string) error {
	switch of {
	case "", "run":
		return b.timelineOf(plain)
	case "docker":
		return dockers(func([]string) error { return b.timelineOf("docker") })
	case "kubernetes":
		return kubernetes(func([]string) error { return b.timelineOf("kubernetes") })
	}
	return fmt.Errorf("-timeline -only %s: must be run, docker or kubernetes", of)
}

func (b *bench) timelineOf(config bundle) error {
	var best []span
	for range b.rounds {
		const file = "/tmp/trace"
		if _, err := b.all[0].call("--trace", file, "run", "--bundle", config.dir(), "timeline"); err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		all, err := spans(text)
		if err != nil || len(all) == 0 {
			return fmt.Errorf("%s: %d spans: %w", file, len(all), err)
		}
		if best == nil || all[0].end-all[0].start < best[0].end-best[0].start {
			best = all
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	fmt.Print(timeline(best))
	return nil
}
