// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.."

// NOTICE and licenses/ have what is linked, and nothing else.
func TestNoticeIsComplete(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the go command to know what is linked: %v", err)
	}
	all, err := linked(top)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(all)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(top, "NOTICE")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("NOTICE does not list what is linked (%v)", err)
	}
	for _, c := range all {
		for _, fault := range compare(c) {
			t.Error(fault)
		}
	}
	others, err := strangers(top, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		t.Errorf("%s: nothing of that name is linked", name)
	}
	if t.Failed() {
		t.Log("run: go run ./contrib/notice")
	}
}

// compare finds differences between a component's licence and the files in licenses/. The
// texts of Go differ between its versions, so it is enough that they are there.
func compare(c component) (faults []string) {
	dir := filepath.Join(top, c.Dir())
	if c.Name == "go" || len(c.texts) == 0 {
		if found, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(found) == 0 {
			faults = append(faults, c.Dir()+": no licence")
		}
		return faults
	}
	for name, want := range c.texts {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			faults = append(faults, filepath.Join(c.Dir(), name)+": is not the module's")
		}
	}
	return faults
}

func TestIdentify(t *testing.T) {
	const bsd = "Redistribution and use in source and binary\nforms, with or without modification"
	for text, want := range map[string]string{
		"  Apache License\n   Version 2.0, January 2004\n":                                                                  "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person\nobtaining a copy ... shall be included in all copies": "MIT",
		bsd:                                    "BSD-2-Clause",
		bsd + "... Neither the name of Google": "BSD-3-Clause",
		bsd + "... All advertising materials mentioning ... Neither the name of": "",
		"GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991":                       "",
		"": "",
	} {
		if got := identify(text); got != want {
			t.Errorf("identify(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestModuleWithoutLicence(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("GNU GENERAL PUBLIC LICENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := module("example.org/m", dir); err == nil || !strings.Contains(err.Error(), "example.org/m: no file") {
		t.Errorf("a module with an unknown licence: %v", err)
	}
}

func TestForeign(t *testing.T) {
	const other = "// Copyright 1999 Somebody.\n//\n// Keep this.\n"
	for text, want := range map[string]string{
		"// Copyright 2009 The Go Authors.\n\npackage p\n": "",
		"// Copyright 2009 The Go Authors.\n\n" + other:    "Copyright 1999 Somebody.\n\nKeep this.\n",
		other + "\n// F does.\nfunc F() {}\n":              "Copyright 1999 Somebody.\n\nKeep this.\n",
		"// The copyright of nobody.\n":                    "",
	} {
		if got := foreign(text); got != want {
			t.Errorf("foreign(%q) = %q, want %q", text, got, want)
		}
	}
}
