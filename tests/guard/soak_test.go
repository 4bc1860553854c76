// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

var soak = flag.Int("soak", 100, "how many containers, and how many processes in one, TestSoak starts")

// TestSoak starts many containers, and many processes in one, and checks that nothing is
// left of them. -soak 10000 takes some minutes, and then also looks at the kernel's
// memory, which a few would not change visibly.
func TestSoak(t *testing.T) {
	isolate.Require(t)
	p := newPlace(t)
	kernel := func() int { return 0 }
	if *soak >= 1000 {
		kernel = kernelMemory(t)
	}
	p.repeat(t, "run", max(10, *soak/10)) // what the kernel keeps for later starts
	before, began := p.left(t, kernel), time.Now()
	for _, name := range []string{"run", "exec"} {
		first, last := p.repeat(t, name, *soak)
		t.Logf("%d of %s: the first tenth took %v each, the last %v", *soak, name, first, last)
	}
	// The kernel ends namespaces and frees memory a little later.
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		after := p.left(t, kernel)
		grown := growth(before, after, *soak*2)
		if len(grown) == 0 {
			t.Logf("%d containers and processes in %v\nbefore: %v\nafter:  %v", *soak*2, time.Since(began).Round(time.Second), before, after)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %d containers and processes there is more than before:\n%s", *soak*2, strings.Join(grown, "\n"))
		}
	}
}

// repeat runs a command n times. It returns how long one takes in the first and in the
// last tenth.
func (p *place) repeat(t *testing.T, name string, n int) (first, last time.Duration) {
	t.Helper()
	tenth := max(1, n/10)
	for i := range n {
		start := time.Now()
		p.do(t, p.command(commands[name]...))
		switch took := time.Since(start); {
		case i < tenth:
			first += took
		case i >= n-tenth:
			last += took
		}
	}
	return first / time.Duration(tenth), last / time.Duration(tenth)
}

// left counts what containers could leave behind: in the folders and namespaces of this
// test, where nothing else happens.
func (p *place) left(t *testing.T, kernel func() int) map[string]int {
	t.Helper()
	n := map[string]int{
		"files":   entries(t, p.dir),
		"cgroups": entries(t, isolate.Unified()),
		"mounts":  lines(t, "/proc/self/mountinfo", ""),
		"keys":    lines(t, "/proc/keys", "_ses."+container),
		memory:    kernel(),
	}
	for _, e := range list(t, "/proc") {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			n["processes"]++
		}
	}
	return n
}

const memory = "KiB of kernel memory"

// growth says what has grown after n starts. Of the kernel's memory a little is allowed: it
// keeps some for each CPU. A leak at each start is larger.
func growth(before, after map[string]int, n int) (grown []string) {
	for what, had := range before {
		allowed := 0
		if what == memory {
			allowed = 512 + n/32
		}
		if after[what]-had > allowed {
			grown = append(grown, fmt.Sprintf("%s: %d, before %d", what, after[what], had))
		}
	}
	slices.Sort(grown)
	return grown
}

func TestGrowth(t *testing.T) {
	before := map[string]int{"cgroups": 3, "keys": 1, memory: 100}
	for _, c := range []struct {
		after map[string]int
		want  []string
	}{
		{map[string]int{"cgroups": 3, "keys": 1, memory: 674}, nil},
		{map[string]int{"cgroups": 2, "keys": 0, memory: 1}, nil},
		{map[string]int{"cgroups": 4, "keys": 2, memory: 675},
			[]string{memory + ": 675, before 100", "cgroups: 4, before 3", "keys: 2, before 1"}},
	} {
		if got := growth(before, c.after, 2000); !slices.Equal(got, c.want) {
			t.Errorf("growth(%v) = %q, want %q", c.after, got, c.want)
		}
	}
}

// kernelMemory returns a function that returns how many KiB of memory the kernel uses for
// this test: the memory controller knows. If it is not one of cgroup v2, the test moves to
// a cgroup of v1, whose hierarchy is mounted only meanwhile: skiff must not see it.
func kernelMemory(t *testing.T) func() int {
	t.Helper()
	if stat := filepath.Join(isolate.Unified(), "memory.stat"); number(t, stat, "kernel") > 0 {
		return func() int { return number(t, stat, "kernel") / 1024 }
	}
	dir := t.TempDir()
	own := filepath.Join(dir, fmt.Sprintf("skiff-soak-%d", os.Getpid()))
	legacy := func(f func() error) {
		t.Helper()
		if err := unix.Mount("cgroup", dir, "cgroup", 0, "memory"); err != nil {
			t.Fatalf("the memory controller is in neither version of cgroups: %v", err)
		}
		if err := errors.Join(f(), unix.Unmount(dir, 0)); err != nil {
			t.Fatal(err)
		}
	}
	move := func(to string) error { return os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("0"), 0) }
	legacy(func() error { return errors.Join(os.Mkdir(own, 0o755), move(own)) })
	t.Cleanup(func() {
		legacy(func() error { return errors.Join(move(dir), removed(own)) })
	})
	return func() (kib int) {
		legacy(func() error {
			kib = number(t, filepath.Join(own, "memory.kmem.usage_in_bytes"), "") / 1024
			return nil
		})
		return kib
	}
}

// removed removes a cgroup, which is busy until the processes in it have ended.
func removed(cgroup string) (err error) {
	for range 100 {
		if err = os.Remove(cgroup); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// entries counts the files and directories below dir. In cgroupfs only directories count.
func entries(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a container's file that is just removed
		}
		if err == nil && (d.IsDir() || dir != isolate.Unified()) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func list(t *testing.T, dir string) []fs.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// lines counts the lines of a file that contain a word.
func lines(t *testing.T, file, word string) (n int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

// number returns the first number in the line that begins with the word; 0 if there is no
// such line or file. Without a word it is the first number in the file.
func number(t *testing.T, file, word string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if word != "" {
			if len(f) < 2 || f[0] != word {
				continue
			}
			f = f[1:]
		}
		n, err := strconv.Atoi(f[0])
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		return n
	}
	return 0
}
