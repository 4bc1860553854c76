// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/urfave/cli/v2"
)

func globalFlags() []cli.Flag {
	root := &cli.StringFlag{Name: "root", Value: defaultRoot(), Usage: "keep the state of containers in `DIR`"}
	return append(append(make([]cli.Flag, 0, len(otherGlobalFlags)+3), root), otherGlobalFlags...) // and --help and --version
}

var otherGlobalFlags = []cli.Flag{
	&cli.StringFlag{Name: "log", Usage: "append log records to `FILE` instead of standard error"},
	&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`text|json`: format of the log records"},
	&cli.StringFlag{Name: "log-level", Value: "info", Usage: "`error|warning|info|debug`: log only records of this level or above"},
	&cli.BoolFlag{Name: "debug", Usage: "log each step and its duration; same as --log-level debug"},
	&cli.StringFlag{Name: "trace", Usage: "write each step with its time to `FILE`, for Perfetto or chrome://tracing"},
	&cli.BoolFlag{Name: "systemd-cgroup", Usage: "create cgroups through systemd; cgroupsPath has the form slice:prefix:name"},
	&cli.StringFlag{Name: "cgroup-manager", Usage: "`cgroupfs|systemd|disabled`: create cgroups directly, through systemd (same as --systemd-cgroup), or not at all: then containers stay in the caller's cgroup"},
	&cli.StringFlag{Name: "rootless", Value: "auto", Usage: "`true|false|auto`: act as for a caller without privileges on the host; auto detects one"},
}

// defaultRoot returns the default of --root, a directory that the caller can write to,
// in a file system that does not survive a reboot.
func defaultRoot() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && ordinary() {
		return filepath.Join(dir, "skiff")
	}
	return "/run/skiff"
}

// ordinary reports whether the caller cannot use the directories of the host's root
// user. That includes root in a user namespace, unless $USER says that it acts as the
// host's root.
func ordinary() bool {
	return os.Geteuid() != 0 || libcontainer.InUserNamespace() && os.Getenv("USER") != "root"
}

// before reads the global flags, before any verb runs.
func (c *call) before(ctx *cli.Context) error {
	return fault.In(fault.Arguments, c.readGlobal(ctx))
}

func (c *call) readGlobal(ctx *cli.Context) error {
	if err := c.openLog(ctx); err != nil {
		return err
	}
	if err := c.openTrace(ctx); err != nil {
		return err
	}
	var err error
	if c.host.Rootless, err = rootless(ctx.String("rootless")); err != nil {
		return err
	}
	root, err := stateRoot(ctx.String("root"))
	if err != nil {
		return err
	}
	c.host.Root, c.host.Shared = root, defaultRoot()
	if c.host.SystemdCgroup, c.host.NoCgroup, err = cgroupManager(ctx.String("cgroup-manager"), ctx.Bool("systemd-cgroup")); err != nil {
		return err
	}
	c.host.Warn, c.host.Note = c.log.warn, c.log.note
	c.rootIsDefault = !ctx.IsSet("root")
	return nil
}

// openLog opens the log. If one of its flags is wrong, the others still count: the error
// goes where the caller looks for it.
func (c *call) openLog(ctx *cli.Context) error {
	least, err := parseLevel(ctx.String("log-level"))
	if ctx.Bool("debug") {
		least = levelDebug
	}
	openErr := c.log.open(ctx.String("log"), ctx.String("log-format"), least)
	if err != nil {
		return err
	}
	return openErr
}

// openLogOf opens the log that the global flags in args name, for the error that the
// library has found in them: it keeps none of their values then. The error of the log
// itself would hide that one.
func (c *call) openLogOf(args []string) {
	flags, path, format := globalFlags(), "", "text"
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !given && takesNext(flags, args[i]) && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch name {
		case "log":
			path = value
		case "log-format":
			format = value
		}
	}
	_ = c.log.open(path, format, levelInfo)
}

func stateRoot(dir string) (string, error) {
	if dir == "" {
		return "", misuse("--root: must not be empty")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("--root %q: %w", dir, err)
	}
	// Deleting a container removes its directory below this one with all its contents.
	if abs == "/" {
		return "", misuse("--root %q: must not be the root directory", dir)
	}
	return abs, nil
}

// cgroupManager reads --cgroup-manager and --systemd-cgroup, which must not contradict
// each other.
func cgroupManager(name string, systemd bool) (throughSystemd, none bool, err error) {
	switch name {
	case "":
		return systemd, false, nil
	case "cgroupfs", "systemd", "disabled":
	default:
		return false, false, misuse("--cgroup-manager %q: must be cgroupfs, systemd or disabled", name)
	}
	if systemd && name != "systemd" {
		return false, false, misuse("--cgroup-manager %s: cannot be used with --systemd-cgroup", name)
	}
	return name == "systemd", name == "disabled", nil
}

// rootless reads --rootless. With auto, a caller counts as one without privileges on the
// host if it is not root, or is root only in a user namespace.
func rootless(mode string) (bool, error) {
	switch mode {
	case "auto":
		return os.Geteuid() != 0 || libcontainer.InUserNamespace(), nil
	case "false", "0", "f", "F", "FALSE", "False":
		return false, nil
	case "true", "1", "t", "T", "TRUE", "True":
		return true, nil
	}
	return false, misuse("--rootless %q: must be true, false or auto", mode)
}

// load loads a container.
func (c *call) load(id string) (*libcontainer.Container, error) {
	container, err := c.host.Load(id)
	return container, c.hintRoot(err)
}

// hintRoot adds a hint to the error of an ordinary user without XDG_RUNTIME_DIR, who
// has not named a root and whose containers must therefore be below another one.
func (c *call) hintRoot(err error) error {
	if c.rootIsDefault && ordinary() && os.Getenv("XDG_RUNTIME_DIR") == "" {
		return otherRoot(err)
	}
	return err
}

// otherRoot adds a hint to err if the container may be below another root.
func otherRoot(err error) error {
	if errors.Is(err, libcontainer.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return fault.Hint(err, "use --root to name the directory of the containers' state, or set XDG_RUNTIME_DIR")
	}
	return err
}

// makeRoot makes the default root directory of an ordinary user. Its sticky bit keeps
// it from being cleaned up while containers run (XDG Base Directory Specification).
func (c *call) makeRoot() error {
	if !c.rootIsDefault || !ordinary() || os.Getenv("XDG_RUNTIME_DIR") == "" {
		return nil
	}
	if err := os.MkdirAll(c.host.Root, 0o700); err != nil {
		return fault.In(fault.Prepare, fmt.Errorf("--root: %w", err))
	}
	if err := os.Chmod(c.host.Root, 0o700|os.ModeSticky); err != nil {
		return fault.In(fault.Prepare, fmt.Errorf("--root: %w", err))
	}
	return nil
}
