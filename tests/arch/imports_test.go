// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// floors has the packages of the product, from the top down: a package imports only
// packages on lower floors. A package in a subdirectory of another one is part of that
// one, and is on its floor.
var floors = [][]string{
	{"."},
	{"commands"},
	{"specconv", "libcontainer"},
	{"libcontainer/launch", "libcontainer/store"},
	facilities,
	{"libcontainer/child"},
	{"libcontainer/program"},
	{"libcontainer/plan", "libcontainer/wire"},
	{"libcontainer/sys", "libcontainer/undo"},
	{"libcontainer/fault", "libcontainer/trace", "libcontainer/entry"},
}

// Each facility deals with one thing that the kernel or the host provides for a
// container.
var facilities = []string{
	"libcontainer/cgroup", "libcontainer/cred", "libcontainer/criu", "libcontainer/hooks", "libcontainer/idmap",
	"libcontainer/lsm", "libcontainer/netdev", "libcontainer/netns", "libcontainer/notify", "libcontainer/rdt", "libcontainer/rootfs",
	"libcontainer/seccomp", "libcontainer/systemd", "libcontainer/tune",
}

// aside has packages that are not part of the product: they may import any package, and
// the product imports none of them.
var aside = []string{"tests", "contrib"}

type arrow struct{ from, to string }

// sideways has the imports that are allowed within a floor, each with its reason.
var sideways = map[arrow]string{}

// skipping has packages that may not import all of the lower floors, each with the
// packages that it may not import.
var skipping = map[string][]string{
	"commands": append([]string{"libcontainer/launch", "libcontainer/store", "libcontainer/wire", "libcontainer/program"}, facilities...),
	// It is pure: it does not access the host.
	"specconv": append([]string{"libcontainer/launch", "libcontainer/store", "libcontainer/wire", "libcontainer/program", "libcontainer/sys", "libcontainer/undo"}, facilities...),
}

// reaching has imports that skipping forbids but that are allowed, each with its reason.
var reaching = map[arrow]string{
	{"commands", "libcontainer/criu"}:         "the options of checkpoint and restore are CRIU's own words, and libcontainer passes them on unread",
	{"specconv", "libcontainer/sys/proc"}:     "the kernel's own notations, such as lists of CPUs; proc knows no host",
	{"specconv", "libcontainer/seccomp/bpf"}:  "a filter in an annotation is checked like one in the cache; bpf knows no host",
	{"specconv", "libcontainer/systemd/dbus"}: "the notation of D-Bus's values, in which annotations give properties of a unit; dbus knows no host",
}

// libraries has the modules of others that the product uses, each with the packages that
// may import it.
var libraries = map[string]struct {
	by  []string
	why string
}{
	"github.com/checkpoint-restore/go-criu": {[]string{"libcontainer/criu"}, "the messages of CRIU"},
	"github.com/urfave/cli":                 {[]string{"commands"}, "flags and help"},
	"github.com/seccomp/libseccomp-golang":  {[]string{"libcontainer/seccomp/golang"}, "C, which must not be linked into the runtime: an oracle for tests"},
	"github.com/opencontainers/runtime-spec": {[]string{"commands", "specconv", "libcontainer"},
		"the types of config.json, state and features"},
	"golang.org/x/sys": {[]string{"."}, "constants, types and, where syscalls_test.go has it, system calls"},
}

// floorOf returns the number of a package's floor, and the package listed in floors that
// it is part of. The floor is -1 if it is on none.
func floorOf(dir string) (floor int, whole string) {
	floor = -1
	for i, names := range floors {
		for _, name := range names {
			if (within(dir, name) || name == "." && dir == ".") && len(name) > len(whole) {
				floor, whole = i, name
			}
		}
	}
	if whole == "libcontainer" && dir != whole || whole == "commands" && dir != whole {
		return -1, "" // these two have no parts: each package below them is listed by itself
	}
	return floor, whole
}

func isAside(dir string) bool {
	return slices.ContainsFunc(aside, func(name string) bool { return within(dir, name) })
}

// arrows returns the imports between packages of this module, except those by packages in
// aside, each with the place where it is found first.
func (t *tree) arrows() map[arrow]string {
	all := make(map[arrow]string)
	for _, p := range t.sorted() {
		for _, file := range p.files {
			for _, spec := range file.Imports {
				to, ok := dirOf(imported(spec))
				if a := (arrow{p.dir, to}); ok && !isAside(p.dir) && all[a] == "" {
					all[a] = t.at(spec)
				}
			}
		}
	}
	return all
}

func sortedArrows[V any](m map[arrow]V) []arrow {
	return slices.SortedFunc(maps.Keys(m), func(a, b arrow) int {
		return strings.Compare(a.from+" "+a.to, b.from+" "+b.to)
	})
}

// importsRun finds packages without a floor, and imports that do not go to a lower floor.
func importsRun(t *tree) (faults []string) {
	for _, p := range t.sorted() {
		if floor, _ := floorOf(p.dir); floor < 0 && !isAside(p.dir) {
			faults = append(faults, fmt.Sprintf("%s is on no floor: add it to floors in tests/arch", p.dir))
		}
	}
	all := t.arrows()
	for _, a := range sortedArrows(all) {
		from, whole := floorOf(a.from)
		to, other := floorOf(a.to)
		switch {
		case isAside(a.to):
			faults = append(faults, fmt.Sprintf("%s: %s imports %s, which is no part of the product", all[a], a.from, a.to))
		case from < 0 || to < 0 || whole == other || sideways[a] != "":
		case from > to:
			faults = append(faults, fmt.Sprintf("%s: %s imports %s, which is on a higher floor", all[a], a.from, a.to))
		case from == to:
			faults = append(faults, fmt.Sprintf("%s: %s imports %s, which is on the same floor", all[a], a.from, a.to))
		}
	}
	return faults
}

// importsReach finds imports that skipping forbids.
func importsReach(t *tree) (faults []string) {
	all := t.arrows()
	for _, a := range sortedArrows(all) {
		forbidden := slices.ContainsFunc(skipping[a.from], func(name string) bool { return within(a.to, name) })
		if forbidden && reaching[a] == "" {
			faults = append(faults, fmt.Sprintf("%s: %s imports %s: it is to ask what is between them", all[a], a.from, a.to))
		}
	}
	return faults
}

// librariesStay finds imports of other modules that libraries does not allow.
func librariesStay(t *tree) (faults []string) {
	for _, p := range t.sorted() {
		for _, file := range p.files {
			for _, spec := range file.Imports {
				name := imported(spec)
				_, ours := dirOf(name)
				first, _, _ := strings.Cut(name, "/")
				if ours || isAside(p.dir) || name != "C" && !strings.Contains(first, ".") {
					continue
				}
				if !allowed(p.dir, name) {
					faults = append(faults, fmt.Sprintf("%s: %s may not import %s: see libraries in tests/arch", t.at(spec), p.dir, name))
				}
			}
		}
	}
	return faults
}

func allowed(dir, name string) bool {
	for library, users := range libraries {
		if within(name, library) {
			return slices.ContainsFunc(users.by, func(user string) bool { return user == "." || within(dir, user) })
		}
	}
	return false
}

// unused finds exceptions that nothing needs any more.
func unused(t *tree, exceptions map[arrow]string) (faults []string) {
	all := t.arrows()
	for _, a := range sortedArrows(exceptions) {
		if all[a] == "" {
			faults = append(faults, fmt.Sprintf("%s does not import %s: take it off the list in tests/arch", a.from, a.to))
		}
	}
	return faults
}

// missing finds packages that are in floors but do not exist.
func missing(t *tree) (faults []string) {
	for _, names := range floors {
		for _, name := range names {
			if t.packages[name] == nil {
				faults = append(faults, fmt.Sprintf("there is no package %s: take it off floors in tests/arch", name))
			}
		}
	}
	return faults
}

func TestImportsRunDownwards(t *testing.T) {
	all := ours(t)
	expect(t, importsRun(all))
	expect(t, missing(all))
	expect(t, unused(all, sideways))
}

func TestImportsReachNoFurther(t *testing.T) {
	all := ours(t)
	expect(t, importsReach(all))
	expect(t, unused(all, reaching))
}

func TestLibrariesStayInTheirPlace(t *testing.T) { expect(t, librariesStay(ours(t))) }

// source returns the source of a package with these imports.
func source(imports ...string) string {
	text := "package p\n"
	for _, name := range imports {
		text += fmt.Sprintf("import _ %q\n", name)
	}
	return text
}

func TestImportRulesFind(t *testing.T) {
	one := func(file string, imports ...string) *tree {
		return fake(t, map[string]string{file: source(imports...)})
	}
	finds(t, importsRun(one("libcontainer/a.go", module+"/specconv")), "libcontainer imports specconv, which is on the same floor")
	finds(t, importsRun(one("libcontainer/cgroup/a.go", module+"/libcontainer/rootfs")), "cgroup imports libcontainer/rootfs, which is on the same floor")
	finds(t, importsRun(one("libcontainer/cgroup/stats/a.go", module+"/libcontainer/rootfs")), "same floor")
	finds(t, importsRun(one("libcontainer/sys/a.go", module+"/libcontainer")), "sys imports libcontainer, which is on a higher floor")
	finds(t, importsRun(one("libcontainer/cred/a.go", module+"/libcontainer/launch")), "higher floor")
	finds(t, importsRun(one("libcontainer/cred/a.go", module)), "higher floor")
	finds(t, importsRun(one("libcontainer/launch/a.go", module+"/tests/isolate")), "no part of the product")
	finds(t, importsRun(one("libcontainer/nowhere/a.go")), "libcontainer/nowhere is on no floor")
	finds(t, importsRun(one("commands/more/a.go")), "commands/more is on no floor")
	finds(t, importsReach(one("commands/a.go", module+"/libcontainer/rootfs")), "commands imports libcontainer/rootfs")
	finds(t, importsReach(one("commands/a.go", module+"/libcontainer/cgroup/stats")), "commands imports")
	finds(t, importsReach(one("specconv/a.go", module+"/libcontainer/sys")), "specconv imports libcontainer/sys")
	finds(t, librariesStay(one("libcontainer/a.go", "github.com/urfave/cli/v2")), "libcontainer may not import github.com/urfave/cli/v2")
	finds(t, librariesStay(one("libcontainer/sys/a.go", "C")), "may not import C")
	finds(t, librariesStay(one("commands/a.go", "example.org/new")), "may not import example.org/new")

	accepts(t, importsRun(one("libcontainer/cgroup/stats/a.go", module+"/libcontainer/cgroup", module+"/libcontainer/sys")))
	accepts(t, importsRun(one("libcontainer/launch/a.go", module+"/libcontainer/cgroup", module+"/libcontainer/program")))
	accepts(t, importsRun(one("tests/a/a.go", module+"/libcontainer/lsm")))
	accepts(t, importsReach(one("commands/a.go", module+"/libcontainer", module+"/specconv", module+"/libcontainer/sys")))
	accepts(t, librariesStay(one("commands/a.go", "github.com/urfave/cli/v2", "fmt", module+"/specconv")))
	accepts(t, importsRun(fake(t, map[string]string{"libcontainer/cred/a_test.go": source(module + "/libcontainer/rootfs")})))
}

func TestStaleListsAreFound(t *testing.T) {
	all := fake(t, map[string]string{"commands/a.go": source(module + "/libcontainer/criu")})
	kept := arrow{"commands", "libcontainer/criu"}
	stale := arrow{"commands", "libcontainer/lsm"}
	accepts(t, unused(all, map[arrow]string{kept: "why"}))
	finds(t, unused(all, map[arrow]string{kept: "why", stale: "why"}), "commands does not import libcontainer/lsm")
	if got := missing(all); len(got) < 10 || !strings.Contains(strings.Join(got, "\n"), "there is no package libcontainer/sys") {
		t.Errorf("packages that are missing: %q", got)
	}
}
