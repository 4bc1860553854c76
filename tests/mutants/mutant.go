// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// mutant is one fault that the tests of a package must detect.
type mutant struct {
	name, about    string
	file           string // the file with the fault, relative to the root of the module
	pkg            string // the package whose tests must detect it: "./libcontainer/cred"
	old, new       string // whole lines
	source, broken string // the file without the fault, and with it
}

// load reads the list, except for names that match none of the patterns (path.Match).
// Without patterns, it reads all of it.
func load(dir string, patterns []string) (all []*mutant, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		if !chosen(name, patterns) {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		m, err := parse(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no mutant of these names: %q", dir, patterns)
	}
	return all, nil
}

func chosen(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return len(patterns) == 0
}

// parse parses a file of the list; its format is in doc.go.
func parse(name, text string) (*mutant, error) {
	head, change, ok := strings.Cut(text, "-- old --\n")
	if !ok {
		return nil, errors.New(`there is no line "-- old --"`)
	}
	m := &mutant{name: name}
	if m.old, m.new, ok = strings.Cut("\n"+change, "\n-- new --\n"); !ok {
		return nil, errors.New(`there is no line "-- new --"`)
	}
	m.old = strings.TrimPrefix(m.old+"\n", "\n")
	var about []string
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		if value, ok := strings.CutPrefix(line, "file: "); ok {
			m.file = value
		} else if value, ok := strings.CutPrefix(line, "test: "); ok {
			m.pkg = value
		} else if line != "" {
			about = append(about, line)
		}
	}
	m.about = strings.Join(about, " ")
	if m.pkg == "" {
		m.pkg = "./" + path.Dir(m.file)
	}
	switch {
	case m.file == "":
		return nil, errors.New(`there is no line "file: PATH"`)
	case m.about == "":
		return nil, errors.New("nothing says what it stands for")
	case strings.TrimSpace(m.old) == "":
		return nil, errors.New("the old text is empty")
	case m.old == m.new:
		return nil, errors.New("the new text is the old one")
	}
	return m, nil
}

// apply sets m.source and m.broken. It fails unless the source has the old text exactly
// once.
func (m *mutant) apply(source string) error {
	before, after, ok := strings.Cut("\n"+source, "\n"+m.old)
	if !ok {
		return fmt.Errorf("%s has not got the old text", m.file)
	}
	if strings.Contains("\n"+after, "\n"+m.old) {
		return fmt.Errorf("%s has the old text more than once", m.file)
	}
	m.source = source
	m.broken = strings.TrimPrefix(before+"\n"+m.new+after, "\n")
	return nil
}
