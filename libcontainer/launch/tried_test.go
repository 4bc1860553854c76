// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/tried"
)

// Each operation of the child is in a golden file, so a test has it where it belongs.
func TestEveryOperationIsTried(t *testing.T) {
	var names []string
	for _, k := range program.Kinds() {
		names = append(names, k.String())
	}
	exceptions := map[string]string{
		"files":   "no golden file has that many mounts: TestRunManyMounts",
		"unmount": "Mounts.Remove alone has it: TestMounts",
	}
	files := tried.Read(t, "libcontainer/launch/testdata/order/*.txt", "libcontainer/rootfs/testdata/listings/*.txt")
	files.Check(t, "operation", names, func(name string) string { return " " + name + `\(` }, exceptions)
}
