// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *compiler) hooks() {
	h := c.spec.Hooks
	if h == nil {
		return
	}
	c.out.Hooks = *h
	c.hookList(h.Prestart, "hooks.prestart")
	c.hookList(h.CreateRuntime, "hooks.createRuntime")
	c.hookList(h.CreateContainer, "hooks.createContainer")
	c.hookList(h.StartContainer, "hooks.startContainer")
	c.hookList(h.Poststart, "hooks.poststart")
	c.hookList(h.Poststop, "hooks.poststop")
}

func (c *compiler) hookList(list []specs.Hook, field string) {
	for i := range list {
		h, field := &list[i], at(field, i)
		if !filepath.IsAbs(h.Path) {
			c.fault(field+".path", "%q must be an absolute path", h.Path)
		}
		if h.Timeout != nil && *h.Timeout <= 0 {
			c.fault(field+".timeout", "must be at least 1 second, not %d", *h.Timeout)
		}
		c.environment(h.Env, field+".env")
	}
}
