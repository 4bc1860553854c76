// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/store"
)

// leftSteps converts the steps that create leaves to start into the form of the record.
// They can only be listen, capset, hook, keepfds, files, rlimit, nonewprivs, seccomp
// and exec, none of which needs its flags or a second word for an error message.
func leftSteps(tail []program.Step) []store.Step {
	all := make([]store.Step, 0, len(tail))
	for i := range tail {
		s := &tail[i]
		all = append(all, store.Step{Op: s.Kind.String(), Field: s.Field, Words: s.Words[:min(1, len(s.Words))]})
	}
	return all
}

// planSteps is the reverse of leftSteps. An operation that this version of skiff does
// not know keeps the name that the record has.
func planSteps(left []store.Step) []program.Step {
	all := make([]program.Step, 0, len(left))
	for _, s := range left {
		step := program.Step{Kind: program.KindNamed(s.Op), Field: s.Field, Words: s.Words}
		if step.Kind == 0 {
			step.About = s.Op
		}
		all = append(all, step)
	}
	return all
}
