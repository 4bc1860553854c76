// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// component is something that is linked.
type component struct {
	Name    string // a module's path, or the name of a C library
	Where   string // "skiff", "helper" or both
	Licence string // SPDX expression

	texts map[string][]byte // the files with its licence and notices, by name
}

// Dir is the directory of the licence, below the module's root.
func (c component) Dir() string { return path.Join("licenses", c.Name) }

// program is one in Go that is built for a release, with its build's settings. The embedded
// programs are in C.
type program struct {
	where, dir, tags, cgo string
}

var (
	programs = []program{{"skiff", ".", "urfave_cli_no_docs cparts", "0"}}
	archs    = []string{"amd64", "arm64", "riscv64"}

	// libraries are the ones in C that the helper is linked with, and Go itself.
	libraries = []component{
		{Name: "go", Where: "skiff", Licence: "BSD-3-Clause"},
		{Name: "libseccomp", Where: "helper", Licence: "LGPL-2.1-only"},
		{Name: "musl", Where: "helper", Licence: "MIT"},
	}

	// licenceFile matches the names of the files in a module's root to be passed on.
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([._-].*)?$`)
)

// linked returns everything that is linked, in the order of NOTICE.
func linked(top string) ([]component, error) {
	where := make(map[string][]string) // of a module's path and directory
	for _, p := range programs {
		for _, arch := range archs {
			lines, err := list(top, p, arch, "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}")
			if err != nil {
				return nil, err
			}
			for _, line := range lines {
				if !slices.Contains(where[line], p.where) {
					where[line] = append(where[line], p.where)
				}
			}
		}
	}
	all := slices.Clone(libraries)
	for i := range all {
		if all[i].Name == "go" {
			all[i].texts = goTexts(top)
		}
	}
	for line, in := range where {
		name, dir, _ := strings.Cut(line, " ")
		c, err := module(name, dir)
		if err != nil {
			return nil, err
		}
		c.Where = strings.Join(in, ", ")
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b component) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// list returns the lines that a template makes of the packages in a program.
func list(top string, p program, arch, format string) ([]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-tags", p.tags, "-f", format, p.dir)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED="+p.cgo)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s for %s: %w: %s", p.dir, arch, err, stderr.String())
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool { return line == "" }), nil
}

// module reads the licence of a module.
func module(name, dir string) (component, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return component{}, err
	}
	c := component{Name: name, texts: make(map[string][]byte)}
	for _, entry := range entries {
		if !licenceFile.MatchString(entry.Name()) || entry.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return component{}, err
		}
		c.texts[entry.Name()] = text
		if id := identify(string(text)); id != "" {
			c.Licence = id
		}
	}
	if c.Licence == "" {
		return component{}, fmt.Errorf("%s: no file in %s has a licence that identify knows", name, dir)
	}
	return c, nil
}

// identify returns the SPDX identifier of a licence's text, or "" if the text is none of
// the licences that a dependency may have without further thought.
func identify(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("apache license version 2.0, january 2004"):
		return "Apache-2.0"
	case has("permission is hereby granted, free of charge, to any person obtaining a copy") && has("shall be included in all copies"):
		return "MIT"
	case has("redistribution and use in source and binary forms") && has("all advertising materials"):
		return ""
	case has("redistribution and use in source and binary forms") && has("neither the name"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return ""
}

// strangers returns the files in licenses/ that belong to no component.
func strangers(top string, all []component) (names []string, err error) {
	err = filepath.WalkDir(filepath.Join(top, "licenses"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err = filepath.Rel(top, name)
		if !slices.ContainsFunc(all, func(c component) bool { return filepath.Dir(name) == c.Dir() }) {
			names = append(names, name)
		}
		return err
	})
	return names, err
}
