// SPDX-License-Identifier: Apache-2.0

// Package contrib has the samples of engines' configuration that the tests of the engines
// use.
package contrib

import (
	"embed"
	"strings"
)

//go:embed engines
var engines embed.FS

// Engine returns a sample in the folder engines, for a runtime that has another name and
// another program than skiff.
func Engine(file, name, program string) (string, error) {
	text, err := engines.ReadFile("engines/" + file)
	return strings.NewReplacer("/usr/local/sbin/skiff", program, "/usr/bin/skiff", program,
		"runtimes.skiff", "runtimes."+name, "\nskiff =", "\n"+name+" =", `"skiff"`, `"`+name+`"`).Replace(string(text)), err
}
