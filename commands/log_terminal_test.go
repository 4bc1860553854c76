// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// On a terminal there is one line for people, and one for the hint.
func TestForPeople(t *testing.T) {
	for _, c := range []struct {
		r    record
		want string
	}{
		{record{Level: "error", Msg: "run: x", brief: "run: x"}, "skiff: run: x"},
		{record{Level: "error", Msg: "run: x (do y)", brief: "run: x", Hint: "do y", Warnings: []string{"w"}}, "skiff: warning: w\nskiff: run: x\nhint: do y"},
		{record{Level: "warning", Msg: "w"}, "skiff: warning: w"},
		{record{Level: "debug", Msg: "d"}, "skiff: debug: d"},
		{record{Level: "error", Msg: "x", brief: "hook: \x1b[31mred\a\r\té\u009b1m\xff", Hint: "\x7f", Warnings: []string{"\b"}},
			"skiff: warning: \\x08\nskiff: hook: \\x1b[31mred\\x07\\x0d\té\\x9b1m\ufffd\nhint: \\x7f"},
	} {
		if got := c.r.forPeople(); got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}

// The terminal decides, unless the record goes to a file, or is to be JSON.
func TestLogOnTerminal(t *testing.T) {
	master, terminal := openPTY(t)
	was := os.Stderr
	os.Stderr = terminal
	defer func() { os.Stderr = was }()
	err := fmt.Errorf("run: %w", fault.Hint(errors.New("x"), "do y"))
	for _, c := range []struct{ format, file, want string }{
		{"text", "", "skiff: warning: w\r\nskiff: run: x\r\nhint: do y\r\n"},
		{"text", filepath.Join(t.TempDir(), "log"), "skiff: run: x\r\nhint: do y\r\n"},
	} {
		j := new(journal)
		if err := j.open(c.file, c.format, levelInfo); err != nil {
			t.Fatal(err)
		}
		j.warn("w")
		j.fail(err)
		buf := make([]byte, 1000)
		n, err := master.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		for n < len(c.want) {
			more, err := master.Read(buf[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
		if got := string(buf[:n]); got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}

func openPTY(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); terminal.Close() })
	return master, terminal
}

// The record of an error has its details, and the warnings.
func TestFailedCallLogsDetails(t *testing.T) {
	j, path := openJournal(t, "json", levelInfo)
	j.warn("w")
	inner := fault.Hint(fmt.Errorf("mounts[3]: mount proc: %w", unix.EPERM), "CAP_SYS_ADMIN is needed")
	captureStderr(t, func() { j.fail(fmt.Errorf("create: %w", fault.In(fault.Launch, inner))) })
	got := fields(t, path)
	delete(got, "time")
	want := map[string]any{
		"level": "error", "msg": "create: mounts[3]: mount proc: operation not permitted (CAP_SYS_ADMIN is needed)",
		"code": "permission-denied", "phase": "launch", "field": "/mounts/3", "errno": "EPERM", "hint": "CAP_SYS_ADMIN is needed",
		"warnings": []any{"w"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}
