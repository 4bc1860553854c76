//go:build cgo && cparts

// The helper compiles one seccomp profile: linux.seccomp of config.json comes
// on its standard input, the program, with what is to be warned of, goes to its
// standard output. It is a
// process of its own because libseccomp is C, and a Go program with C in it
// starts more slowly: the runtime, which seldom needs a new filter, would pay
// for that each time.
//
// With the argument "version" it prints libseccomp's.
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
