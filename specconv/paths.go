package specconv

import (
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// paths are the masked and the read-only paths and the root's propagation.
func (c *compiler) paths() {
	c.out.Rootfs.Masked = c.insidePaths(c.linux.MaskedPaths, "linux.maskedPaths")
	c.out.Rootfs.ReadonlyP = c.insidePaths(c.linux.ReadonlyPaths, "linux.readonlyPaths")
	c.mountLabel()
	word := c.linux.RootfsPropagation
	flags, ok := propagation(word)
	switch {
	case !ok:
		c.fault("linux.rootfsPropagation", "%q is none of shared, slave, private, unbindable, and these with r before them", word)
	case flags&unix.MS_PRIVATE != 0 && c.NoPivot:
		c.fault("linux.rootfsPropagation", "%q is not possible with --no-pivot", word)
	}
	c.out.Rootfs.Propagation = flags
}

// contextAnnotation says what part of a file system's context mountLabel is, as
// with crun: podman has it for volumes whose files have labels of their own.
const contextAnnotation = "run.oci.mount_context_type"

// mountLabel is a mount option (mount(8), "context=").
func (c *compiler) mountLabel() {
	if c.linux.MountLabel == "" {
		return
	}
	option := "context"
	if word, ok := c.spec.Annotations[contextAnnotation]; ok {
		if !slices.Contains(contextOptions[:], word) {
			c.fault("annotations."+contextAnnotation, "%q is none of context, fscontext, defcontext, rootcontext", word)
		}
		option = word
	}
	c.out.Rootfs.MountLabel = option + "=" + c.linux.MountLabel
}

func propagation(word string) (flags uint64, ok bool) {
	if word == "" {
		return 0, true
	}
	o, ok := findOption(word)
	return o.bits, ok && o.kind == optPropagation
}

func (c *compiler) insidePaths(list []string, field string) []string {
	if len(list) > 0 && !c.has(specs.MountNamespace) {
		c.fault(field, "cannot be used without a mount namespace in linux.namespaces: it would change the host")
	}
	var out []string
	for i, p := range list {
		if !filepath.IsAbs(p) {
			c.fault(at(field, i), "%q must be an absolute path", p)
			continue
		}
		out = append(out, filepath.Clean(p))
	}
	return out
}
