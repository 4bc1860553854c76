package specconv

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// annotation is one that has a meaning for us, or for another runtime that is
// replaced by skiff. A name that ends with a dot begins many.
type annotation struct {
	name string
	acts bool   // it changes what is done
	lack string // it has no effect, which is warned of: what there is not, and what to do
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
	{name: pluginsAnnotation, lack: "no plugins are loaded (linux.seccomp.listenerPath takes the socket of an agent)"},
	{name: "run.oci.systemd.force_cgroup_v1", lack: "no hierarchy of cgroup v1 is mounted (bind the host's in mounts)"},
	{name: "krun.", lack: "there are no virtual machines"},
	{name: "module.wasm.image/variant", lack: "WebAssembly is not executed other than by a program of the image"},
}

// handlerAnnotation asks for a virtual machine, or for an interpreter of programs.
const handlerAnnotation = "run.oci.handler"

// known finds the annotation of that name.
func known(name string) *annotation {
	i := slices.IndexFunc(knownAnnotations[:], func(a annotation) bool {
		return a.name == name || strings.HasSuffix(a.name, ".") && strings.HasPrefix(name, a.name)
	})
	if i < 0 {
		return nil
	}
	return &knownAnnotations[i]
}

// without says why an annotation that is made for runtimes has no effect; empty
// if it has, or is for others.
func without(name string) string {
	if a := known(name); a != nil {
		return a.lack
	}
	if strings.HasPrefix(name, "run.oci.") || strings.HasPrefix(name, "org.criu.") {
		return "it is not known"
	}
	return ""
}

// unsafeAnnotations are those that change what is done.
func unsafeAnnotations() (names []string) {
	for _, a := range knownAnnotations {
		if a.acts {
			names = append(names, a.name)
		}
	}
	return names
}

// annotations checks those that have a meaning; all others are passed on.
func (c *compiler) annotations() {
	var idle []string
	for name := range c.spec.Annotations {
		if name == "" {
			c.fault("annotations", "a key must not be empty")
		} else if without(name) != "" {
			idle = append(idle, name)
		}
	}
	slices.Sort(idle)
	for _, name := range idle {
		c.warn(plan.AnnotationField(name), "has no effect: %s", without(name))
	}
	for _, name := range [...]string{plan.HooksStdout, plan.HooksStderr, plan.PidfdReceiver} {
		if path, ok := c.spec.Annotations[name]; ok && path == "" {
			c.fault(plan.AnnotationField(name), "a path is expected")
		}
	}
	// Without it, the container would be confined less than is asked for.
	if handler := c.spec.Annotations[handlerAnnotation]; handler != "" {
		c.fault(plan.AnnotationField(handlerAnnotation), "%q: there are no handlers: programs are executed by the host's kernel alone", handler)
	}
}
