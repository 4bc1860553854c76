// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"flag"

	"github.com/urfave/cli/v2"
)

// quick wraps flags so that their names are cheap to look up. The library derives a
// flag's names with a regular expression on each of the hundreds of look-ups of a call:
// that alone takes as long as most verbs. The wrappers do not take values from the
// environment, as none of our flags does.
func quick(flags []cli.Flag) []cli.Flag {
	for i, f := range flags {
		flags[i] = quickFlag(f)
	}
	return flags
}

func quickFlag(f cli.Flag) cli.Flag {
	switch f := f.(type) {
	case *cli.StringFlag:
		return &stringFlag{f, names(f.Name, f.Aliases)}
	case *cli.BoolFlag:
		return &boolFlag{f, names(f.Name, f.Aliases)}
	}
	return f
}

func names(first string, more []string) []string { return append([]string{first}, more...) }

// describeFlag returns a flag's names, and whether it takes a value.
func describeFlag(f cli.Flag) (first string, aliases []string, takesValue bool) {
	switch f := f.(type) {
	case *stringFlag:
		return f.Name, f.Aliases, true
	case *boolFlag:
		return f.Name, f.Aliases, false
	case *cli.StringFlag:
		return f.Name, f.Aliases, true
	case *cli.BoolFlag:
		return f.Name, f.Aliases, false
	case *cli.StringSliceFlag:
		return f.Name, f.Aliases, true
	case *cli.IntFlag:
		return f.Name, f.Aliases, true
	}
	all, v := f.Names(), f.(cli.DocGenerationFlag)
	return all[0], all[1:], v.TakesValue()
}

// hasDefault reports whether a flag has a value even if it is not given.
func hasDefault(f cli.Flag) bool {
	switch f := f.(type) {
	case *stringFlag:
		return f.Value != ""
	case *cli.StringFlag:
		return f.Value != ""
	case *cli.IntFlag:
		return f.Value != 0
	case *boolFlag:
		return f.Value
	case *cli.BoolFlag:
		return f.Value
	case *cli.StringSliceFlag:
		return f.Value != nil
	}
	return true
}

type stringFlag struct {
	*cli.StringFlag
	names []string
}

func (f *stringFlag) Names() []string { return f.names }

func (f *stringFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.String(name, f.Value, f.Usage)
	}
	return nil
}

type boolFlag struct {
	*cli.BoolFlag
	names []string
}

func (f *boolFlag) Names() []string { return f.names }

func (f *boolFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.names {
		set.Bool(name, f.Value, f.Usage)
	}
	return nil
}
