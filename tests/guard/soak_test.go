// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bytes"
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
)

var soak = flag.Int("soak", 100, "how many containers, and how many processes in one, TestSoak starts")

// TestSoak starts many containers, and many processes in one, and checks that nothing is
// left of them. -soak 10000 takes some minutes, and then also looks at the kernel's
// memory, which a few would not change visibly.
func TestSoak(t *testing.T) {
	isolate.Require(t)
	p := newPlace(t)
	p.repeat(t, "run", max(10, *soak/10)) // what the kernel keeps for later starts
	before, began := p.left(t), time.Now()
	for _, name := range []string{"run", "exec"} {
		first, last := p.repeat(t, name, *soak)
		t.Logf("%d of %s: the first tenth took %v each, the last %v", *soak, name, first, last)
	}
	var grown []string
	// The kernel ends namespaces and frees memory a little later.
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		after := p.left(t)
		if grown = growth(before, after, *soak*2); len(grown) == 0 {
			t.Logf("%d containers and processes in %v\nbefore: %v\nafter:  %v", *soak*2, time.Since(began).Round(time.Second), before, after)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %d containers and processes there is more than before (keys, open files, slab and KiB are of all programs on this machine):\n%s",
				*soak*2, strings.Join(grown, "\n"))
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
// test, where nothing else happens, and, for a long run, in the whole kernel.
func (p *place) left(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{
		"files":   entries(t, p.dir),
		"cgroups": entries(t, isolate.Unified()),
		"mounts":  lines(t, "/proc/self/mountinfo"),
	}
	for _, e := range list(t, "/proc") {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			n["processes"]++
		}
	}
	if *soak >= 1000 {
		kernel(t, n)
	}
	return n
}

// kernel adds counts of the whole kernel, whatever causes them.
func kernel(t *testing.T, n map[string]int) {
	t.Helper()
	n["keys"] = lines(t, "/proc/keys")
	n["open files"] = number(t, "/proc/sys/fs/file-nr", "")
	for _, name := range []string{"SUnreclaim", "KernelStack", "PageTables", "Percpu"} {
		n[name+" KiB"] = number(t, "/proc/meminfo", name+":")
	}
	// Only root can read it, and not in every kernel.
	if _, err := os.Stat("/proc/slabinfo"); err == nil {
		for _, name := range []string{"net_namespace", "mnt_cache", "pid_namespace", "cred_jar", "key_jar"} {
			n["slab "+name] = number(t, "/proc/slabinfo", name)
		}
	}
}

// growth says what has grown by more than is allowed after n starts. Of the whole kernel
// a part of n is allowed, since other programs use it, too: a leak at each start is
// larger.
func growth(before, after map[string]int, n int) (grown []string) {
	for what, had := range before {
		allowed := 0
		switch {
		case strings.HasSuffix(what, " KiB"):
			allowed = n // 1 KiB each
		case strings.HasPrefix(what, "slab "), what == "keys", what == "open files":
			allowed = n / 4
		}
		if after[what]-had > allowed {
			grown = append(grown, fmt.Sprintf("%s: %d, before %d", what, after[what], had))
		}
	}
	slices.Sort(grown)
	return grown
}

func TestGrowth(t *testing.T) {
	before := map[string]int{"cgroups": 3, "keys": 10, "Percpu KiB": 100}
	for _, c := range []struct {
		after map[string]int
		want  []string
	}{
		{map[string]int{"cgroups": 3, "keys": 260, "Percpu KiB": 1100}, nil},
		{map[string]int{"cgroups": 2, "keys": 1, "Percpu KiB": 1}, nil},
		{map[string]int{"cgroups": 4, "keys": 261, "Percpu KiB": 1101},
			[]string{"Percpu KiB: 1101, before 100", "cgroups: 4, before 3", "keys: 261, before 10"}},
	} {
		if got := growth(before, c.after, 1000); !slices.Equal(got, c.want) {
			t.Errorf("growth(%v) = %q, want %q", c.after, got, c.want)
		}
	}
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

func lines(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// number returns the first number in the line that begins with the word; 0 if there is no
// such line. Without a word it is the first number in the file.
func number(t *testing.T, file, word string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
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
