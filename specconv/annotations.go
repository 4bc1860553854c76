// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// annotation is one that means something to skiff, or to a runtime that skiff replaces.
// A name that ends with a dot is a prefix.
type annotation struct {
	name   string
	acts   bool   // skiff acts on it
	unused string // why it has no effect, and perhaps what to use instead, for a warning; empty if acts
}

var knownAnnotations = [...]annotation{
	{name: contextAnnotation, acts: true},
	{name: systemdProperty, acts: true},
	{name: criuAnnotation, acts: true},
	{name: plan.HooksStdout, acts: true},
	{name: plan.HooksStderr, acts: true},
	{name: plan.PidfdReceiver, acts: true},
	{name: handlerAnnotation, acts: true},
	{name: receiverAnnotation, acts: true},
	{name: strictAnnotation, acts: true},
	{name: plan.SeccompRaw, acts: true},
	{name: keepGroupsAnnotation, acts: true},
	{name: delegateAnnotation, acts: true},
	{name: subgroupAnnotation, acts: true},
	{name: pluginsAnnotation, unused: "seccomp plugins are not supported (set linux.seccomp.listenerPath to the socket of an agent instead)"},
	{name: "run.oci.systemd.force_cgroup_v1", unused: "cgroup v1 is not mounted in the container (bind-mount the host's instead)"},
	{name: "krun.", unused: "virtual machines are not supported"},
	{name: "module.wasm.image/variant", unused: "WebAssembly is not supported (the image must contain the program that runs it)"},
}

// handlerAnnotation asks for a virtual machine, or for an interpreter of programs.
const handlerAnnotation = "run.oci.handler"

// findAnnotation returns the entry for an annotation, or nil.
func findAnnotation(name string) *annotation {
	i := slices.IndexFunc(knownAnnotations[:], func(a annotation) bool {
		return a.name == name || strings.HasSuffix(a.name, ".") && strings.HasPrefix(name, a.name)
	})
	if i < 0 {
		return nil
	}
	return &knownAnnotations[i]
}

// whyUnused returns why an annotation for runtimes has no effect. It is empty if it has
// one, or is not for runtimes.
func whyUnused(name string) string {
	if a := findAnnotation(name); a != nil {
		return a.unused
	}
	if strings.HasPrefix(name, "run.oci.") || strings.HasPrefix(name, "org.criu.") {
		return "unknown annotation"
	}
	return ""
}

// unsafeAnnotations returns the annotations that skiff acts on (features.md, "Unsafe
// annotations in config.json").
func unsafeAnnotations() (names []string) {
	for _, a := range knownAnnotations {
		if a.acts {
			names = append(names, a.name)
		}
	}
	return names
}

// annotations checks the annotations that are for runtimes. All of them reach hooks and
// the state, whatever they mean.
func (c *compiler) annotations() {
	var unused []string
	for name := range c.spec.Annotations {
		if name == "" {
			c.fault("annotations", "keys must not be empty")
		} else if whyUnused(name) != "" {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	for _, name := range unused {
		c.warn(plan.AnnotationField(name), "has no effect: %s", whyUnused(name))
	}
	for _, name := range [...]string{plan.HooksStdout, plan.HooksStderr, plan.PidfdReceiver} {
		if path, ok := c.spec.Annotations[name]; ok && path == "" {
			c.fault(plan.AnnotationField(name), "must be a path, and not empty")
		}
	}
	// This is an error: without a handler, the container would be confined less than the
	// annotation asks for.
	if handler := c.spec.Annotations[handlerAnnotation]; handler != "" {
		c.fault(plan.AnnotationField(handlerAnnotation), "handler %q is not supported: programs can only run directly on the host's kernel", handler)
	}
}
