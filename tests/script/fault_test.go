// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// faultTime is how long TestFaults runs. The environment variable FAULTS overrides it:
// with a duration, or with a pattern (path.Match) for the faults to try, by the names in
// the test's output.
const faultTime = 30 * time.Second

// faultPatience is how long one call of skiff may take.
const faultPatience = 20 * time.Second

// TestFaults makes one system call of one process of skiff fail, by means of strace. Then
// skiff must print one line with the error and leave nothing behind, unless it does not
// need that system call. Instead, the process may be killed when it makes the call: then
// skiff must still end, and if skiff itself was killed, delete must find what is left.
func TestFaults(t *testing.T) {
	isolate.Require(t)
	if os.Getenv("SKIFF_DRIVER") == "systemd" {
		t.Skip("the faults are tried with cgroups that systemd has no part in")
	}
	if out, err := exec.Command("strace", "-f", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace: %v: %s", err, out)
	}
	limit, only := faultTime, os.Getenv("FAULTS")
	if d, err := time.ParseDuration(only); err == nil {
		limit, only = d, ""
	}
	f := newFaulty(t)
	all := f.faults(t)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	end := time.Now().Add(limit)
	done := 0
	for _, one := range all {
		if only == "" && time.Now().After(end) {
			break
		}
		if matched, _ := filepath.Match(only, one.String()); only != "" && !matched {
			continue
		}
		done++
		f.try(t, one)
	}
	if done == 0 {
		t.Fatalf("no fault of %d was tried", len(all))
	}
	t.Logf("%d of %d faults, %d made skiff fail", done, len(all), f.failed)
}

// fault is the failure of one system call.
type fault struct {
	verb    string
	syscall string
	when    int    // which of these calls in each thread fails, from 1
	errno   string // or "SIGKILL": the process that makes the call is killed
}

// injection returns the fault as an argument for strace.
func (f fault) injection() string {
	what := "error"
	if f.errno == killing {
		what = "signal"
	}
	return fmt.Sprintf("inject=%s:%s=%s:when=%d", f.syscall, what, f.errno, f.when)
}

const killing = "SIGKILL"

func (f fault) String() string { return fmt.Sprintf("%s/%s/%d/%s", f.verb, f.syscall, f.when, f.errno) }

// faultVerb is a call of skiff, with the calls before it and the possible statuses of the
// container after a failure.
type faultVerb struct {
	before [][]string
	args   []string
	failed []string // "" means no container
}

func faultVerbs() map[string]faultVerb {
	create := []string{"create", "--bundle", "$B", "--pid-file", "$P", "web"}
	start := []string{"start", "web"}
	createUser, createHooks := []string{"create", "--bundle", "$S", "web"}, []string{"create", "--bundle", "$H", "web"}
	gone := []string{""}
	verbs := map[string]faultVerb{
		"create": {nil, create, gone},
		"start":  {[][]string{create}, start, []string{"created", "stopped", "running"}},
		"run":    {nil, []string{"run", "--bundle", "$R", "web"}, []string{"", "stopped"}},
		"userns": {nil, []string{"run", "--bundle", "$U", "web"}, []string{"", "stopped"}},
		"exec":   {[][]string{create, start}, []string{"exec", "--pid-file", "$P", "web", "true"}, []string{"running"}}, // exec replaces the pid file
		// Below: with hooks, and in a user namespace.
		"hooks":       {nil, createHooks, gone},
		"starthooks":  {[][]string{createHooks}, start, []string{"", "created", "stopped", "running"}},
		"deletehooks": {[][]string{createHooks, start}, []string{"delete", "--force", "web"}, []string{"", "stopped", "running"}},
		"userexec":    {[][]string{createUser, start}, []string{"exec", "web", "true"}, []string{"running"}},
		"pause":       {[][]string{create, start}, []string{"pause", "web"}, []string{"running", "paused"}},
		"kill":        {[][]string{create, start}, []string{"kill", "web", "WINCH"}, []string{"running"}},
		"state":       {[][]string{create}, []string{"state", "web"}, []string{"created"}},
		"delete":      {[][]string{create, start}, []string{"delete", "--force", "web"}, []string{"", "stopped", "running"}},
	}
	return verbs
}

// faultless has system calls that do not fail, or whose failure always ends or stops a Go
// program. read is one of them: after a fork, the Go runtime reads from a pipe.
const faultless = `brk mmap munmap mprotect madvise futex nanosleep clone exit exit_group rt_sigaction rt_sigprocmask rt_sigreturn
	sigaltstack tgkill gettid getpid getuid geteuid arch_prctl set_tid_address set_robust_list rseq getrandom sched_yield
	sched_getaffinity execve close restart_syscall epoll_create1 epoll_ctl epoll_pwait eventfd2 wait4 getrlimit read`

type faulty struct {
	*world
	bundles map[string]string
	verbs   map[string]faultVerb
	failed  int
}

func newFaulty(t *testing.T) *faulty {
	dir := t.TempDir()
	f := &faulty{
		world: newWorld(dir, "script-faults"),
		verbs: faultVerbs(), bundles: make(map[string]string),
	}
	t.Cleanup(func() {
		if err := f.remove(); err != nil {
			t.Error(err)
		}
	})
	rich := `"hooks": {"prestart": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}], "startContainer": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}`
	if err := makePidDir(f.world); err != nil {
		t.Fatal(err)
	}
	f.bundles["$P"] = filepath.Join(pidDir(f.world), "pid")
	for name, patch := range map[string]string{
		"$B": `{"process": {"args": ["sh", "-c", "sleep 1000 & sleep 1000"]}}`,
		"$R": `{"process": {"args": ["true"], "user": {"uid": 3, "umask": 7}, "oomScoreAdj": 10, "cwd": "/tmp"},
			"mounts+": [{"destination": "/a/b", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]}, {"destination": "/etc/h", "type": "bind", "source": "/etc/hosts", "options": ["bind", "ro"]}],
			"linux": {"sysctl": {"net.ipv4.ip_forward": "1"}, "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}}, ` + rich + `}`,
		"$H": `{"process": {"args": ["sh", "-c", "sleep 1000 & sleep 1000"]}, "hooks": {"prestart": [{"path": "/bin/true"}], "createRuntime": [{"path": "/bin/true"}],
			"createContainer": [{"path": "/bin/true"}], "startContainer": [{"path": "/bin/true"}], "poststart": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}}`,
		"$S": `{"process": {"args": ["sleep", "1000"]}, "linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"hostID": 100000, "size": 65536}], "gidMappings": [{"hostID": 100000, "size": 65536}]}}`,
		"$U": `{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"hostID": 100000, "size": 65536}], "gidMappings": [{"hostID": 100000, "size": 65536}]}}`,
	} {
		f.bundles[name] = filepath.Join(dir, strings.ToLower(name[1:]))
		b := badInput{patch: patch}
		b.bundle(t, f.world, f.bundles[name])
	}
	return f
}

// faults lists the possible faults, from the system calls that each verb makes without a
// fault.
func (f *faulty) faults(t *testing.T) (all []fault) {
	for _, verb := range slices.Sorted(maps.Keys(f.verbs)) {
		for name, n := range f.calls(t, verb) {
			for when := range n {
				for _, errno := range []string{"EIO", "EPERM", "ENOMEM", "ENOSYS", killing} {
					all = append(all, fault{verb, name, when + 1, errno})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b fault) int { return strings.Compare(a.String(), b.String()) })
	return all
}

var tracedCall = regexp.MustCompile(`(?m)^(\d+) +([a-z_0-9]+)\(`)

// calls returns how often a verb makes each system call: the highest number of any
// thread.
func (f *faulty) calls(t *testing.T, verb string) map[string]int {
	t.Helper()
	f.before(t, verb)
	trace := filepath.Join(f.work, ".trace")
	if code, text := f.traced(t, verb, "-o", trace); code != 0 {
		t.Fatalf("%s: %d: %s", verb, code, text)
	}
	f.clear(t, verb)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	threads, most := make(map[string]int), make(map[string]int)
	for _, m := range tracedCall.FindAllSubmatch(text, -1) {
		name := string(m[2])
		if slices.Contains(strings.Fields(faultless), name) {
			continue
		}
		thread := string(m[1]) + name
		threads[thread]++
		most[name] = max(most[name], threads[thread])
	}
	return most
}

func (f *faulty) before(t *testing.T, verb string) {
	t.Helper()
	for _, args := range f.verbs[verb].before {
		r, err := f.run(f.work, os.Environ(), f.args(args)...)
		if err != nil || r.code != 0 {
			t.Fatal(verb, args, err, r)
		}
	}
}

func (f *faulty) args(args []string) (real []string) {
	for _, a := range args {
		if b, ok := f.bundles[a]; ok {
			a = b
		}
		real = append(real, a)
	}
	return real
}

// traced runs a verb under strace. With -D, strace is not skiff's parent, and may go on
// tracing a container after skiff has ended.
func (f *faulty) traced(t *testing.T, verb string, flags ...string) (code int, text string) {
	t.Helper()
	out, err := os.Create(filepath.Join(f.work, ".out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args := slices.Concat([]string{"-D", "-q", "-f"}, flags, []string{f.binary()}, f.flags(), f.args(f.verbs[verb].args))
	c := exec.Command("strace", args...)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slow := false
	timer := time.AfterFunc(faultPatience, func() {
		slow = true
		_ = c.Process.Signal(unix.SIGQUIT) // the Go runtime prints its stacks, and ends
		time.Sleep(time.Second)
		_ = c.Process.Kill()
	})
	err = c.Wait()
	timer.Stop()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	said, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if slow {
		t.Errorf("%s %q did not end within %v: %s", verb, flags, faultPatience, said)
	}
	return c.ProcessState.ExitCode(), string(said)
}

// try runs a verb with one fault.
func (f *faulty) try(t *testing.T, one fault) {
	f.before(t, one.verb)
	trace := filepath.Join(f.work, ".trace")
	code, text := f.traced(t, one.verb, "-o", trace, "-e", "trace="+one.syscall, "-e", one.injection())
	// The status is that of skiff, if skiff was killed, or that of the container's
	// process.
	killed := one.errno == killing && (code < 0 || code == 128+int(unix.SIGKILL))
	if code != 0 && !killed {
		f.failed++
		injected, _ := os.ReadFile(trace)
		for _, wrong := range f.judge(one, text, injected) {
			t.Errorf("%v: %s", one, wrong)
		}
	}
	if left := f.clear(t, one.verb); len(left) > 0 {
		injected, _ := os.ReadFile(trace)
		injected = bytes.Join(regexp.MustCompile(`.*INJECTED.*`).FindAll(injected, -1), []byte("\n"))
		t.Fatalf("%v: status %d, %q: left behind:\n%s\n%s", one, code, text, strings.Join(left, "\n"), injected)
	}
}

// judge checks the output of a call that failed, and what is left after it. If the fault
// hit two processes, one may have been the one that cleans up: then a stopped container
// may be left for delete.
func (f *faulty) judge(one fault, text string, trace []byte) (wrong []string) {
	if strings.Contains(text, "runtime: ") {
		return nil // the Go runtime itself failed, and cannot go on
	}
	mute := failedWrite.Match(trace) // the write of the message failed
	if (strings.Count(text, "\n") != 1 || len(text) < 10) && !mute {
		wrong = append(wrong, fmt.Sprintf("not one line: %q", text))
	}
	twice := bytes.Count(trace, []byte("(INJECTED)")) > 1
	status := f.status()
	if !slices.Contains(f.verbs[one.verb].failed, status) && !(twice && status == "stopped") {
		wrong = append(wrong, fmt.Sprintf("%q: the status is %q", text, status))
	}
	if status == "" {
		if left := f.wait(); len(left) > 0 {
			wrong = append(wrong, fmt.Sprintf("%q: left behind: %q", text, left))
		}
	}
	return wrong
}

var failedWrite = regexp.MustCompile(`write\(2, .*INJECTED`)

func (f *faulty) status() string {
	r, err := f.run(f.work, os.Environ(), "state", "web")
	if err != nil || r.code != 0 {
		return ""
	}
	_, after, _ := strings.Cut(r.stdout, `"status": "`)
	status, _, _ := strings.Cut(after, `"`)
	return status
}

// clear deletes the container, if there is one, and returns what is left.
func (f *faulty) clear(t *testing.T, verb string) []string {
	t.Helper()
	r, err := f.run(f.work, os.Environ(), "delete", "--force", "web")
	if err != nil || r.code != 0 {
		t.Fatalf("%s: delete: %v %v", verb, err, r)
	}
	if wrong := clearPidDir(f.world); wrong != nil {
		return []string{wrong.Error()}
	}
	return f.wait()
}

// wait waits for some time until nothing is left, and returns what is.
func (f *faulty) wait() (left []string) {
	for range 150 {
		var err error
		if left, err = f.leftovers(); err == nil && len(left) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return left
}
