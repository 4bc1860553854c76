// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openJournal(t *testing.T, format string, least level) (*journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	j := new(journal)
	if err := j.open(path, format, least); err != nil {
		t.Fatal(err)
	}
	return j, path
}

// fields decodes the log as podman does: it must be one object.
func fields(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	return got
}

func TestFailedCallLogsOneObject(t *testing.T) {
	j, path := openJournal(t, "json", levelInfo)
	j.warn("unknown capability %s", "CAP_X")
	j.debug("not shown")
	j.fail(errors.New("create: \"x\"\nand more"))
	got := fields(t, path)
	if got["level"] != "error" || got["msg"] != "create: \"x\"; and more" {
		t.Errorf("got %v", got)
	}
	if at, err := time.Parse(time.RFC3339, got["time"].(string)); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("time %v: %v", got["time"], err)
	}
	if w, ok := got["warnings"].([]any); !ok || len(w) != 1 || w[0] != "unknown capability CAP_X" {
		t.Errorf("warnings: %v", got["warnings"])
	}
}

// A message takes one line, wherever it is printed.
func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"one":                     "one",
		" one ":                   " one ",
		"one\n":                   "one",
		"one\ntwo\n\n  three\r\n": "one; two; three",
		errors.Join(errors.New("a"), errors.Join(errors.New("b"), errors.New("c"))).Error(): "a; b; c",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, format := range []string{"json", "text"} {
		j, path := openJournal(t, format, levelInfo)
		j.warn("%v", errors.Join(errors.New("w"), errors.New("x")))
		stderr := captureStderr(t, func() { j.fail(errors.Join(errors.New("one"), errors.New("two"))) })
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if log := string(b); !strings.Contains(log, "one; two") || !strings.Contains(log, "w; x") || strings.Contains(log, `\n`) || strings.Count(log, "\n") != 1 {
			t.Errorf("%s: %q", format, log)
		}
		if stderr != "one; two\n" {
			t.Errorf("standard error has %q", stderr)
		}
	}
}

func captureStderr(t *testing.T, f func()) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	was := os.Stderr
	os.Stderr = out
	defer func() { os.Stderr = was }()
	f()
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWarningsOfACallThatWorks(t *testing.T) {
	j, path := openJournal(t, "json", levelInfo)
	j.warn("w")
	j.flush()
	if got := fields(t, path); got["level"] != "warning" || got["msg"] != "w" || got["warnings"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestLevelError(t *testing.T) {
	j, path := openJournal(t, "json", levelError)
	j.warn("w")
	j.flush()
	j.fail(errors.New("e"))
	if got := fields(t, path); got["level"] != "error" || got["warnings"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestTextLog(t *testing.T) {
	j, path := openJournal(t, "text", levelDebug)
	j.debug("d %d", 1)
	j.warn("w")
	j.fail(errors.New(`a "b"`))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], ` level=debug msg="d 1"`) ||
		!strings.HasSuffix(lines[1], ` level=error msg="a \"b\"" warning="w"`) || !strings.HasPrefix(lines[1], `time="20`) {
		t.Errorf("got %q", lines)
	}
}
