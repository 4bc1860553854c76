// SPDX-License-Identifier: Apache-2.0

// Command oci runs the validation suite of the Open Container Initiative (the programs
// below validation/ in runtime-tools) against a runtime. It compares the result with
// expected.txt, the list of programs that are known to fail, each with its reason.
//
//	go run -C tests/oci . -runtime /path/to/skiff [-run REGEXP] [-v]
//
// For a machine without Go the suite can be built before: -build DIR builds it, and
// -suite DIR runs it.
//
// Every program runs in a cell of its own, with new pid, mount and cgroup namespaces and
// private cgroups. So a faulty runtime cannot damage the host, and several programs can
// run at once although all of them use the same cgroup path.
//
// The exit status is 1 if a program fails that the list does not name, or passes although
// the list names it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// options has the options of the command line.
type options struct {
	runtime  string         // path of the runtime under test, absolute unless there is a sysroot
	sysroot  string         // a Debian tree whose /usr is mounted over the host's in the cells; "" = none
	expected string         // file of the list; "" = compare with nothing
	build    string         // build the suite into this folder and run nothing; "" = no
	suite    string         // the folder of a suite that -build has built; "" = build it
	run      *regexp.Regexp // programs to run; nil = all
	jobs     int
	timeout  time.Duration // of one program
	view     string        // "v1", "v2" or "auto"
	verbose  bool
}

// A command line whose first argument is one of these is one that the driver gives
// itself.
const (
	suiteArg = "in-private-mounts" // the driver in its own mount namespace
	cellArg  = "in-cell"           // the init of a cell
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == cellArg {
		os.Exit(cellMain(os.Args[2:]))
	}
	if err := start(os.Args[1:]); err != nil {
		if _, said := errors.AsType[*exec.ExitError](err); !said {
			fmt.Fprintln(os.Stderr, "oci:", err)
		}
		os.Exit(1)
	}
}

func start(args []string) error {
	if len(args) == 0 || args[0] != suiteArg {
		return inPrivateMounts(args)
	}
	o, err := parse(args[1:])
	if err != nil {
		return err
	}
	if o.build != "" {
		return (&suite{dir: o.build}).build()
	}
	return conform(o)
}

// inPrivateMounts runs the driver again in a new mount namespace, where it may mount
// cgroup hierarchies that the host has not mounted.
func inPrivateMounts(args []string) error {
	if uid := os.Geteuid(); uid != 0 {
		fmt.Printf("   1 skipped: needs root, to make namespaces and cgroups: the effective uid is %d\n0 passed, 0 failed, 1 skipped\n", uid)
		return nil
	}
	cmd := exec.Command("/proc/self/exe", append([]string{suiteArg}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	return cmd.Run()
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("oci", flag.ExitOnError)
	f.StringVar(&o.runtime, "runtime", "../../skiff", "the runtime's `path`")
	f.StringVar(&o.sysroot, "sysroot", "", "a Debian `tree` whose /usr the programs see, for a runtime that is linked to it")
	f.StringVar(&o.expected, "expected", "expected.txt", "the `list` of programs that are known to fail; empty: none")
	f.StringVar(&o.build, "build", "", "build the suite into this `folder`, run nothing")
	f.StringVar(&o.suite, "suite", "", "the `folder` that -build has made the suite in")
	f.IntVar(&o.jobs, "j", 2*runtime.NumCPU(), "programs to run at once")
	f.DurationVar(&o.timeout, "timeout", 3*time.Minute, "of one program")
	f.StringVar(&o.view, "view", "auto", "cgroup view: v1, v2 or auto (v1 where the host mounts a v1 hierarchy)")
	f.BoolVar(&o.verbose, "v", false, "print every program's output")
	f.Func("run", "run only the programs that match this `regexp`", func(s string) (err error) {
		o.run, err = regexp.Compile(s)
		return err
	})
	f.Parse(args)
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	for _, dir := range []*string{&o.build, &o.suite} {
		if err := absolute(dir); err != nil {
			return o, err
		}
	}
	if o.sysroot != "" || o.build != "" {
		return o, nil // the path of the runtime is in the sysroot; or none is needed
	}
	if err := absolute(&o.runtime); err != nil {
		return o, err
	}
	if _, err := os.Stat(o.runtime); err != nil {
		return o, fmt.Errorf("the runtime: %w", err)
	}
	return o, nil
}

// absolute makes a path absolute unless it is empty.
func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

// conform runs the suite, which it first builds unless -suite names one, and reports.
func conform(o options) (err error) {
	h, err := observe(o.view)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.release()) }()
	list, err := readList(o.expected)
	if err != nil {
		return err
	}
	s := &suite{dir: o.suite}
	if o.suite == "" {
		if s, err = newSuite(); err != nil {
			return err
		}
		defer s.remove()
	}
	if err := s.choose(o.run); err != nil {
		return err
	}
	if err := list.check(s.all); err != nil {
		return err
	}
	listed := list.inForce(h)
	return report(os.Stdout, s.runAll(o, h, listed), listed, o.verbose)
}
