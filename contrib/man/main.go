// SPDX-License-Identifier: Apache-2.0

// Command man writes the manual pages. Usage: man VERSION DIR.
//
// Each file in pages is the text of a page, in mdoc(7), with the date of its last change
// at the top. The lines {{head}}, {{options}} and {{commands}} stand for what comes from
// the table of commands: name and synopsis, options, and the list of commands. So a page
// cannot be behind the table. It fails to build if a command has no page, or if a page
// names an option, shows a call, or refers to a page that does not exist.
//
// The pages are built, not committed: who installs skiff has what builds them.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: man VERSION DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

// write writes all pages to dir.
func write(version, dir string) error {
	all, err := build(version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}
