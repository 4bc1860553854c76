// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

// isFlag reports whether arg has the form of a flag.
func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// takesNext reports whether arg is a flag whose value is the next argument.
func takesNext(known []cli.Flag, arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	for _, f := range known { // no name contains "=", so --flag=VALUE matches none
		if first, aliases, takes := describeFlag(f); name == first || slices.Contains(aliases, name) {
			return takes
		}
	}
	return false
}

// reorder moves the flags of the verb args[v] ahead of its other arguments, so that
// `delete ID --force` works. The arguments of exec and ps keep their order: those
// after the container's id belong to another program.
func reorder(cmd *cli.Command, args []string, v int) []string {
	if cmd.Name == "exec" || cmd.Name == "ps" {
		return args
	}
	flags, operands := partition(cmd.Flags, args[v+1:])
	if len(operands) > 0 { // else "--" could become the last flag's value
		operands = append([]string{"--"}, operands...)
	}
	return slices.Concat(args[:v+1], flags, operands)
}

// partition splits args into flags, with their values, and the rest. If the last flag
// lacks its value, the rest is dropped: then the library reports the missing value,
// instead of taking an operand for it.
func partition(known []cli.Flag, args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return flags, append(rest, args[i+1:]...)
		case !isFlag(args[i]):
			rest = append(rest, args[i])
		case takesNext(known, args[i]) && i+1 == len(args):
			return append(flags, args[i]), nil
		case takesNext(known, args[i]):
			flags = append(flags, args[i], args[i+1])
			i++
		default:
			flags = append(flags, args[i])
		}
	}
	return flags, rest
}

// firstNames replaces aliases by first names in the flags before the first operand:
// the library refuses a call in which a flag has two of its names, such as -e and --env.
// If they ask for help, the result is --help alone: the library would take an operand
// after it for the name of a command.
func firstNames(known []cli.Flag, args []string) []string {
	args = slices.Clone(args)
	for i := 0; i < len(args) && isFlag(args[i]) && args[i] != "--"; i++ {
		name, value, given := strings.Cut(args[i], "=")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
		for _, f := range known {
			first, aliases, takes := describeFlag(f)
			if name != first && !slices.Contains(aliases, name) {
				continue
			}
			if first == "help" && !given {
				return []string{"--help"}
			}
			args[i] = "--" + first
			if given {
				args[i] += "=" + value
			} else if takes {
				i++
			}
			break
		}
	}
	return args
}

// used returns those of the flags that args have before the first operand, and those that
// have a default value. Without any other flag, args mean the same. The names must be
// first names.
func used(known []cli.Flag, args []string) (flags []cli.Flag) {
	for _, f := range known {
		if hasDefault(f) {
			flags = append(flags, f)
		}
	}
	for i := 0; i < len(args) && isFlag(args[i]) && args[i] != "--"; i++ {
		name, _, given := strings.Cut(args[i], "=")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
		for _, f := range known {
			first, _, takes := describeFlag(f)
			if name != first {
				continue
			}
			if !slices.Contains(flags, f) {
				flags = append(flags, f)
			}
			if takes && !given {
				i++
			}
			break
		}
	}
	return flags
}

// checkArgs checks the number of arguments. If most is negative, there is no upper
// bound.
func checkArgs(ctx *cli.Context, least, most int) error {
	n := ctx.Args().Len()
	usage := strings.TrimSpace(ctx.Command.Name + " [OPTION...] " + ctx.Command.ArgsUsage)
	switch {
	case n < least:
		return misuse("too few arguments: got %d; usage: skiff %s", n, usage)
	case most >= 0 && n > most:
		return misuse("too many arguments: %q; usage: skiff %s", ctx.Args().Slice(), usage)
	}
	return nil
}

// container checks the number of arguments and loads the container whose id is the
// first one.
func (c *call) container(ctx *cli.Context, most int) (*libcontainer.Container, error) {
	if err := checkArgs(ctx, 1, most); err != nil {
		return nil, err
	}
	id := ctx.Args().First()
	if err := libcontainer.CheckID(id); err != nil {
		return nil, err
	}
	return c.load(id)
}

// tableFormat reads --format of list and ps, and reports whether it is json.
func tableFormat(ctx *cli.Context) (json bool, err error) {
	switch f := ctx.String("format"); f {
	case "table":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, misuse("--format %q: must be table or json", f)
	}
}
