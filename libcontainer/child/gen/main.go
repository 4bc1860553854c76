// SPDX-License-Identifier: Apache-2.0

// Command gen writes the header with the numbers that the runtime and the child
// share. Usage: gen FILE.
package main

import (
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/child/header"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], header.Text(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
