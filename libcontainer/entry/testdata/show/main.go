// SPDX-License-Identifier: Apache-2.0

// Command show prints what the Go runtime was started with.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/skiff-oci/skiff/libcontainer/entry"
)

func main() {
	fmt.Println(runtime.GOMAXPROCS(0), entry.CallerSlack() != 0, len(os.Args))
	for _, a := range os.Args {
		fmt.Printf("%q\n", a)
	}
	for _, v := range os.Environ() {
		fmt.Println(v)
	}
}
