// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/listing"
)

// document is a state as the child has it, until it knows the pid.
func document(members string) string { return `{"pid":##########,` + members + `}` }

var web = State(&plan.Launch{ID: "web", OCIVersion: "1.3.0", Bundle: "/b", Annotations: map[string]string{"k": "#v#"}}, specs.StateCreated, 7)

var webDocument = document(`"ociVersion":"1.3.0","id":"web","status":"created","bundle":"/b","annotations":{"k":"#v#"}`)

// TestAdd compares the operations of the two kinds of hooks that the child runs. The
// numbers after the words are the number of arguments, the number of environment
// variables, and the timeout in milliseconds.
func TestAdd(t *testing.T) {
	list := []specs.Hook{
		{Path: "/a"},
		{Path: "/b", Args: []string{"b", "x"}, Env: []string{"OWN=1"}, Timeout: ptr(5)},
		{Path: "/c", Env: []string{}},
	}
	env := []string{"PATH=/bin", "HOME=/"}
	confined := func(untraced bool) func(*program.Program) error {
		return func(p *program.Program) error {
			return AddConfined(p, list, "startContainer", web, Output{program.NoSlot, 6}, env, untraced)
		}
	}
	for name, tt := range map[string]struct {
		add  func(*program.Program) error
		want string
	}{
		// They only have their own environment.
		"of the runtime": {
			func(p *program.Program) error { return Add(p, list, "createContainer", web, Output{5, 6}) },
			`hook(#5, #6, "/a", "/a", 1, data[DOC])  # hooks.createContainer[0]
			hook(#5, #6, "/b", "b", "x", "OWN=1", 2, 1, 5000, data[DOC])  # hooks.createContainer[1]
			hook(#5, #6, "/c", "/c", 1, data[DOC])  # hooks.createContainer[2]`,
		},
		// A hook without one gets the program's, with its HOME; with an empty list it
		// gets none.
		"of the container": {
			confined(false),
			`hook(#6, "/a", "/a", "PATH=/bin", "HOME=/", 1, 2, flags=confined|home, data[DOC])  # hooks.startContainer[0]
			hook(#6, "/b", "b", "x", "OWN=1", 2, 1, 5000, flags=confined, data[DOC])  # hooks.startContainer[1]
			hook(#6, "/c", "/c", 1, flags=confined, data[DOC])  # hooks.startContainer[2]`,
		},
		"of the container, without CAP_SYS_PTRACE": {
			confined(true),
			`hook(#6, "/a", "/a", "PATH=/bin", "HOME=/", 1, 2, flags=confined|home|untraced, data[DOC])  # hooks.startContainer[0]
			hook(#6, "/b", "b", "x", "OWN=1", 2, 1, 5000, flags=confined|untraced, data[DOC])  # hooks.startContainer[1]
			hook(#6, "/c", "/c", 1, flags=confined|untraced, data[DOC])  # hooks.startContainer[2]`,
		},
		"none": {func(p *program.Program) error { return Add(p, nil, "createContainer", web, Output{}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := new(program.Program)
			if err := tt.add(p); err != nil {
				t.Fatal(err)
			}
			listing.Compare(t, p, string(bytes.ReplaceAll([]byte(tt.want), []byte("DOC"), fmt.Append(nil, len(webDocument)))))
		})
	}
}

// The child puts its pid in the place of the first run of '#': that is the state
// (runtime.md).
func TestDocument(t *testing.T) {
	p := new(program.Program)
	if err := Add(p, []specs.Hook{{Path: "/a"}}, "createContainer", web, Output{}); err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(webDocument)) {
		t.Fatalf("the program has no %s:\n%q", webDocument, b)
	}
	before, rest, _ := bytes.Cut([]byte(webDocument), []byte("#"))
	filled := fmt.Appendf(nil, "%s%d%s", before, 1<<31-1, bytes.TrimLeft(rest, "#"))
	want := web
	want.Pid = 1<<31 - 1
	var got specs.State
	if err := json.Unmarshal(filled, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, %v, expected %+v", filled, got, err, want)
	}
}
