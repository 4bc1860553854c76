// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit is the time that a single command of an engine may take. The slowest, stop after an ignored signal, needs 10 s;
// an emulated machine takes ten times as long.
const limit = 2 * time.Minute

// An outcome is the result of a command: its output, trimmed, and its exit code (128+n if signal n ended it).
type outcome struct {
	argv     []string
	out, err string
	code     int
}

func (o outcome) String() string {
	return fmt.Sprintf("%s\n  exit code %d\n  stdout: %s\n  stderr: %s", strings.Join(o.argv, " "), o.code, o.out, o.err)
}

// ok fails the test unless the command succeeded, and returns its output.
func (o outcome) ok(t *testing.T) string {
	t.Helper()
	if o.code != 0 {
		t.Fatalf("failed: %v", o)
	}
	return o.out
}

// fails fails the test unless the command ended with the code and its stderr contains each of the words.
func (o outcome) fails(t *testing.T, code int, words ...string) {
	t.Helper()
	o.failsWith(t, strconv.Itoa(code), words...)
}

// failsWith is like fails, but accepts several codes, separated by "|": those of an engine's versions.
func (o outcome) failsWith(t *testing.T, codes string, words ...string) {
	t.Helper()
	if !slices.Contains(strings.Split(codes, "|"), strconv.Itoa(o.code)) {
		t.Errorf("exit code %d, want %s: %v", o.code, codes, o)
	}
	for _, word := range words {
		if !strings.Contains(o.err, word) {
			t.Errorf("stderr lacks %q: %v", word, o)
		}
	}
}

// execute runs a command with its output in files: with pipes, it would not return while a background process keeps
// them open. It runs in base, since conmon leaves a file "oom" in its working directory if a container runs out of memory.
func execute(t *testing.T, stdin string, argv ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit) // not t.Context(): cleanups run commands, too
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	stdout, stderr := outputFile(t), outputFile(t)
	defer stdout.Close()
	defer stderr.Close()
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = base, strings.NewReader(stdin), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	o := outcome{argv: argv, out: content(stdout), err: content(stderr), code: exitCode(cmd, err)}
	if ctx.Err() != nil {
		t.Fatalf("no end after %v: %v\n  running: %s", limit, o, strings.Join(world.processes(), "\n  "))
	}
	return o
}

func outputFile(t *testing.T) *os.File {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "output")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func content(file *os.File) string {
	data, err := os.ReadFile(file.Name())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n"))
}

func exitCode(cmd *exec.Cmd, err error) int {
	if err == nil {
		return 0
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return -1
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// eventually polls until check returns nil, for up to 15 s.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("still so after 15 s: %v", err)
}

// equal compares an observed text with the expected one.
func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// contains fails the test unless the text contains each of the words.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("no %q in:\n%s", word, text)
		}
	}
}

// name returns a name for a container that no other test uses.
func name(t *testing.T) string {
	t.Helper()
	return "c" + filepath.Base(t.TempDir()) + fmt.Sprint(time.Now().UnixNano()%1e9)
}

// needCommand skips a test if the runtime does not have a command.
func needCommand(t *testing.T, command string) {
	t.Helper()
	if o := execute(t, "", world.runtime, command, "--help"); o.code != 0 {
		t.Skipf("the runtime has no %s command: %v", command, o)
	}
}

// needAllCapabilities skips a test unless this process can give a container all capabilities.
func needAllCapabilities(t *testing.T) {
	t.Helper()
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Fatal(err)
	}
	var number uint
	if _, err := fmt.Sscan(string(last), &number); err != nil {
		t.Fatal(err)
	}
	full := fmt.Sprintf("%016x", uint64(1)<<(number+1)-1)
	if got := statusField(t, "CapBnd"); got != full {
		t.Skipf("this host's bounding set is %s, not %s: all capabilities cannot be given", got, full)
	}
}

// statusField returns a field of /proc/self/status.
func statusField(t *testing.T, field string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("/proc/self/status has no %s", field)
	return ""
}

// needX86 skips a test that uses system call numbers of x86-64.
func needX86(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skipf("the numbers are those of amd64, this host is %s", runtime.GOARCH)
	}
}

// problem returns an error unless the command succeeded with this output. It is for eventually.
func (o outcome) problem(want string) error {
	if o.code != 0 || o.out != want {
		return fmt.Errorf("want the output %q: %v", want, o)
	}
	return nil
}

// fields returns a Go template that prints these fields, separated by spaces.
func fields(names string) string {
	return "{{" + strings.Join(strings.Fields(names), "}} {{") + "}}"
}
