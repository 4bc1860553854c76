// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// row is one line of expected.txt: a program that fails, under which condition, and why.
type row struct {
	program string
	when    string // "always", "mostly" or something that the host lacks
	reason  string
}

// mostly is the condition of a program that fails because of a race. It may also pass.
const mostly = "mostly"

// list is the content of expected.txt.
type list []row

// readList reads "program | when | reason" lines; lines that begin with # are comments.
func readList(path string) (list, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var l list
	for i, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, "|", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("%s:%d: want program | when | reason", path, i+1)
		}
		r := row{strings.TrimSpace(f[0]), strings.TrimSpace(f[1]), strings.TrimSpace(f[2])}
		if _, known := new(host).lacks(r.when); !known || r.reason == "" {
			return nil, fmt.Errorf("%s:%d: %q: no such condition, or no reason", path, i+1, r.when)
		}
		if r.reason == "the same" && len(l) > 0 {
			r.reason = l[len(l)-1].reason
		}
		l = append(l, r)
	}
	return l, nil
}

// check returns an error if a row names a program that the suite does not have.
func (l list) check(programs []string) error {
	for _, r := range l {
		if !slices.Contains(programs, r.program) {
			return fmt.Errorf("the list names %q, which is no program of the suite", r.program)
		}
	}
	return nil
}

// inForce returns the rows whose condition holds on this host, by program.
func (l list) inForce(h *host) map[string]row {
	m := make(map[string]row)
	for _, r := range l {
		if yes, _ := h.lacks(r.when); yes {
			m[r.program] = r
		}
	}
	return m
}

// lacks reports whether the condition of a row holds on this host, and whether such a
// condition exists at all.
func (h *host) lacks(when string) (holds, known bool) {
	switch when {
	case "always", mostly:
		return true, true
	case "cgroup v2":
		return h.view == "v2", true
	case "no CAP_SYS_RESOURCE":
		return h.caps&(1<<unix.CAP_SYS_RESOURCE) == 0, true
	case "no SELinux":
		return !exists("/sys/fs/selinux/enforce"), true
	}
	if name, ok := strings.CutPrefix(when, "no AppArmor profile "); ok {
		profiles, _ := os.ReadFile("/sys/kernel/security/apparmor/profiles")
		return !strings.Contains("\n"+string(profiles), "\n"+name+" ("), true
	}
	if name, ok := strings.CutPrefix(when, "no controller "); ok {
		return !h.hasController(name), true
	}
	return false, false
}
