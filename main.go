// SPDX-License-Identifier: Apache-2.0

// Without these settings, the Go runtime opens the CPU limit file of our cgroup on the
// host at startup, to set GOMAXPROCS, keeps it open, and rereads it from time to time.
// A container runtime has no use for that, and should not keep a descriptor of a host
// cgroup open.
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
