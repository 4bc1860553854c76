// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/tests/listing"
	"golang.org/x/sys/unix"
)

// A timeout that is too long becomes the longest possible.
func TestLimit(t *testing.T) {
	const most = math.MaxInt64 / int64(time.Second)
	for seconds, want := range map[int]time.Duration{
		1: time.Second, 3600: time.Hour, int(most): time.Duration(most) * time.Second,
		int(most) + 1: time.Duration(most) * time.Second, math.MaxInt64: time.Duration(most) * time.Second,
	} {
		if got := limit(seconds); got != want {
			t.Errorf("%d s: %v, expected %v", seconds, got, want)
		}
		p := new(program.Program)
		if err := Add(p, []specs.Hook{{Path: "/x", Timeout: &seconds}}, "x", specs.State{}, Output{}); err != nil {
			t.Fatal(err)
		}
		doc := document(`"ociVersion":"","id":"","status":"","bundle":""`)
		listing.Compare(t, p, fmt.Sprintf(`hook("/x", "/x", 1, 0, %d, data[%d])  # hooks.x[0]`, want.Milliseconds(), len(doc)))
	}
	if err := Run([]specs.Hook{{Path: "/bin/true", Timeout: ptr(math.MaxInt64)}}, "x", specs.State{}, nil); err != nil {
		t.Error(err)
	}
}

func ptr(n int) *int { return &n }

// TestRun has hooks end in all ways, while the container's first process runs, or is
// killed.
func TestRun(t *testing.T) {
	one := 1
	for _, c := range []struct {
		name, script string
		timeout      *int
		killed       bool
		want         string
	}{
		{name: "success", script: "true"},
		{name: "status", script: "echo out of order; exit 3", want: "hooks.poststart[0]: /bin/sh: exit status 3: out of order"},
		{name: "signal", script: "kill -9 $$", want: "hooks.poststart[0]: /bin/sh: signal: killed"},
		{name: "timeout", script: "sleep 15 & wait", timeout: &one, want: "hooks.poststart[0]: /bin/sh: timed out after 1 s"},
		{name: "in time", script: "true", timeout: &one},
		{name: "first process", script: "sleep 15 & wait", killed: true, want: "hooks.poststart[0]: /bin/sh: the container's first process ended while the hook was running"},
		{name: "background", script: "sleep 1 & exit 0"},
		{name: "state", script: `grep -q '"id":"web"'`},
		{name: "no time", script: "sleep 15 & wait", timeout: new(int), want: "hooks.poststart[0]: /bin/sh: timed out after 0 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := exec.Command("sleep", "1000")
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
			pidfd, err := sys.Pidfd(first.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			defer pidfd.Close()
			if c.killed {
				time.AfterFunc(50*time.Millisecond, func() { _ = unix.Kill(first.Process.Pid, unix.SIGKILL) })
			}
			hook := specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", c.script}, Env: []string{"PATH=/usr/bin:/bin"}, Timeout: c.timeout}
			begun := time.Now()
			err = Run([]specs.Hook{hook}, "poststart", State(&plan.Launch{ID: "web"}, specs.StateRunning, 1), pidfd)
			if got := text(err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// After the timeout of a hook, all that it has started is killed.
func TestTimeoutEndsAll(t *testing.T) {
	bundle, one := t.TempDir(), 1
	if err := unix.Mkfifo(bundle+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(bundle+"/fifo", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := sh("exec >fifo; echo begun; sleep 15 & wait", "PATH=/usr/bin:/bin")
	h.Timeout = &one
	if err := Run([]specs.Hook{h}, "poststart", specs.State{Bundle: bundle}, nil); err == nil {
		t.Error("no error")
	}
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "begun\n" { // the end: nobody can write any more
		t.Errorf("%q, %v", b, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFailedOutput(t *testing.T) {
	f := Failed{Field: "hooks.poststop[0]", Path: "/h", Why: "exit status 1", Output: strings.Repeat("a", 500) + " last\n words\n"}
	got := f.Error()
	if len(got) > 400+60 || !strings.HasPrefix(got, "hooks.poststop[0]: /h: exit status 1: ... aaa") || !strings.HasSuffix(got, "a last words") {
		t.Errorf("%q", got)
	}
}
