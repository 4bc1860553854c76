// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

func sh(script string, env ...string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: env}
}

// printed is what a hook prints to its file of standard output.
func printed(t *testing.T, h specs.Hook, s specs.State) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	s.Annotations = map[string]string{plan.HooksStdout: out}
	if err := Run([]specs.Hook{h}, "poststart", s, nil); err != nil {
		t.Fatal(err)
	}
	return read(t, out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A hook without env has the runtime's environment, one with an empty list has
// none.
func TestEnvironment(t *testing.T) {
	t.Setenv("OF_THE_RUNTIME", "yes")
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"none given": {nil, "yes,"},
		"empty":      {[]string{}, ","},
		"own":        {[]string{"OWN=1"}, ",1"},
	} {
		h := sh("echo $OF_THE_RUNTIME,$OWN")
		h.Env = tt.env
		if got := printed(t, h, specs.State{}); got != tt.want+"\n" {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
	}
}

// Hooks run in the bundle, and where that is gone in the root directory.
func TestDirectory(t *testing.T) {
	bundle := t.TempDir()
	if got := printed(t, sh("pwd -P"), specs.State{Bundle: bundle}); got != bundle+"\n" {
		t.Errorf("in %q, expected %s", got, bundle)
	}
	if got := printed(t, sh("pwd -P"), specs.State{Bundle: bundle + "/gone"}); got != "/\n" {
		t.Errorf("in %q, expected /", got)
	}
}

// The state has the pid that the runtime knows.
func TestStateOnStdin(t *testing.T) {
	want := `{"ociVersion":"1.3.0","id":"web","status":"created","pid":7,"bundle":"/b","annotations":{"k":"#v#"}}`
	s := web
	out := filepath.Join(t.TempDir(), "out")
	if err := Run([]specs.Hook{sh("cat >"+out, "PATH=/bin:/usr/bin")}, "poststart", s, nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, out); got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}

// Run ends with the first hook that fails, RunAll does not.
func TestFirstFailure(t *testing.T) {
	dir := t.TempDir()
	list := []specs.Hook{sh("echo a >>log"), sh("echo b >>log; exit 1"), sh("echo c >>log"), sh("exit 2")}
	s := specs.State{Bundle: dir}
	err := Run(list, "poststart", s, nil)
	if got := read(t, dir+"/log"); got != "a\nb\n" || text(err) != "hooks.poststart[1]: /bin/sh: exit status 1" {
		t.Errorf("Run: %q, %v", got, err)
	}
	if err := os.Remove(dir + "/log"); err != nil {
		t.Fatal(err)
	}
	errs := RunAll(list, "poststop", s)
	if got := read(t, dir+"/log"); got != "a\nb\nc\n" || len(errs) != 2 ||
		errs[0].Error() != "hooks.poststop[1]: /bin/sh: exit status 1" || errs[1].Error() != "hooks.poststop[3]: /bin/sh: exit status 2" {
		t.Errorf("RunAll: %q, %v", got, errs)
	}
	err = Run([]specs.Hook{{Path: "/nosuch/hook"}}, "prestart", s, nil)
	if text(err) != "hooks.prestart[0]: /nosuch/hook: fork/exec /nosuch/hook: no such file or directory" {
		t.Errorf("no such hook: %v", err)
	}
}

// What hooks print is appended to the files of the annotations, which are below
// the bundle unless they are absolute. An error has what went to no file.
func TestOutput(t *testing.T) {
	for name, tt := range map[string]struct {
		stdout, stderr bool
		err            string
	}{
		"neither":      {false, false, "hooks.poststart[0]: /bin/sh: exit status 3: said wrong"},
		"stdout alone": {true, false, "hooks.poststart[0]: /bin/sh: exit status 3: wrong"},
		"stderr alone": {false, true, "hooks.poststart[0]: /bin/sh: exit status 3: said"},
		"both":         {true, true, "hooks.poststart[0]: /bin/sh: exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, elsewhere := t.TempDir(), t.TempDir()
			s := specs.State{Bundle: bundle, Annotations: map[string]string{}}
			if tt.stdout {
				s.Annotations[plan.HooksStdout] = "out"
			}
			if tt.stderr {
				s.Annotations[plan.HooksStderr] = elsewhere + "/err"
			}
			for range 2 {
				if err := Run([]specs.Hook{sh("echo said; echo wrong >&2; exit 3")}, "poststart", s, nil); text(err) != tt.err {
					t.Errorf("%v, expected %s", err, tt.err)
				}
			}
			for path, want := range map[string]string{bundle + "/out": "said\nsaid\n", elsewhere + "/err": "wrong\nwrong\n"} {
				if asked := strings.HasSuffix(path, "out") && tt.stdout || strings.HasSuffix(path, "err") && tt.stderr; !asked {
					want = ""
				}
				if b, _ := os.ReadFile(path); string(b) != want {
					t.Errorf("%s has %q, expected %q", path, b, want)
				}
			}
		})
	}
}

// A file that cannot be opened keeps hooks from running, but those of a delete.
func TestOutputFails(t *testing.T) {
	bundle := t.TempDir()
	const want = `annotations["run.oci.hooks.stderr"]: open /nosuch/file: no such file or directory`
	s := specs.State{Bundle: bundle, Annotations: map[string]string{plan.HooksStdout: "out", plan.HooksStderr: "/nosuch/file"}}
	list := []specs.Hook{sh("echo ran; : >ran; exit 1")}
	if err := Run(list, "poststart", s, nil); text(err) != want {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Stat(bundle + "/ran"); err == nil {
		t.Error("Run: the hook has run")
	}
	if err := Run(nil, "poststart", s, nil); err != nil {
		t.Errorf("Run, without hooks: %v", err)
	}
	errs := RunAll(list, "poststop", s)
	if len(errs) != 2 || errs[0].Error() != want || errs[1].Error() != "hooks.poststop[0]: /bin/sh: exit status 1: ran" {
		t.Errorf("RunAll: %v", errs)
	}
	if _, err := os.Stat(bundle + "/ran"); err != nil {
		t.Errorf("RunAll: the hook has not run: %v", err)
	}
}

func TestOpenOutput(t *testing.T) {
	bundle := t.TempDir()
	open := func(path string) (*os.File, error) {
		return OpenOutput(plan.HooksStdout, map[string]string{plan.HooksStdout: path}, bundle)
	}
	f, err := open("out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Mode() != 0o600 || f.Name() != bundle+"/out" {
		t.Errorf("%s: %v, %v", f.Name(), st.Mode(), err)
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err != nil || flags&(unix.O_NONBLOCK|unix.O_APPEND|unix.O_ACCMODE) != unix.O_APPEND|unix.O_WRONLY {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("descriptor's flags %#x, %v", flags, err)
	}
	if err := unix.Mkfifo(bundle+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := open("fifo"); f != nil || text(err) != `annotations["run.oci.hooks.stdout"]: open `+bundle+"/fifo: no such device or address" {
		t.Errorf("a FIFO that nobody reads: %v, %v", f, err)
	}
	if f, err := OpenOutput(plan.HooksStdout, map[string]string{plan.HooksStderr: "err"}, bundle); f != nil || err != nil {
		t.Errorf("without the annotation: %v, %v", f, err)
	}
}
