// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// installer copies what make install needs to a directory, and returns a function that
// runs make in it. The binary is an empty file; manual pages and completions are made as
// always.
func installer(t *testing.T) func(args ...string) (out string, err error) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make: ", err)
	}
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "VERSION", "LICENSE"} {
		copyFile(t, filepath.Join(top(t), name), filepath.Join(dir, name))
	}
	for _, name := range []string{"main.go", "go.mod", "go.sum", "contrib/ldflags", "contrib/goexperiment", "commands/a.go", "specconv/a.go", "libcontainer/child/src/a.c"} {
		write(t, filepath.Join(dir, name), "")
	}
	write(t, filepath.Join(dir, "libcontainer/child/build.sh"), "#!/bin/sh\necho >"+filepath.Join(dir, parts[0])+"\n")
	write(t, filepath.Join(dir, "libcontainer/seccomp/build.sh"), "#!/bin/sh\ncd "+dir+"\necho | tee "+strings.Join(parts[1:], " ")+"\n")
	for _, page := range manPages(t) {
		write(t, filepath.Join(dir, "contrib/man/pages", page), "")
	}
	write(t, filepath.Join(dir, "go"), `#!/bin/sh
case $1 in
build) while [ "$1" != -o ]; do shift; done; : >"$2" ;;
run)
	for to; do :; done
	here=$PWD
	cd "`+top(t)+`" && tag="urfave_cli_no_docs"
	case "$*" in
	*contrib/man*) go run -tags "$tag" ./contrib/man 1.2.3 "$here/$to" ;;
	*) go run -tags "$tag" ./contrib/completion "$here/$to" ;;
	esac ;;
esac
`)
	return func(args ...string) (string, error) {
		cmd := exec.Command("make", append([]string{"GO=" + filepath.Join(dir, "go")}, args...)...)
		cmd.Env = append([]string{"CHILD_CC=true", "PKG_CONFIG=true"}, os.Environ()...) // of two the last one wins
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// manPages returns the names of the manual pages.
func manPages(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(top(t), "contrib/man/pages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// filesIn returns the files in a directory tree, with their permissions.
func filesIn(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		list = append(list, strings.TrimPrefix(name, dir+"/")+" "+info.Mode().Perm().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Make installs a list of files, and takes away these and no others.
func TestInstallAndUninstall(t *testing.T) {
	run, dest := installer(t), t.TempDir()
	const share = "usr/share/"
	for _, name := range []string{"usr/sbin/runc", share + "man/man8/runc.8", share + "doc/skiff/notes"} {
		write(t, filepath.Join(dest, name), "")
	}
	before := filesIn(t, dest)
	want := append(slices.Clone(before), "usr/sbin/skiff -rwxr-xr-x")
	for _, page := range manPages(t) {
		want = append(want, share+"man/man"+filepath.Ext(page)[1:]+"/"+page+" -rw-r--r--")
	}
	for _, name := range []string{
		"bash-completion/completions/skiff", "zsh/site-functions/_skiff", "fish/vendor_completions.d/skiff.fish", "doc/skiff/LICENSE",
	} {
		want = append(want, share+name+" -rw-r--r--")
	}
	slices.Sort(want)
	if out, err := run("install", "DESTDIR="+dest, "PREFIX=/usr"); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	if got := filesIn(t, dest); !slices.Equal(got, want) {
		t.Errorf("installed %q, want %q", got, want)
	}
	if out, err := run("uninstall", "DESTDIR="+dest, "PREFIX=/usr"); err != nil {
		t.Fatalf("make uninstall: %v\n%s", err, out)
	}
	if got := filesIn(t, dest); !slices.Equal(got, before) {
		t.Errorf("left %q, want %q", got, before)
	}
}

// makesOwn are make's own words about a rule that failed, and about where it is. They
// have a number if it was called by another make.
var makesOwn = regexp.MustCompile(`^make(\[\d+\])?: (\*\*\* |(Entering|Leaving) directory )`)

// Without a C compiler or libseccomp, make says in one line what to do.
func TestMakeNamesWhatIsMissing(t *testing.T) {
	run := installer(t)
	for variable, part := range map[string]string{"CHILD_CC": parts[0], "PKG_CONFIG": parts[1]} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "nosuchprogram")
			out, err := run(part)
			said := slices.DeleteFunc(strings.Split(strings.TrimSpace(out), "\n"), func(line string) bool {
				return makesOwn.MatchString(line)
			})
			if err == nil || len(said) != 1 || !strings.Contains(said[0], "first run 'make deps' as root") {
				t.Errorf("got %v\n%s", err, out)
			}
		})
	}
}
