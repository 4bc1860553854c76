// Go otherwise opens the cgroup's CPU limit file on the host when it starts,
// to size GOMAXPROCS, and keeps it open (and reads it again now and then).
// A runtime has no use for that, and no business holding a host cgroup's fd.
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
