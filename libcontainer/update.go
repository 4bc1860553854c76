// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/rdt"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// Update is a change to a container's limits.
type Update struct {
	Resources     *specs.LinuxResources // merged with the current ones by [cgroup.Merge]
	L3CacheSchema string                // linux.intelRdt.l3CacheSchema; if empty, it does not change
	MemBwSchema   string                // linux.intelRdt.memBwSchema; likewise
	Force         bool                  // set a memory limit even if more memory is in use
}

// Update changes the limits of a container that was created and has not stopped, and
// its stored configuration. After an error both are as before. The error is
// [ErrNotRunning] if it has stopped.
func (c *Container) Update(up *Update) (err error) {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	status, err := c.Status()
	if err != nil {
		return err
	}
	if status == Stopped || status == Creating {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, status)
	}
	raw, err := c.entry.Config()
	if err != nil {
		return err
	}
	old, err := limitsIn(raw)
	if err != nil {
		return err
	}
	var u undo.Stack
	defer u.Unwind(&err)
	merged, err := c.updateCgroup(&cgroup.Change{Old: old.Resources, Named: up.Resources, Force: up.Force, Rootless: c.host.Rootless}, &u)
	if err != nil {
		return err
	}
	class, err := c.updateClass(old.IntelRdt, up, &u)
	if err != nil {
		return err
	}
	if raw, err = replaceLimits(raw, &limits{merged, class}); err != nil {
		return err
	}
	return c.entry.ReplaceConfig(raw)
}

// updateCgroup applies a change of resources to the container's cgroup and, if it has
// one, its systemd unit.
func (c *Container) updateCgroup(change *cgroup.Change, u *undo.Stack) (*specs.LinuxResources, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	merged, err := g.Update(change, u)
	if err == nil && c.record.Unit.Name != "" {
		err = trace.Timed("update the unit", c.record.Unit.Name, func() error { return c.updateUnit(g, change.Old, merged, u) })
	}
	return merged, err
}

// updateClass changes the schemata of the container's class of service, and returns the
// new linux.intelRdt.
func (c *Container) updateClass(old *specs.LinuxIntelRdt, up *Update, u *undo.Stack) (*specs.LinuxIntelRdt, error) {
	if up.L3CacheSchema == "" && up.MemBwSchema == "" {
		return old, nil
	}
	if old == nil || c.record.RDT.Class == "" {
		field := "l3CacheSchema"
		if up.L3CacheSchema == "" {
			field = "memBwSchema"
		}
		return nil, fault.New(fault.InvalidConfig, "linux.intelRdt."+field+": cannot be changed: the container has no class of service (CLOS)")
	}
	now, schemata := *old, []string(nil)
	for _, s := range [...]struct {
		given string
		keep  *string
	}{{up.L3CacheSchema, &now.L3CacheSchema}, {up.MemBwSchema, &now.MemBwSchema}} {
		if s.given != "" {
			*s.keep = s.given
			schemata = append(schemata, s.given)
		}
	}
	return &now, rdt.Update(c.record.RDT.Class, schemata, u)
}

// limits are the parts of the configuration that an update changes.
type limits struct {
	Resources *specs.LinuxResources `json:"resources"`
	IntelRdt  *specs.LinuxIntelRdt  `json:"intelRdt"`
}

func limitsIn(raw []byte) (*limits, error) {
	var spec struct {
		Linux limits `json:"linux"`
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fault.With(fault.Damaged, fmt.Errorf("the container's stored config.json: %w", err))
	}
	return &spec.Linux, nil
}

// replaceLimits stores l in a configuration and changes nothing else.
func replaceLimits(raw []byte, l *limits) ([]byte, error) {
	spec, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	linux, err := parseObject(spec.get("linux"))
	if err != nil {
		return nil, err
	}
	if err := linux.put("resources", l.Resources); err != nil {
		return nil, err
	}
	if l.IntelRdt != nil {
		if err := linux.put("intelRdt", l.IntelRdt); err != nil {
			return nil, err
		}
	}
	if err := spec.put("linux", linux); err != nil {
		return nil, err
	}
	return json.Marshal(spec)
}

// object is a JSON object whose values are kept as they are. Its keys match in any
// case, as they do where configurations are read.
type object map[string]json.RawMessage

func parseObject(raw []byte) (object, error) {
	o := make(object)
	if len(raw) == 0 {
		return o, nil
	}
	err := json.Unmarshal(raw, &o)
	return o, err
}

func (o object) get(key string) json.RawMessage {
	for k := range o {
		if strings.EqualFold(k, key) {
			return o[k]
		}
	}
	return nil
}

func (o object) put(key string, v any) error {
	for k := range o {
		if strings.EqualFold(k, key) {
			delete(o, k)
		}
	}
	b, err := json.Marshal(v)
	o[key] = b
	return err
}
