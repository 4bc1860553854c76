// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goTexts returns the licence of Go, which the programs contain parts of, and the notices
// of other authors in those parts. It returns nil if this is a distribution's Go, which
// may have its licence elsewhere; then licenses/go stays as it is.
func goTexts(top string) map[string][]byte {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil
	}
	texts := make(map[string][]byte)
	for _, name := range []string{"LICENSE", "PATENTS"} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), name))
		if err != nil {
			return nil
		}
		texts[name] = text
	}
	notices, err := goNotices(top)
	if err != nil {
		return nil
	}
	texts["NOTICES"] = notices
	return texts
}

// goNotices returns the comments with another copyright than Go's in the files of the
// standard library that are built for any program and architecture.
func goNotices(top string) ([]byte, error) {
	const files = `{{if .Standard}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .CgoFiles}}{{$d}}/{{.}}
{{end}}{{range .SFiles}}{{$d}}/{{.}}
{{end}}{{end}}`
	var names []string
	for _, p := range programs {
		for _, arch := range archs {
			lines, err := list(top, p, arch, files)
			if err != nil {
				return nil, err
			}
			names = append(names, lines...)
		}
	}
	slices.Sort(names)
	var out bytes.Buffer
	seen := make(map[string]bool)
	for _, name := range slices.Compact(names) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if notice := foreign(string(text)); notice != "" && !seen[notice] {
			seen[notice] = true
			fmt.Fprintf(&out, "%s:\n\n%s\n", name[strings.Index(name, "/src/")+1:], notice)
		}
	}
	return out.Bytes(), nil
}

// foreign returns those blocks of comment lines of a file in which a line claims a
// copyright of somebody else than the Go Authors.
func foreign(text string) string {
	var found, block strings.Builder
	other := false
	for line := range strings.Lines(text + "\n") {
		if comment, ok := strings.CutPrefix(line, "//"); ok {
			comment = strings.TrimPrefix(comment, " ")
			block.WriteString(comment)
			claim := strings.Contains(comment, "Copyright ") && strings.ContainsAny(comment, "0123456789")
			other = other || claim && !strings.Contains(comment, "The Go Authors")
			continue
		}
		if other {
			found.WriteString(block.String())
		}
		block.Reset()
		other = false
	}
	return found.String()
}
