// SPDX-License-Identifier: Apache-2.0

// Command completion writes the completions of bash, zsh and fish, from the table of
// commands. Usage: completion DIR. The files are skiff (bash), _skiff (zsh) and
// skiff.fish, as these shells look for them.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/commands"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: completion DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "completion:", err)
		os.Exit(1)
	}
}

// write writes the files of all shells to dir.
func write(dir string) error {
	verbs, err := table(commands.Describe())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, text := range map[string]string{"skiff": bash(verbs), "_skiff": zsh(verbs), "skiff.fish": fish(verbs)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}
