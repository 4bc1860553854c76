// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked has packages that the program must not link, with those below them. Each start
// of skiff would initialize them, whether or not it uses them, and touch their memory,
// which costs page faults.
var unlinked = []struct{ name, why string }{
	{"github.com/godbus/dbus", "it imports net, os/user and crypto, and is slow to initialize; libcontainer/systemd/dbus speaks D-Bus"},
	{"net", "it brings a DNS resolver along; sockets are AF_UNIX ones, by package unix and os.File"},
	{"os/user", "libcontainer/owner.go reads the names of users"},
	{"crypto", "each of these packages links all of FIPS 140, with 32 MB of memory; where a collision does no harm a simple checksum is enough"},
	{"vendor/golang.org/x/crypto", "see crypto"},
	{"vendor/golang.org/x/net", "see net"},
	{"math/big", "nothing computes with such numbers; only cryptography does"},
	{"math/rand", "math/rand/v2 has less to initialize"},
	{"runtime/cgo", "a program with C in it takes half a millisecond longer to start"},
}

// parts of unlinked packages that are allowed.
var linkable = []struct{ name, why string }{
	{"net/url", "text/template imports it"},
	{"net/netip", "net/url imports it"},
	{"math/rand/v2", "it is the small one"},
}

// linksHeavy finds packages that must not be linked among the lines "package: imports" of
// all that is linked.
func linksHeavy(lines []string) (faults []string) {
	imports := make(map[string][]string)
	for _, line := range lines {
		name, list, _ := strings.Cut(line, ": ")
		imports[name] = strings.Fields(list)
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ": ")
		for _, u := range unlinked {
			if !within(name, u.name) || allowedPart(name) {
				continue
			}
			var by []string
			for importer, list := range imports {
				if slices.Contains(list, name) && !within(importer, u.name) {
					by = append(by, importer)
				}
			}
			if len(by) > 0 {
				slices.Sort(by)
				faults = append(faults, fmt.Sprintf("skiff links %s, imported by %s: %s", name, strings.Join(by, ", "), u.why))
			}
			break
		}
	}
	return faults
}

func allowedPart(name string) bool {
	for _, part := range linkable {
		if name == part.name {
			return true
		}
	}
	return false
}

// linkedInto returns what is linked into skiff, one line "package: imports" each.
func linkedInto(t *testing.T, arch string) []string {
	t.Helper()
	// -e: the embedded programs may be missing.
	cmd := exec.Command("go", "list", "-e", "-deps", "-tags", makeTags(t), "-f", `{{.ImportPath}}: {{join .Imports " "}}`, ".")
	cmd.Dir = top(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestNothingHeavyIsLinked(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		lines := linkedInto(t, arch)
		if len(lines) < 100 {
			t.Fatalf("%s: only %d packages are linked: %q", arch, len(lines), lines)
		}
		expect(t, linksHeavy(lines))
		for _, part := range linkable {
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, part.name+": ") }) {
				t.Errorf("%s is not linked: take it off the list in tests/arch", part.name)
			}
		}
	}
}

func TestHeavyRuleFinds(t *testing.T) {
	finds(t, linksHeavy([]string{"a: fmt net", "net: os", "net/netip: unique"}), "skiff links net, imported by a")
	finds(t, linksHeavy([]string{"a: fmt crypto/sha256", "crypto/sha256: crypto/internal/fips140", "crypto/internal/fips140: fmt"}), "crypto/sha256, imported by a")
	finds(t, linksHeavy([]string{"a: github.com/godbus/dbus/v5", "github.com/godbus/dbus/v5: fmt"}), "libcontainer/systemd/dbus speaks D-Bus")
	accepts(t, linksHeavy([]string{"a: math/rand/v2 netx os net/url", "net/url: net/netip", "netx: os", "math/rand/v2: math"}))
}
