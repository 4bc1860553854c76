package child

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// constants reads "NAME = number" and the lists that count up of an enum.
func constants(t *testing.T, file, after string) map[string]int {
	t.Helper()
	b, err := os.ReadFile("src/" + file)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), after)
	if !ok {
		t.Fatalf("%s: no %q", file, after)
	}
	_, text, _ = strings.Cut(text, "{")
	text, _, _ = strings.Cut(text, "}")
	text = regexp.MustCompile(`//[^\n]*`).ReplaceAllString(text, "")
	all, next := make(map[string]int), 0
	for _, word := range strings.Split(text, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(word), "=")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if given {
			if next, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				t.Fatal(err)
			}
		}
		all[name] = next
		next++
	}
	return all
}

// The child's operations are those of package plan, under the same numbers.
func TestKinds(t *testing.T) {
	c := constants(t, "kinds.h", "enum")
	for k := plan.Kind(1); k.String() != "invalid"; k++ {
		name := "OP_" + strings.ToUpper(k.String())
		if got, ok := c[name]; !ok || got != int(k) {
			t.Errorf("%s is %d (known %v) in the child, %d here", name, got, ok, k)
		}
		delete(c, name)
	}
	if len(c) > 0 {
		t.Errorf("operations of the child alone: %v", c)
	}
	text, err := os.ReadFile("src/child.c")
	if err != nil {
		t.Fatal(err)
	}
	for k := plan.Kind(1); k.String() != "invalid"; k++ {
		if !bytes.Contains(text, fmt.Appendf(nil, "case OP_%s:", strings.ToUpper(k.String()))) {
			t.Errorf("the child does not carry out %s", k)
		}
	}
}

func TestMessages(t *testing.T) {
	c := constants(t, "child.h", "enum message")
	for m := wire.Go; m <= wire.Trace; m++ {
		if got := c["M_"+strings.ToUpper(m.String())]; got != int(m) {
			t.Errorf("%s is %d in the child, %d here", m, got, m)
		}
	}
	if len(c) != int(wire.Trace) {
		t.Errorf("the child has %d messages, %d here", len(c), wire.Trace)
	}
	d := constants(t, "child.h", "enum detail")
	for name, want := range map[string]wire.Detail{"D_SYMLINK": wire.Symlink, "D_HOOK_EXIT": wire.HookExit, "D_FS_LOG": wire.FSLog, "D_WHERE": wire.Where, "D_KIND": wire.OtherKind, "D_NOT_MADE": wire.NotMade} {
		if d[name] != int(want) {
			t.Errorf("%s is %d in the child, %d here", name, d[name], want)
		}
	}
}

func needBinary(t *testing.T) {
	t.Helper()
	if len(Binary) == 0 {
		t.Fatal("this needs the interpreter: make unit, or after make: go test -tags cparts")
	}
}

// The interpreter is static, small, and needs nothing of the container.
func TestBinary(t *testing.T) {
	needBinary(t)
	if len(Binary) > MaxSize {
		t.Errorf("%d bytes, at most %d are allowed", len(Binary), MaxSize)
	}
	f, err := elf.NewFile(bytes.NewReader(Binary))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("has a %v header: it is not static", p.Type)
		}
		if p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Error("has memory that is writable and executable")
		}
	}
}
