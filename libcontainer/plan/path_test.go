// SPDX-License-Identifier: Apache-2.0

package plan

import "testing"

func TestPaths(t *testing.T) {
	for got, want := range map[string]string{
		At("mounts", 0): "mounts[0]", At(Under(At("mounts", 3), "uidMappings"), 12): "mounts[3].uidMappings[12]",
		Under("", "cwd"): "cwd", Under("process", "user.uid"): "process.user.uid", At(Under("", "rlimits"), 1): "rlimits[1]",
	} {
		if got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
}
