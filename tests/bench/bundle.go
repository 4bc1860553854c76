// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	bundles = "/tmp/bundles"
	rootfs  = "/tmp/rootfs"
)

// bundle is the name of a bundle. All of them have the same root file system.
type bundle string

const (
	plain    bundle = "plain"    // /bin/true, as `skiff spec` configures it
	sleeping bundle = "sleeping" // the same, with a process that sleeps
)

func (b bundle) dir() string { return filepath.Join(bundles, string(b)) }

// write writes the bundle's config.json.
func (b bundle) write(s *specs.Spec) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir(), "config.json"), text, 0o644)
}

// makeBundles makes the root file system and the bundles that most rows use.
func makeBundles() error {
	for _, d := range []string{"bin", "dev", "proc", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(rootfs, d), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"true", "sleep"} {
		if err := copyFile("/bin/busybox", filepath.Join(rootfs, "bin", name)); err != nil {
			return err
		}
	}
	for b, args := range map[bundle][]string{plain: {"/bin/true"}, sleeping: {"/bin/sleep", "1000"}} {
		s, err := example(args...)
		if err != nil {
			return err
		}
		if err := b.write(s); err != nil {
			return err
		}
	}
	return nil
}

// example returns the configuration that `skiff spec` writes, in the oldest version of the
// specification, which all contenders accept.
func example(args ...string) (*specs.Spec, error) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("/bench/skiff", "spec", "--bundle", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("spec: %w: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, err
	}
	s.Version, s.Process.Args, s.Process.Terminal, s.Root.Path = "1.0.0", args, false, rootfs
	return s, nil
}

// makeBundle writes a bundle whose configuration is that of plain, changed by f.
func makeBundle(b bundle, f func(s *specs.Spec)) error {
	s, err := example("/bin/true")
	if err != nil {
		return err
	}
	f(s)
	return b.write(s)
}
