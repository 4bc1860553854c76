// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strings"
	"testing"
)

// All bad page sizes are reported together.
func TestHugetlbFaults(t *testing.T) {
	r := resourcesOf(t, `{"hugepageLimits":[{"pageSize":"../x","limit":1},{"pageSize":"2MB","limit":1},{"pageSize":"2m","limit":1}]}`)
	for version, collect := range map[string]func(*settings){
		"v2": func(s *settings) { hugetlbV2(r, s) }, "v1": func(s *settings) { hugetlbV1(r, s) },
	} {
		var s settings
		collect(&s)
		var fields []string
		for _, f := range s.faults {
			fields = append(fields, f.(*FieldError).Field)
		}
		if got := strings.Join(fields, " "); got != "linux.resources.hugepageLimits[0].pageSize linux.resources.hugepageLimits[2].pageSize" {
			t.Errorf("%s: %s", version, got)
		}
		if len(s.list) != 2 {
			t.Errorf("%s: %d settings", version, len(s.list))
		}
	}
}
