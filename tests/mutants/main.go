// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	tags    = "urfave_cli_no_docs cparts"
	nobody  = 65534
	timeout = 2 * time.Minute // for the tests of one package; a fault may make one hang
)

func main() {
	failed, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

func run(patterns []string) (failed int, err error) {
	root, err := module()
	if err != nil {
		return 0, err
	}
	all, err := load(filepath.Join(root, "tests/mutants/list"), patterns)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nobody must be able to execute the files in it
		return 0, err
	}
	go removeAtEnd(dir)
	w := &world{root: root, dir: dir}
	begun := time.Now()
	if err := w.checkUnchanged(all); err != nil {
		return 0, err
	}
	failed = w.tryAll(all)
	fmt.Printf("%d mutants, %d not found by the tests, in %.0f s\n", len(all), failed, time.Since(begun).Seconds())
	return failed, nil
}

// removeAtEnd removes the directory and ends the program when the user interrupts it.
func removeAtEnd(dir string) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	<-interrupted
	os.RemoveAll(dir)
	os.Exit(1)
}

// module returns the root directory of the module of the working directory.
func module() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	mod := strings.TrimSpace(string(out))
	if err != nil || filepath.Base(mod) != "go.mod" {
		return "", fmt.Errorf("go env GOMOD: %q, %v: to be called in skiff's source", mod, err)
	}
	return filepath.Dir(mod), nil
}

// world has the root of the source, and a directory for binaries and changed files.
type world struct{ root, dir string }

// checkUnchanged makes sure that the tests of all packages concerned pass without a
// fault.
func (w *world) checkUnchanged(all []*mutant) error {
	var packages []string
	for _, m := range all {
		packages = append(packages, m.pkg)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	errs := make([]error, len(packages))
	each(len(packages), func(i int) {
		binary := filepath.Join(w.dir, "unchanged-"+strconv.Itoa(i))
		out, err := w.build(packages[i], binary)
		if err == nil {
			out, err = w.test(packages[i], binary)
		}
		if err != nil {
			errs[i] = fmt.Errorf("%s without any fault: %w\n%s", packages[i], err, out)
		}
	})
	return errors.Join(errs...)
}

func (w *world) tryAll(all []*mutant) (failed int) {
	var print sync.Mutex
	each(len(all), func(i int) {
		found, err := w.try(all[i])
		print.Lock()
		defer print.Unlock()
		if err != nil {
			failed++
			fmt.Printf("%-28s FAIL  %v\n%*s(%s)\n", all[i].name, err, 35, "", all[i].about)
			return
		}
		fmt.Printf("%-28s found by %s\n", all[i].name, found)
	})
	return failed
}

// each calls f for all numbers below n, in parallel, at most one per CPU at a time.
func each(n int, f func(i int)) {
	var group sync.WaitGroup
	free := make(chan struct{}, runtime.NumCPU())
	for i := range n {
		free <- struct{}{}
		group.Go(func() { f(i); <-free })
	}
	group.Wait()
}

// try returns the name of the test that detects the fault.
func (w *world) try(m *mutant) (found string, err error) {
	path := filepath.Join(w.root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if err := m.apply(string(source)); err != nil {
		return "", err
	}
	base := filepath.Join(w.dir, m.name)
	defer os.Remove(base)
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: base + ".go"}})
	if err == nil {
		err = errors.Join(os.WriteFile(base+".go", []byte(m.broken), 0o644), os.WriteFile(base+".json", replace, 0o644))
	}
	if err != nil {
		return "", err
	}
	if out, err := w.build(m.pkg, base, "-overlay="+base+".json"); err != nil {
		return "", fmt.Errorf("does not compile: %w\n%s", err, out)
	}
	out, err := w.test(m.pkg, base)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return finder(out), nil
	}
	if err == nil {
		err = fmt.Errorf("survives the tests of %s", m.pkg)
	}
	return "", err
}

func (w *world) build(pkg, binary string, flags ...string) ([]byte, error) {
	cmd := exec.Command("go", slices.Concat([]string{"test", "-c", "-tags", tags, "-o", binary}, flags, []string{pkg})...)
	cmd.Dir = w.root
	return cmd.CombinedOutput()
}

// test runs the tests of a package as an ordinary user, until the first one fails.
func (w *world) test(pkg, binary string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.failfast", "-test.timeout="+timeout.String())
	cmd.Dir = filepath.Join(w.root, pkg)
	cmd.Env = append(os.Environ(), "HOME=/nonexistent")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd.CombinedOutput()
}

var failure = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

// finder returns the name of the test that failed; for a table test, with the case.
func finder(out []byte) string {
	if all := failure.FindAllSubmatch(out, 2); len(all) > 0 {
		return string(all[len(all)-1][1])
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return strconv.Quote(string(line))
}
