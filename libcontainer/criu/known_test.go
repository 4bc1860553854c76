// SPDX-License-Identifier: Apache-2.0

package criu

import "testing"

func TestKnows(t *testing.T) {
	const help = "  -R|--leave-running    leave\n     --tcp-close        don't\n  --empty-ns net  Create\n  --auto-dedup\n"
	for option, want := range map[string]bool{
		"--leave-running": true, "--tcp-close": true, "--empty-ns": true, "--auto-dedup": true,
		"--empty": false, "--tcp": false, "--network-lock": false,
	} {
		if got := knows(help, option); got != want {
			t.Errorf("%s: %t", option, got)
		}
	}
}
