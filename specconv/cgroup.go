// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"math"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
)

const systemdProperty = "org.systemd.property."

// cgroup passes on the path and the limits. Package cgroup checks the limits, since which
// ones exist depends on the host's version of cgroups.
func (c *compiler) cgroup() {
	g := &c.out.Cgroup
	g.Path, g.Resources, g.Systemd = c.linux.CgroupsPath, c.linux.Resources, c.SystemdCgroup
	c.subgroups()
	if !c.SystemdCgroup {
		return
	}
	c.unit()
	for k, v := range c.spec.Annotations {
		if name, ok := strings.CutPrefix(k, systemdProperty); ok {
			c.unitProperty("annotations["+strconv.Quote(k)+"]", name, v)
		}
	}
}

const (
	scopeSuffix = ".scope"
	sliceSuffix = ".slice"
)

// unit parses linux.cgroupsPath in the form that runtimes use with systemd,
// "slice:prefix:name". The container's unit is PREFIX-NAME.scope in that slice, or NAME
// itself if it ends with ".slice".
func (c *compiler) unit() {
	const field = "linux.cgroupsPath"
	path := c.linux.CgroupsPath
	if path == "" {
		path = ":skiff:" + c.ID
	}
	parts := strings.Split(path, ":")
	if len(parts) != 3 {
		c.fault(field, "%q must be of the form slice:prefix:name with --systemd-cgroup", path)
		return
	}
	slice, prefix, name := parts[0], parts[1], parts[2]
	if !c.unitNames(field, path, slice, prefix, name) {
		return
	}
	g := &c.out.Cgroup
	if strings.HasSuffix(name, sliceSuffix) {
		above := sliceAbove(name)
		if slice != "" && slice != above {
			c.fault(field, "%q: slice %s must be in %s, according to its name, not in %s", path, name, above, slice)
		}
		g.Unit, g.Slice = name, above
		return
	}
	if slice == "" {
		slice = "system" + sliceSuffix
		if c.UserUnits {
			slice = "user" + sliceSuffix
		}
	}
	if prefix == "" {
		prefix = "skiff"
	}
	g.Unit, g.Slice = prefix+"-"+name+scopeSuffix, slice
	if len(g.Unit) > maxUnitName {
		c.fault(field, "%q: the unit name must be at most %d bytes long, not %d", path, maxUnitName, len(g.Unit))
	}
}

const maxUnitName = 255 // UNIT_NAME_MAX - 1 of systemd (systemd.unit(5))

// unitNames checks the three parts of the path and reports whether they are valid.
func (c *compiler) unitNames(field, path, slice, prefix, name string) bool {
	switch {
	case name == "":
		c.fault(field, "%q: the name after the last colon must not be empty", path)
	case !unitChars(prefix):
		c.fault(field, "%q: prefix %q must consist of letters, digits and _.-\\@ only", path, prefix)
	case !unitChars(name):
		c.fault(field, "%q: name %q must consist of letters, digits and _.-\\@ only", path, name)
	case strings.HasSuffix(name, sliceSuffix) && (!sliceName(name) || name == "-.slice"):
		c.fault(field, "%q: slice %q cannot be created: expected a name like a-b.slice", path, name)
	case slice != "" && !sliceName(slice):
		c.fault(field, "%q: %q is not the name of a slice: expected a name like system.slice or a-b.slice", path, slice)
	default:
		return true
	}
	return false
}

func unitChars(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', strings.IndexByte(`_.-\@`, b) >= 0:
		default:
			return false
		}
	}
	return true
}

// sliceName reports whether s can be the name of a slice: parts with single dashes
// between them, or "-" for the root slice, then ".slice" (systemd.slice(5)).
func sliceName(s string) bool {
	base, ok := strings.CutSuffix(s, sliceSuffix)
	if !ok || len(s) > maxUnitName || !unitChars(s) {
		return false
	}
	return base == "-" || base != "" && base[0] != '-' && base[len(base)-1] != '-' && !strings.Contains(base, "--")
}

// sliceAbove returns the parent of slice s, which follows from its name: a-b.slice is in
// a.slice.
func sliceAbove(s string) string {
	if i := strings.LastIndexByte(s, '-'); i > 0 {
		return s[:i] + sliceSuffix
	}
	return "-" + sliceSuffix
}

// unitProperty reads a property of the unit in GVariant's text format. A time in seconds,
// "...Sec", becomes one in microseconds, "...USec", as systemd has it on D-Bus.
func (c *compiler) unitProperty(field, name, text string) {
	if len(name) < 3 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		c.fault(field, "%q is not the name of a systemd property: must be at least 3 letters", name)
		return
	}
	switch name {
	case "PIDs", "PIDFDs", "Slice":
		c.fault(field, "%s must not be set: skiff itself chooses the processes and the slice of the unit", name)
		return
	}
	v, err := dbus.Parse(text)
	if err != nil {
		c.fault(field, "%q must be a GVariant in text format, such as true, 'string', uint64 7 or ['a', 'b']: %v", text, err)
		return
	}
	if base, ok := strings.CutSuffix(name, "Sec"); ok && base != "" && base[len(base)-1] >= 'a' {
		n, ok := microseconds(v.Value())
		if !ok {
			c.fault(field, "%q must be a number of seconds", text)
			return
		}
		name, text = base+"USec", "uint64 "+strconv.FormatUint(n, 10)
	}
	g := &c.out.Cgroup
	if g.SystemdProps == nil {
		g.SystemdProps = make(map[string]string)
	}
	if _, ok := g.SystemdProps[name]; ok {
		c.fault(field, "%s is set twice, in seconds and in microseconds", name)
		return
	}
	g.SystemdProps[name] = text
}

// microseconds converts a number of seconds, of any numeric type of D-Bus. It returns
// false if v is no number, is negative, or is too large.
func microseconds(v any) (uint64, bool) {
	var sec float64
	switch n := v.(type) {
	case byte:
		sec = float64(n)
	case int16:
		sec = float64(n)
	case uint16:
		sec = float64(n)
	case int32:
		sec = float64(n)
	case uint32:
		sec = float64(n)
	case int64:
		sec = float64(n)
	case uint64:
		sec = float64(n)
	case float64:
		sec = n
	default:
		return 0, false
	}
	if us := sec * 1e6; us >= 0 && us < math.MaxInt64 {
		return uint64(math.Round(us)), true
	}
	return 0, false
}
