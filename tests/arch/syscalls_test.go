// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// System calls are wrapped in package sys, whose errors say which call failed on which
// object. The functions in unwrapped may be called elsewhere: they take a descriptor, or
// nothing, and their callers know what the descriptor refers to.
var unwrapped = strings.Fields(`
	Close Read Pread Write Seek Fstat Fstatfs FcntlInt SetNonblock Poll Ppoll
	IoctlGetInt IoctlGetTermios IoctlSetTermios IoctlGetWinsize IoctlSetWinsize IoctlRetInt
	Recvfrom Recvmsg Sendto Sendmsg SendmsgN GetsockoptUcred SetsockoptInt SetsockoptTimeval
	Pipe2 Getpgrp Getpid CloseOnExec`)

// computing has functions of package unix that make no system call.
var computing = strings.Fields(`
	BytePtrFromString ByteSliceFromString ByteSliceToString BytePtrToString
	CmsgLen CmsgSpace ParseSocketControlMessage ParseUnixRights UnixRights
	ErrnoName SignalName SignalNum Major Minor Mkdev NsecToTimespec NsecToTimeval`)

// direct has the packages that make other system calls themselves, with the reason why
// these calls are not in sys.
var direct = []struct {
	dir, calls, why string
}{
	{"libcontainer/sys", "*", "this is the place"},
	{"commands", "PthreadSigmask RawSyscall6 Wait4 Waitid",
		"signals are caught without Go's handler, and the foreground reaps what is the container's: both are about this process"},
	{"libcontainer", "Stat InotifyAddWatch InotifyInit1", "who owns a path of the caller's; and the one watch, of files of a cgroup (events)"},
	{"libcontainer/launch", "syscall.StartProcess", "the one clone of the child"},
	{"libcontainer/store", "Mkdir Rmdir Lstat Open Flock Socket Bind Connect Listen",
		"the state directory is its own; errors of the names in it are told apart here (taken, gone, somebody else's)"},
	{"libcontainer/cgroup", "Mkdir Rmdir Access Lstat Chmod Fchownat Statfs Statx Eventfd Syscall",
		"cgroupfs has meanings of its own for the errors of these; Syscall is bpf(2), for which x/sys has no function"},
	{"libcontainer/rdt", "Mkdir Rmdir Open", "resctrl, too, has meanings of its own: ENOSPC is that there are no more classes"},
	{"libcontainer/seccomp", "Open Syscall syscall.StartProcess",
		"the cache is looked into on each start, by one open; seccomp(2), to ask for flags, has no function in x/sys; the helper is started from a memfd"},
	{"libcontainer/seccomp/golang", "MemfdCreate", "it is linked into tests, not into the runtime, and has no use for the rest of sys"},
	{"libcontainer/notify", "Socket Bind Connect Chmod Open Openat Unlinkat", "the socket and its directory are made, and checked, here only"},
	{"libcontainer/netdev", "Socket", "rtnetlink, spoken here only"},
	{"libcontainer/netns", "Syscall6", "futex(2), for which x/sys has no function: a wait for the one thread that is not Go's"},
	{"libcontainer/hooks", "Faccessat Kill Open", "a hook that does not exist, cannot be executed, or takes too long has an error of its own"},
	{"libcontainer/criu", "Mount MoveMount Chmod Mknod Unshare", "the mount namespace that CRIU is started in: nothing else in the runtime mounts"},
	{"libcontainer/lsm", "Statfs", "whether SELinux is there is the type of one file system"},
	{"libcontainer/rootfs", "Statfs", "which flags the mount of a source has, for a message about those that are locked"},
	{"libcontainer/cred", "Capget", "the caller's own capabilities, asked once"},
	{"specconv", "Open", "config.json, read without the poller that os.Open would start"},
	{"contrib/seccompagent", "Syscall", "it stands alone, as an example: ioctls of seccomp_unotify(2)"},
	{"tests/isolate", "*", "it makes namespaces, and is no part of the product"},
	{"tests/bench", "*", "no part of the product"},
	{"tests/growth", "ClockGettime", "no part of the product"},
	{"tests/oci", "*", "no part of the product"},
	{"tests/script", "*", "no part of the product"},
}

// calls returns the functions of unix and syscall that a package uses, each with the
// place where it is used first.
func (t *tree) calls(p *pkg, functions map[string]bool) map[string]string {
	all := make(map[string]string)
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := selector.Sel.Name
			if from.Name == "syscall" {
				name = "syscall." + name
			}
			if (from.Name == "unix" || from.Name == "syscall") && functions[name] && all[name] == "" {
				all[name] = t.at(selector)
			}
			return true
		})
	}
	return all
}

// callsOutside finds system calls that are made without sys, and entries of direct that
// are not needed.
func callsOutside(t *tree, functions map[string]bool) (faults []string) {
	for _, p := range t.sorted() {
		listed := listedFor(p.dir)
		if slices.Contains(listed, "*") {
			continue
		}
		used := t.calls(p, functions)
		for _, name := range slices.Sorted(maps.Keys(used)) {
			if !slices.Contains(listed, name) && !slices.Contains(unwrapped, name) && !slices.Contains(computing, name) {
				faults = append(faults, fmt.Sprintf("%s: %s calls %s: wrap it in sys, or list it with a reason in tests/arch", used[name], p.dir, name))
			}
		}
		for _, name := range listed {
			if used[name] == "" {
				faults = append(faults, fmt.Sprintf("%s does not call %s: take it off the list in tests/arch", p.dir, name))
			}
		}
	}
	return faults
}

func listedFor(dir string) []string {
	for _, entry := range direct {
		if dir == entry.dir || strings.HasPrefix(entry.dir, "tests/") && within(dir, entry.dir) {
			return strings.Fields(entry.calls)
		}
	}
	return nil
}

// functions reads the names of the exported functions of packages unix and syscall,
// without methods, from their source. So a conversion to one of their types is not taken
// for a call.
func functions(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for prefix, name := range map[string]string{"": "golang.org/x/sys/unix", "syscall.": "syscall"} {
		out, err := exec.Command("go", "list", "-f", "{{.Dir}}", name).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", name, err)
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no source (%v)", name, err)
		}
		for _, file := range files {
			if forLinux(path.Base(file)) {
				addFunctions(t, all, prefix, file)
			}
		}
	}
	return all
}

func forLinux(file string) bool {
	for _, word := range []string{"_test", "darwin", "bsd", "solaris", "aix", "zos", "windows", "plan9", "dragonfly", "js", "wasip1"} {
		if strings.Contains(file, word) {
			return false
		}
	}
	return true
}

func addFunctions(t *testing.T, all map[string]bool, prefix, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
			all[prefix+f.Name.Name] = true
		}
	}
}

func TestSystemCallsAreInSys(t *testing.T) {
	all := ours(t)
	expect(t, callsOutside(all, functions(t)))
	for _, entry := range direct {
		if entry.why == "" {
			t.Errorf("%s: no reason", entry.dir)
		}
		if !slices.ContainsFunc(all.sorted(), func(p *pkg) bool { return within(p.dir, entry.dir) }) {
			t.Errorf("there is no package %s: take it off the list", entry.dir)
		}
	}
}

func TestSystemCallRuleFinds(t *testing.T) {
	known := functions(t)
	one := func(dir, body string) *tree {
		return fake(t, map[string]string{dir + "/a.go": "package p\nfunc f() { " + body + " }\n"})
	}
	finds(t, callsOutside(one("libcontainer/undo", `unix.Rename("a", "b")`), known), "a.go:2: libcontainer/undo calls Rename")
	finds(t, callsOutside(one("libcontainer/undo", `syscall.Rename("a", "b")`), known), "calls syscall.Rename")
	finds(t, callsOutside(one("libcontainer/undo", `retry(unix.Unlink)`), known), "calls Unlink")
	finds(t, callsOutside(one("libcontainer/lsm", ``), known), "libcontainer/lsm does not call Statfs")
	finds(t, callsOutside(one("libcontainer/lsm", `unix.Statfs("/", nil); unix.Mkdir("a", 0)`), known), "calls Mkdir")
	finds(t, callsOutside(one("contrib/other", `unix.Mkdir("a", 0)`), known), "contrib/other calls Mkdir")
	accepts(t, callsOutside(one("libcontainer/undo", `unix.Close(3); _ = unix.Signal(9); _ = syscall.Errno(1); _ = unix.O_RDONLY; _ = unix.Major(1)`), known))
	accepts(t, callsOutside(one("libcontainer/sys", `unix.Rename("a", "b")`), known))
	accepts(t, callsOutside(one("tests/isolate", `unix.Mount("a", "b", "", 0, "")`), known))
}
