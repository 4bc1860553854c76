package libcontainer

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/store"
)

// leftSteps are the steps that create leaves to start, as the record keeps them.
// These can only be listen, capset, hook, keepfds, files, rlimit, nonewprivs,
// seccomp and exec: no error of one needs its flags, or a second word.
func leftSteps(tail []program.Step) []store.Step {
	all := make([]store.Step, 0, len(tail))
	for i := range tail {
		s := &tail[i]
		all = append(all, store.Step{Op: s.Kind.String(), Field: s.Field, Words: s.Words[:min(1, len(s.Words))]})
	}
	return all
}

// planSteps is the reverse of leftSteps. An operation that only another version of
// skiff has is called by its name.
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
