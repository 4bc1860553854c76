// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// paths compiles masked and read-only paths, the mount label, and the root's propagation.
func (c *compiler) paths() {
	c.out.Rootfs.Masked = c.insidePaths(c.linux.MaskedPaths, "linux.maskedPaths")
	c.out.Rootfs.ReadonlyP = c.insidePaths(c.linux.ReadonlyPaths, "linux.readonlyPaths")
	c.mountLabel()
	word := c.linux.RootfsPropagation
	flags, ok := propagation(word)
	switch {
	case !ok:
		c.fault("linux.rootfsPropagation", "must be [r]shared, [r]slave, [r]private or [r]unbindable, not %q", word)
	case flags&unix.MS_PRIVATE != 0 && c.NoPivot:
		c.fault("linux.rootfsPropagation", "%q cannot be used with --no-pivot", word)
	}
	c.out.Rootfs.Propagation = flags
}

// contextAnnotation selects the SELinux mount option for mountLabel, as in crun. Podman
// uses it for volumes whose files have their own labels.
const contextAnnotation = "run.oci.mount_context_type"

// mountLabel compiles linux.mountLabel to a mount option, "context=LABEL" unless the
// annotation selects another one (mount(8)).
func (c *compiler) mountLabel() {
	if c.linux.MountLabel == "" {
		return
	}
	option := "context"
	if word, ok := c.spec.Annotations[contextAnnotation]; ok {
		if !slices.Contains(contextOptions[:], word) {
			c.fault("annotations."+contextAnnotation, "must be context, fscontext, defcontext or rootcontext, not %q", word)
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
