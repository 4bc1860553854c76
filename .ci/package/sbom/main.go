// SPDX-License-Identifier: Apache-2.0

// Sbom writes the bill of materials of a release's skiff in CycloneDX's format: the modules
// that its binary says that it is built from (read by cyclonedx-gomod), and what no Go
// binary knows of: the embedded programs and the C libraries. contrib/release calls it. Usage:
//
//	sbom -gomod FILE -version V -time SECONDS -notice NOTICE -lib NAME,VERSION,SHA256,URL ... SKIFF CHILD HELPER
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// settings are the command line.
type settings struct {
	gomod, version, notice string
	time                   int64
	libs                   []string
	skiff, child, helper   string
}

func main() {
	var s settings
	flag.StringVar(&s.gomod, "gomod", "", "the program cyclonedx-gomod")
	flag.StringVar(&s.version, "version", "", "version of skiff")
	flag.StringVar(&s.notice, "notice", "", "the file NOTICE, which has the licences")
	flag.Int64Var(&s.time, "time", 0, "time of the release, in seconds of Unix time")
	flag.Func("lib", "a C library: NAME,VERSION,SHA256,URL; the last two may be empty", func(lib string) error {
		if strings.Count(lib, ",") != 3 {
			return fmt.Errorf("expected NAME,VERSION,SHA256,URL")
		}
		s.libs = append(s.libs, lib)
		return nil
	})
	flag.Parse()
	if flag.NArg() != 3 {
		flag.Usage()
		os.Exit(2)
	}
	s.skiff, s.child, s.helper = flag.Arg(0), flag.Arg(1), flag.Arg(2)
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	bom, err := s.bom()
	if err != nil {
		return err
	}
	return cdx.NewBOMEncoder(os.Stdout, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

// bom puts together what is read of the Go program, and the rest.
func (s settings) bom() (*cdx.BOM, error) {
	licences, err := readLicences(s.notice)
	if err != nil {
		return nil, err
	}
	bom, err := s.read(s.skiff)
	if err != nil {
		return nil, err
	}
	skiff := bom.Metadata.Component
	skiff.Name = "skiff"
	child := embedded(skiff, "child", "the first process of each container, an interpreter in C, linked with nothing")
	helper := embedded(skiff, "seccomp-helper", "the compiler of seccomp filters, linked with libseccomp")
	for c, file := range map[*cdx.Component]string{skiff: s.skiff, child: s.child, helper: s.helper} {
		if err := setHash(c, file); err != nil {
			return nil, err
		}
	}
	components := append(*bom.Components, *child, *helper)
	var ofHelper []string
	for _, lib := range s.libs {
		c := library(strings.Split(lib, ","))
		components = append(components, c)
		ofHelper = append(ofHelper, c.BOMRef)
	}
	for i := range components {
		if err := setLicence(&components[i], licences); err != nil {
			return nil, err
		}
	}
	if err := setLicence(skiff, licences); err != nil {
		return nil, err
	}
	ofSkiff := append(refs(*bom.Components), child.BOMRef, helper.BOMRef)
	slices.SortFunc(components, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	bom.Components = &components
	bom.Dependencies = dependencies(components, map[string][]string{skiff.BOMRef: ofSkiff, helper.BOMRef: ofHelper}, skiff.BOMRef)
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte((*skiff.Hashes)[0].Value)).URN()
	bom.Metadata.Timestamp = time.Unix(s.time, 0).UTC().Format(time.RFC3339)
	bom.Metadata.Tools = tools(bom.Metadata.Tools)
	// Their hashes and names are of the folder of the build.
	bom.Properties = without(bom.Properties, "cdx:gomod:binary:")
	bom.Metadata.Properties = without(bom.Metadata.Properties, "cdx:gomod:binary:")
	return bom, nil
}

// read returns what cyclonedx-gomod says of a program.
func (s settings) read(program string) (*cdx.BOM, error) {
	cmd := exec.Command(s.gomod, "bin", "-json", "-std", "-noserial", "-notimestamp", "-version", "v"+s.version, program)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cyclonedx-gomod bin %s: %w", program, err)
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(out), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		return nil, fmt.Errorf("cyclonedx-gomod bin %s: %w", program, err)
	}
	if bom.Components == nil || bom.Metadata == nil || bom.Metadata.Component == nil {
		return nil, fmt.Errorf("cyclonedx-gomod bin %s: there are no components", program)
	}
	return bom, nil
}

// embedded returns a program that skiff contains.
func embedded(skiff *cdx.Component, name, what string) *cdx.Component {
	return &cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: skiff.BOMRef + "#" + name, Name: "skiff-" + name, Version: skiff.Version,
		Description: "embedded in skiff: " + what,
	}
}

func setHash(c *cdx.Component, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	return nil
}

// library returns a C library of the flag -lib.
func library(lib []string) cdx.Component {
	name, version, sum, url := lib[0], lib[1], lib[2], lib[3]
	purl := "pkg:generic/" + name + "@" + version
	c := cdx.Component{
		Type: cdx.ComponentTypeLibrary, BOMRef: purl, PackageURL: purl, Name: name, Version: version,
		Description: "linked statically into the embedded seccomp-helper",
	}
	if url != "" {
		c.ExternalReferences = &[]cdx.ExternalReference{{
			Type: cdx.ERTypeDistribution, URL: url, Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
		}}
	}
	return c
}

func refs(components []cdx.Component) (all []string) {
	for _, c := range components {
		all = append(all, c.BOMRef)
	}
	return all
}

// dependencies returns an entry for each component, which the format wants even of one
// that depends on nothing.
func dependencies(components []cdx.Component, of map[string][]string, first string) *[]cdx.Dependency {
	var all []cdx.Dependency
	for _, ref := range append([]string{first}, refs(components)...) {
		d := cdx.Dependency{Ref: ref}
		if on := of[ref]; on != nil {
			slices.Sort(on)
			d.Dependencies = &on
		}
		all = append(all, d)
	}
	return &all
}

// tools leaves out the hashes of the tool's program, which say nothing to others.
func tools(chosen *cdx.ToolsChoice) *cdx.ToolsChoice {
	if chosen != nil && chosen.Tools != nil {
		for i := range *chosen.Tools {
			(*chosen.Tools)[i].Hashes = nil
		}
	}
	return chosen
}

func without(properties *[]cdx.Property, prefix string) *[]cdx.Property {
	if properties == nil {
		return nil
	}
	left := slices.DeleteFunc(*properties, func(p cdx.Property) bool { return strings.HasPrefix(p.Name, prefix) })
	return &left
}
