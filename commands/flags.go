package commands

import (
	"flag"

	"github.com/urfave/cli/v2"
)

// quick gives flags names and values that cost nothing to look up. The
// library finds a flag's names anew each time it is asked for them, by a
// regular expression, and asks hundreds of times a call: that alone takes as
// long as most verbs. No flag of ours takes its value from the environment.
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
	case *cli.StringSliceFlag:
		return f.Name, f.Aliases, true
	case *cli.IntFlag:
		return f.Name, f.Aliases, true
	}
	all, v := f.Names(), f.(cli.DocGenerationFlag)
	return all[0], all[1:], v.TakesValue()
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
