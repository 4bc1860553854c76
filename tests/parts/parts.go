// SPDX-License-Identifier: Apache-2.0

// Package parts tells tests whether the embedded programs, which make builds, are those of
// the sources in this tree. If one is older, tests of it would fail for reasons that are
// hard to guess.
package parts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Part is an embedded program: the file that is embedded, and its sources, as patterns in
// the order in which its build.sh takes them. The file with the suffix .sum has the
// SHA-256 of both.
type Part struct {
	dir, file string
	sources   []string
}

// The embedded programs.
var (
	Child  = Part{"libcontainer/child", "child.bin", []string{"build.sh", "src/*.[ch]"}}
	Helper = Part{"libcontainer/seccomp", "helper.bin", []string{"build.sh", "bpf/*.go", "compiler/*.go", "library/*.go", "helper/*.c"}}
)

// Check returns an error unless the part was built from the sources that are there now.
func (p Part) Check() error {
	root, err := module()
	if err != nil {
		return err
	}
	return p.check(filepath.Join(root, p.dir))
}

func (p Part) check(dir string) error {
	built, err := os.ReadFile(filepath.Join(dir, p.file))
	if err != nil {
		return p.old("it has not been built: %w", err)
	}
	sum := strings.TrimSuffix(p.file, ".bin") + ".sum"
	text, err := os.ReadFile(filepath.Join(dir, sum))
	if err != nil {
		return p.old("nothing says from which sources it was built: %w", err)
	}
	sources, err := p.text(dir)
	if err != nil {
		return err
	}
	switch have := strings.Fields(string(text)); {
	case len(have) != 2 || have[1] != hexSum(built):
		return p.old("%s is of another build", sum)
	case have[0] != hexSum(sources):
		return p.old("its sources have changed since it was built")
	}
	return nil
}

func (p Part) old(format string, args ...any) error {
	return fmt.Errorf("%s/%s: %w: run make", p.dir, p.file, fmt.Errorf(format, args...))
}

// text returns all sources, one after the other.
func (p Part) text(dir string) ([]byte, error) {
	var all bytes.Buffer
	for _, pattern := range p.sources {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range slices.Sorted(slices.Values(files)) {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			all.Write(b)
		}
	}
	return all.Bytes(), nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// module returns the root of the module of the working directory.
func module() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
