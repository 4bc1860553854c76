// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// readLicences reads the table of NOTICE: a name, an SPDX expression and where it is linked.
func readLicences(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, table, ok := strings.Cut(string(text), "\nNAME ")
	if !ok {
		return nil, fmt.Errorf("%s: there is no table that begins with NAME", file)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	licences := map[string]string{
		"skiff": "Apache-2.0", "skiff-child": "Apache-2.0", "skiff-seccomp-helper": "Apache-2.0",
		"libgcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
	}
	for _, line := range strings.Split(table, "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("%s: line %q: expected a name, a licence and a place", file, line)
		}
		licences[fields[0]] = fields[1]
	}
	licences["std"] = licences["go"]
	return licences, nil
}

// setLicence sets a component's licence. One that NOTICE lacks is an error.
func setLicence(c *cdx.Component, licences map[string]string) error {
	id := licences[c.Name]
	switch {
	case id == "":
		return fmt.Errorf("NOTICE has no licence of %s", c.Name)
	case strings.Contains(id, " "):
		c.Licenses = &cdx.Licenses{{Expression: id}}
	default:
		c.Licenses = &cdx.Licenses{{License: &cdx.License{ID: id}}}
	}
	return nil
}
