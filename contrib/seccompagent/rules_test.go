// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestRules(t *testing.T) {
	rules, err := parseRules("mkdirat=ENOMEDIUM,openat=fake,3=continue")
	if err != nil {
		t.Fatal(err)
	}
	for nr, want := range map[int32]string{unix.SYS_MKDIRAT: "ENOMEDIUM", unix.SYS_OPENAT: "fake", 3: "continue", 4: "continue"} {
		if got := rules[nr].String(); got != want {
			t.Errorf("%s: %s, expected %s", callName(nr), got, want)
		}
	}
	for _, text := range []string{"mkdirat", "nosuch=fake", "mkdirat=nosuch", "-1=fake", ","} {
		if rules, err := parseRules(text); err == nil {
			t.Errorf("%q: %v", text, rules)
		}
	}
	// A profile names both, and an architecture may lack the first.
	if rules, err := parseRules("mkdir=fake,mkdirat=ENOMEDIUM"); err != nil || rules[unix.SYS_MKDIRAT].String() != "ENOMEDIUM" {
		t.Errorf("both calls: %v, %v", rules, err)
	}
	if rules, err := parseRules(""); err != nil || len(rules) != 0 {
		t.Errorf("nothing: %v, %v", rules, err)
	}
}
