// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// Programs can tell a value that is not valid from one that this host does not support.
func TestCodes(t *testing.T) {
	settingsOf := func(text string, v2 bool) error {
		var all Faults
		for _, c := range controllers() {
			_, err := c.values(resourcesOf(t, text), v2)
			all.add(err)
		}
		return all.err()
	}
	devices := func(text string) error {
		_, err := deviceRules(resourcesOf(t, text))
		return err
	}
	limits := func(g *Group) error { return errors.Join(g.limitControllers(), g.limitUnified()) }
	for _, c := range []struct {
		err  error
		code fault.Code
	}{
		{settingsOf(`{"memory":{"swappiness":101}}`, false), fault.InvalidConfig},
		{settingsOf(`{"memory":{"swappiness":1}}`, true), fault.NotSupported},
		{settingsOf(`{"memory":{"swap":1}}`, true), fault.InvalidConfig},
		{settingsOf(`{"memory":{"limit":-2}}`, true), fault.InvalidConfig},
		{settingsOf(`{"network":{"classID":1}}`, true), fault.NotSupported},
		{devices(`{"devices":[{"type":"x","access":"r"}]}`), fault.InvalidConfig},
		{devices(`{"devices":[{"major":-2,"access":"r"}]}`), fault.InvalidConfig},
		{devices(`{"devices":[{"access":""}]}`), fault.InvalidConfig},
		{devices(`{"devices":[{"access":"x"}]}`), fault.InvalidConfig},
		{checkKey("../x"), fault.InvalidConfig},
		{limits(&Group{resources: resourcesOf(t, `{"pids":{"limit":1}}`)}), fault.NoCgroup},
		{limits(&Group{members: []member{{names: []string{"cpu"}, path: "/c"}}, resources: resourcesOf(t, `{"pids":{"limit":1}}`)}), fault.NoCgroup},
		{errHole, fault.NotSupported},
		{noFile(dir{path: "/nosuch"}, "pids.max"), fault.NotSupported},
	} {
		if got := fault.Of(c.err).Code; got != c.code {
			t.Errorf("%v: %s, expected %s", c.err, got, c.code)
		}
	}
	if hint := fault.Of(noFile(dir{path: "/nosuch"}, "hugetlb.7MB.max")).Hint; hint != "no huge page sizes are available" {
		t.Errorf("hint %q", hint)
	}
}
