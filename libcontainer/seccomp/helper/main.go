// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

// The helper compiles one seccomp profile: it reads linux.seccomp of config.json from
// standard input, and writes the encoded filter (package bpf), which includes warnings,
// to standard output. It is a separate program because libseccomp is C, and a Go
// program with C starts more slowly: the runtime, which seldom needs a new filter,
// would pay for that at every start.
//
// With the argument "version" it prints the version of libseccomp.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/compiler"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "version" {
		_, err := fmt.Println(compiler.Version())
		return err
	}
	profile, err := read()
	if err != nil {
		return fmt.Errorf("linux.seccomp: %w", err)
	}
	filter, err := compiler.Compile(profile)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(filter.Encode())
	return err
}

func read() (*specs.LinuxSeccomp, error) {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	p := new(specs.LinuxSeccomp)
	return p, json.Unmarshal(text, p)
}
