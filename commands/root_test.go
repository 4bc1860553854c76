// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/fault"
)

func TestOtherRoot(t *testing.T) {
	for _, c := range []struct {
		err  error
		hint bool
	}{
		{nil, false},
		{fmt.Errorf("%w: web", libcontainer.ErrNotExist), true},
		{fmt.Errorf("--root: %w", fs.ErrPermission), true},
		{libcontainer.ErrDamaged, false},
	} {
		err := otherRoot(c.err)
		if !errors.Is(err, c.err) || c.err != nil && (fault.Of(err).Hint != "") != c.hint {
			t.Errorf("%v: got %v, hint expected: %t", c.err, err, c.hint)
		}
	}
}

func TestMissingBundle(t *testing.T) {
	dir := t.TempDir()
	noFile := fmt.Errorf("config.json: %w", fs.ErrNotExist)
	if err := missingBundle(dir, noFile); err != noFile {
		t.Errorf("a bundle without config.json: %v", err)
	}
	if err := missingBundle(filepath.Join(dir, "no"), nil); err != nil {
		t.Errorf("no error: %v", err)
	}
	err := missingBundle(filepath.Join(dir, "no"), noFile)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "bundle directory is missing") {
		t.Errorf("no bundle: %v", err)
	}
	if d := fault.Of(err); d.Code != fault.NotFound || d.Path != filepath.Join(dir, "no") {
		t.Errorf("no bundle: %+v", d)
	}
}

func TestPSMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := processTable(nil)
	if d := fault.Of(err); err == nil || d.Code != fault.NotFound || !strings.Contains(d.Hint, "procps") {
		t.Errorf("%v, %+v", err, d)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("PATH"), "ps"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = processTable([]string{"-x"})
	if err == nil || !strings.HasPrefix(err.Error(), "ps -x: exit status 3") {
		t.Errorf("a ps that fails: %v", err)
	}
}
