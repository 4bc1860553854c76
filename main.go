// SPDX-License-Identifier: Apache-2.0

// Without these settings, the Go runtime follows the CPU limit of our own cgroup on the
// host: it keeps a descriptor of that cgroup's file, and reads it from time to time, to set
// GOMAXPROCS. A container runtime has no use for that. It does read /proc/self/cgroup and
// /proc/self/mountinfo at the start in any case. contrib/ldflags repeats the settings,
// since it adds one that this form cannot express: memprofilerate=0, without which the
// runtime records allocations until it knows that nobody reads the records.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Skiff is an OCI runtime: it creates and runs containers as the Open
// Container Initiative's runtime specification describes them.
package main

import (
	_ "embed"
	"os"
	"strings"

	"github.com/skiff-oci/skiff/commands"
)

//go:embed VERSION
var version string

// commit is set by the linker: -ldflags "-X main.commit=...".
var commit string

func main() {
	build := commands.Build{Version: strings.TrimSpace(version), Commit: commit}
	os.Exit(commands.Main(build, os.Args))
}
