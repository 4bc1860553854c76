// SPDX-License-Identifier: Apache-2.0

// Notice writes NOTICE and the files in licenses/: what is linked into skiff and into the
// seccomp compiler that is embedded in it, on each architecture of a release, and under
// which licence. Run it in the root directory of the module after a dependency has changed:
//
//	go run ./contrib/notice
//
// The test of this package fails if they do not agree with what is linked.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed notice.tmpl
var page string

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(top string) error {
	all, err := linked(top)
	if err != nil {
		return err
	}
	for _, c := range all {
		if len(c.texts) == 0 {
			continue // a C library: its texts are put there by hand, with its version in contrib/csource
		}
		dir := filepath.Join(top, c.Dir())
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		for name, text := range c.texts {
			if err := write(filepath.Join(dir, name), text); err != nil {
				return err
			}
		}
	}
	text, err := render(all)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(top, "NOTICE"), text); err != nil {
		return err
	}
	return removeOthers(top, all)
}

// render returns the text of NOTICE.
func render(all []component) ([]byte, error) {
	t, err := template.New("NOTICE").Funcs(template.FuncMap{"pad": pad}).Parse(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, all)
	return out.Bytes(), err
}

func pad(width int, s string) string { return s + strings.Repeat(" ", max(0, width-len(s))) }

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// removeOthers removes the licences of what is no longer linked.
func removeOthers(top string, all []component) error {
	others, err := strangers(top, all)
	for _, name := range others {
		if err := os.Remove(filepath.Join(top, name)); err != nil {
			return err
		}
	}
	return err
}
