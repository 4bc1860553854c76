// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"reflect"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/store"
)

// The steps left to start are stored as words, and each operation is found again by its
// word.
func TestTail(t *testing.T) {
	var tail, want []program.Step
	for _, k := range program.Kinds() {
		tail = append(tail, program.Step{Kind: k, Field: "f", Words: []string{"a", "A=b"}, Flags: 7})
		want = append(want, program.Step{Kind: k, Field: "f", Words: []string{"a"}})
	}
	if have := planSteps(leftSteps(tail)); !reflect.DeepEqual(have, want) {
		t.Errorf("%+v\nexpected\n%+v", have, want)
	}
	left := leftSteps([]program.Step{{Kind: program.KindNamed("listen")}})
	if want := []store.Step{{Op: "listen"}}; !reflect.DeepEqual(left, want) {
		t.Errorf("%+v, expected %+v", left, want)
	}
	other := planSteps([]store.Step{{Op: "future", Field: "process.future", Words: []string{"x"}}})
	if want := []program.Step{{Field: "process.future", Words: []string{"x"}, About: "future"}}; !reflect.DeepEqual(other, want) {
		t.Errorf("%+v, expected %+v", other, want)
	}
}
