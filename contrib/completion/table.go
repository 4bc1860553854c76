// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/commands"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// value says what can be completed for the value of an option or for an argument.
type value struct {
	kind  kind
	words []string // choices, or the statuses of the containers
}

type kind string

const (
	nothing kind = "none"
	file    kind = "file"
	dir     kind = "dir"
	words   kind = "words"
	ids     kind = "ids"
)

// option is an option of a command.
type option struct {
	commands.Flag
	value value
}

// verb is a command. The one with an empty name stands for skiff itself, whose only
// argument is the command.
type verb struct {
	name, usage string
	options     []option
	args        []value
	firstOnly   bool // what follows the first argument belongs to another program
}

var statuses = struct{ made, alive, started, all []string }{
	made:    []string{"created", "running"},
	alive:   []string{"created", "running", "paused"},
	started: []string{"running", "paused"},
	all:     []string{"creating", "created", "running", "paused", "stopped"},
}

// acts has the statuses in which a container can be the CONTAINER-ID of a command. A
// command without any takes the id of a new container.
var acts = map[string][]string{
	"checkpoint": statuses.started,
	"create":     nil,
	"delete":     statuses.all,
	"events":     statuses.alive,
	"exec":       statuses.made,
	"kill":       statuses.alive,
	"mounts":     statuses.alive,
	"pause":      statuses.made,
	"ps":         statuses.alive,
	"restore":    nil,
	"resume":     {"paused"},
	"run":        nil,
	"start":      {"created"},
	"state":      statuses.all,
	"update":     statuses.alive,
}

// table returns skiff itself and its commands. It fails if acts lacks a command that
// takes a container's id, or has another one.
func table(global []commands.Flag, described []commands.Verb) ([]verb, error) {
	var names []string
	for _, v := range described {
		names = append(names, v.Name)
	}
	all := []verb{{options: options(global), args: []value{{words, names}}, firstOnly: true}}
	var failed []error
	unused := maps.Clone(acts)
	for _, d := range described {
		v := verb{name: d.Name, usage: d.Usage, options: options(d.Flags), firstOnly: d.Name == "exec" || d.Name == "ps"}
		for _, arg := range strings.Fields(d.Args) {
			if strings.Contains(arg, "...") {
				break
			}
			a := valueOf(strings.Trim(arg, "[]"))
			switch strings.Trim(arg, "[]") {
			case "CONTAINER-ID":
				on, known := acts[d.Name]
				if !known {
					failed = append(failed, fmt.Errorf("%s: the statuses of its containers are not in the table acts", d.Name))
				}
				if delete(unused, d.Name); len(on) > 0 {
					a = value{ids, on}
				}
			case "COMMAND":
				if d.Name == "help" {
					a = value{words, names}
				}
			}
			v.args = append(v.args, a)
		}
		all = append(all, v)
	}
	for name := range unused {
		failed = append(failed, fmt.Errorf("%s: is in the table acts, and takes no container", name))
	}
	return all, errors.Join(failed...)
}

func options(flags []commands.Flag) (list []option) {
	for _, f := range flags {
		list = append(list, option{f, valueOf(f.Arg)})
	}
	return list
}

// valueOf says what a placeholder stands for.
func valueOf(placeholder string) value {
	switch placeholder {
	case "FILE", "SOCKET":
		return value{kind: file}
	case "DIR":
		return value{kind: dir}
	case "CAP":
		return value{words, plan.CapabilityNames[:]}
	case "SIGNAL":
		return value{words, signals()}
	}
	if placeholder != "" && strings.ToLower(placeholder) == placeholder {
		return value{words, strings.Split(placeholder, "|")}
	}
	return value{kind: nothing}
}

// signals returns the names of all signals, without SIG.
func signals() (names []string) {
	for s := unix.Signal(1); s < 32; s++ {
		if name, ok := strings.CutPrefix(unix.SignalName(s), "SIG"); ok {
			names = append(names, name)
		}
	}
	return append(slices.Clip(names), "RTMIN", "RTMAX")
}

// dashed is an option's name as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// quote quotes a word for bash, zsh and POSIX shells.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
