// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"maps"
	"slices"
	"testing"
)

func TestCountCalls(t *testing.T) {
	got := calls(`10    execve("/x/skiff", ["skiff", "run"], 0x7ff /* 3 vars */) = 0
10    openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = -1 ENOENT (No such file or directory)
10    futex(0x1, FUTEX_WAKE, 1) = 0
12    openat(AT_FDCWD, "/a" <unfinished ...>
10    close(3) = 0
12    <... openat resumed>) = 4
12    execve("/bin/true", ["/bin/true"], 0x7f /* 1 var */) = -1 ENOENT (No such file or directory)
12    execve("/bin/true", ["/bin/true"], 0x7f /* 1 var */ <unfinished ...>
10    close(4) = 0
12    <... execve resumed>) = 0
12    brk(NULL) = 0x1
13    execve("/bin/true", ["/bin/true"], 0x7f /* 1 var */) = 0
13    brk(NULL) = 0x1
13    +++ exited with 0 +++
10    wait4(12, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 12
`, "/bin/true")
	want := map[string]int{"execve": 4, "openat": 2, "close": 2, "wait4": 1}
	if !maps.Equal(got, want) {
		t.Errorf("calls() = %v, want %v", got, want)
	}
}

func TestLeast(t *testing.T) {
	got := least([]map[string]int{{"read": 3, "poll": 1, "close": 2}, {"read": 2, "close": 4}, {"read": 5, "close": 2, "write": 1}})
	if want := map[string]int{"read": 2, "close": 2}; !maps.Equal(got, want) {
		t.Errorf("least() = %v, want %v", got, want)
	}
}

func TestBudget(t *testing.T) {
	const text = "run fsmount 7\nrun openat 20\nstate openat 9\n"
	b, err := parse("# a comment\n\n" + text)
	if err != nil || b.String() != text {
		t.Fatalf("parse() = %q, %v", b, err)
	}
	if _, err := parse("run fsmount\n"); err == nil {
		t.Error("a line without a number is accepted")
	}
	for _, c := range []struct {
		used    map[string]int
		percent int
		want    []string
	}{
		{map[string]int{"fsmount": 7, "openat": 12}, 0, nil},
		{map[string]int{"fsmount": 8, "openat": 20}, 0, []string{"run: 8 fsmount, the budget is 7"}},
		{map[string]int{"socket": 1}, 0, []string{"run: 1 socket, the budget is 0"}},
		{map[string]int{"openat": 22}, 10, nil},
		{map[string]int{"openat": 23}, 10, []string{"run: 23 openat, the budget is 20"}},
	} {
		if got := b.over("run", c.used, c.percent); !slices.Equal(got, c.want) {
			t.Errorf("over(%v, %d) = %q, want %q", c.used, c.percent, got, c.want)
		}
	}
}
