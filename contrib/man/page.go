// SPDX-License-Identifier: Apache-2.0

package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/commands"
)

//go:embed pages
var pages embed.FS

// manual has what the pages are made from.
type manual struct {
	version string
	global  []commands.Flag
	verbs   []commands.Verb
}

// build returns the text of each page by its file name. It fails if a command has no
// page.
func build(version string) (map[string]string, error) {
	m := &manual{version: version}
	m.global, m.verbs = commands.Describe()
	sources, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, err
	}
	return m.pages(sources)
}

func (m *manual) pages(sources fs.FS) (map[string]string, error) {
	names, err := fs.Glob(sources, "*")
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	var failed []error
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err == nil {
			all[name], err = m.page(name, string(text))
		}
		if err = errors.Join(err, lost(string(text), names)); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	for _, v := range m.verbs {
		if name := pageOf(v.Name); all[name] == "" {
			failed = append(failed, fmt.Errorf("%s: the command %s has no page", name, v.Name))
		}
	}
	return all, errors.Join(failed...)
}

var reference = regexp.MustCompile(`(?m)^\.Xr (skiff[a-z-]*) ([0-9])`)

// lost reports the references to pages of skiff that are not among names.
func lost(source string, names []string) error {
	var failed []error
	for _, match := range reference.FindAllStringSubmatch(source, -1) {
		if name := match[1] + "." + match[2]; !slices.Contains(names, name) {
			failed = append(failed, fmt.Errorf("there is no page %s", name))
		}
	}
	return errors.Join(failed...)
}

func pageOf(verb string) string { return "skiff-" + verb + ".8" }

// page makes the page of a file from its source.
func (m *manual) page(name, source string) (string, error) {
	title, section, _ := strings.Cut(name, ".")
	verb := m.verb(strings.TrimPrefix(title, "skiff-"))
	if section == "8" && verb == nil && title != "skiff" {
		return "", errors.New("there is no such command")
	}
	if section == "8" && !strings.Contains(source, "\n{{options}}\n") {
		return "", errors.New("it does not list the options: the line {{options}} is missing")
	}
	if err := errors.Join(m.unknownFlags(source, verb), m.check(calls(source))); err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"{{head}}\n", m.head(title, section, verb),
		"{{options}}\n", m.options(verb),
		"{{commands}}\n", m.commands(),
	).Replace(escapeSource(source)), nil
}

func (m *manual) verb(name string) *commands.Verb {
	i := slices.IndexFunc(m.verbs, func(v commands.Verb) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &m.verbs[i]
}

var flagMacro = regexp.MustCompile(`(?:Ic skiff ([a-z]+) )?\bFl -([a-z0-9-]+)`)

// unknownFlags reports the long options in the text of a page that neither its command
// nor skiff itself has, nor the command that the text names: Ic skiff COMMAND Fl -OPTION.
// A page of no command may name those of all.
func (m *manual) unknownFlags(source string, verb *commands.Verb) error {
	var failed []error
	for _, match := range flagMacro.FindAllStringSubmatch(source, -1) {
		known := slices.Clone(m.global)
		for i, v := range m.verbs {
			if verb == nil || verb == &m.verbs[i] || v.Name == match[1] {
				known = append(known, v.Flags...)
			}
		}
		if find(known, match[2]) == nil {
			failed = append(failed, fmt.Errorf("there is no option --%s", match[2]))
		}
	}
	return errors.Join(failed...)
}

func find(flags []commands.Flag, name string) *commands.Flag {
	i := slices.IndexFunc(flags, func(f commands.Flag) bool { return slices.Contains(f.Names, name) })
	if i < 0 {
		return nil
	}
	return &flags[i]
}
