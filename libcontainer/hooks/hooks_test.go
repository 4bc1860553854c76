package hooks

import (
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// A timeout that is longer than a time can be is as long as it can be.
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
		if ms := p.Ops[0].Operation.(program.Hook).Timeout; ms != uint64(want.Milliseconds()) {
			t.Errorf("%d s: %d ms", seconds, ms)
		}
	}
	if err := Run([]specs.Hook{{Path: "/bin/true", Timeout: ptr(math.MaxInt64)}}, "x", specs.State{}, nil); err != nil {
		t.Error(err)
	}
}

func ptr(n int) *int { return &n }

// TestRun has hooks end in all ways. The first process is there throughout, or
// ends when it is killed.
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
		{name: "timeout", script: "sleep 100 & wait", timeout: &one, want: "hooks.poststart[0]: /bin/sh: no end after its timeout of 1 s"},
		{name: "in time", script: "true", timeout: &one},
		{name: "first process", script: "sleep 100 & wait", killed: true, want: "hooks.poststart[0]: /bin/sh: the container's first process has ended meanwhile"},
		{name: "background", script: "sleep 1 & exit 0"},
		{name: "state", script: `grep -q '"id":"web"'`},
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

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFailedOutput(t *testing.T) {
	f := Failed{Field: "hooks.poststop[0]", Path: "/h", Why: "exit status 1", Output: strings.Repeat("a", 500) + " last\n words\n"}
	got := f.Error()
	if len(got) > 460 || !strings.HasPrefix(got, "hooks.poststop[0]: /h: exit status 1: ... aaa") || !strings.HasSuffix(got, "a last words") {
		t.Errorf("%q", got)
	}
}

// TestAdd compares the operations of the two kinds of hooks inside.
func TestAdd(t *testing.T) {
	list := []specs.Hook{{Path: "/a"}, {Path: "/b", Args: []string{"b", "x"}, Env: []string{"OWN=1"}}}
	s := State(&plan.Launch{ID: "web"}, specs.StateCreated, 0)
	listing := func(add func(*program.Program) error) string {
		p := new(program.Program)
		if err := add(p); err != nil {
			t.Fatal(err)
		}
		for i := range p.Ops {
			hook := p.Ops[i].Operation.(program.Hook)
			hook.State = nil
			p.Ops[i].Operation = hook
		}
		return p.String()
	}
	got := listing(func(p *program.Program) error { return Add(p, list, "createContainer", s, Output{5, 6}) }) +
		listing(func(p *program.Program) error {
			return AddConfined(p, list, "startContainer", s, Output{}, []string{"PATH=/bin"}, false)
		}) +
		listing(func(p *program.Program) error {
			return AddConfined(p, list[:1], "startContainer", s, Output{}, []string{}, true)
		})
	var lines []string
	for line := range strings.Lines(got) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := `0 hook(#5, #6, "/a", "/a", 1) # hooks.createContainer[0]
1 hook(#5, #6, "/b", "b", "x", "OWN=1", 2, 1) # hooks.createContainer[1]
0 hook("/a", "/a", "PATH=/bin", 1, 1, flags=3) # hooks.startContainer[0]
1 hook("/b", "b", "x", "OWN=1", 2, 1, flags=1) # hooks.startContainer[1]
0 hook("/a", "/a", 1, flags=7) # hooks.startContainer[0]`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
