// SPDX-License-Identifier: Apache-2.0

package script

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
)

// killedRounds is how many times TestKilled kills skiff, and killedTime how long it runs
// at most, on a slow machine.
const (
	killedRounds = 100
	killedTime   = 30 * time.Second
)

// TestKilled kills skiff itself at some moment during create, start, delete, run or exec.
// Whatever the moment, `delete --force` must remove what is left.
func TestKilled(t *testing.T) {
	if !byUser() {
		isolate.Require(t)
	} else if why := ordinaryUsers(); why != "" {
		t.Skip(why)
	}
	k := newKilled(t)
	end := time.Now().Add(killedTime)
	rounds := 0
	for ; rounds < killedRounds && time.Now().Before(end); rounds++ {
		k.round(t, rounds)
	}
	if rounds < len(killedVerbs()) {
		t.Fatalf("%d rounds in %v: not each verb was killed", rounds, killedTime)
	}
	t.Logf("%d rounds, %d of them killed before the end of the call", rounds, k.cut)
	if k.cut == 0 {
		t.Error("no call was cut short")
	}
}

// killedPatience is how long a call that is not killed may take.
const killedPatience = 10 * time.Second

// killed is a world with bundles, and the time that each verb takes if it is not killed.
type killed struct {
	*world
	bundles *strings.Replacer
	takes   map[string]time.Duration
	cut     int // how many calls were killed before they ended
}

// killedVerb is a call that is killed, and the calls before it that are not.
type killedVerb struct {
	before [][]string
	args   []string
}

func killedVerbs() []killedVerb {
	create := []string{"create", "--bundle", "$B", "--pid-file", "$P/pid", "web"}
	withHooks, inUsers := []string{"create", "--bundle", "$H", "web"}, []string{"create", "--bundle", "$U", "web"}
	start, remove := []string{"start", "web"}, []string{"delete", "--force", "web"}
	return []killedVerb{
		{nil, create},
		{[][]string{create}, start},
		{[][]string{create, start}, remove},
		{nil, []string{"run", "--detach", "--bundle", "$B", "--pid-file", "$P/pid", "web"}},
		{[][]string{create, start}, []string{"exec", "--detach", "--pid-file", "$P/pid", "web", "sleep", "1000"}}, // exec replaces the pid file
		{[][]string{create}, remove},
		{nil, withHooks},
		{[][]string{withHooks}, start},
		{[][]string{withHooks, start}, remove},
		{nil, []string{"run", "--detach", "--bundle", "$H", "web"}},
		{nil, inUsers},
		{[][]string{inUsers, start}, []string{"exec", "web", "true"}},
	}
}

func newKilled(t *testing.T) *killed {
	dir := t.TempDir()
	k := &killed{world: newWorld(dir, "script-killed"), takes: make(map[string]time.Duration)}
	t.Cleanup(func() {
		if err := k.remove(); err != nil {
			t.Error(err)
		}
	})
	var names []string
	for name, patch := range map[string]string{"$B": `{}`, "$H": hooked(), "$U": `{"linux": {"namespaces+": [{"type": "user"}],
		"uidMappings": [{"hostID": 100000, "size": 65536}], "gidMappings": [{"hostID": 100000, "size": 65536}]}}`} {
		if name == "$U" && byUser() {
			patch = `{}` // it has one already
		}
		bundle := filepath.Join(dir, name[1:])
		(&badInput{patch: `{"process": {"args": ["sh", "-c", "sleep 1000 & sleep 1000"]}}`}).bundle(t, k.world, bundle)
		if err := patchText(filepath.Join(bundle, "config.json"), patch); err != nil {
			t.Fatal(err)
		}
		names = append(names, name, bundle)
	}
	names = append(names, "$P", pidDir(k.world))
	k.bundles = strings.NewReplacer(names...)
	if err := makePidDir(k.world); err != nil {
		t.Fatal(err)
	}
	return k
}

// hooked returns a configuration with a hook of each kind.
func hooked() string {
	var all []string
	for _, name := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
		all = append(all, fmt.Sprintf(`%q: [{"path": "/bin/sleep", "args": ["sleep", "0.003"], "env": ["PATH=/bin"]}]`, name))
	}
	return `{"hooks": {` + strings.Join(all, ", ") + `}}`
}

// round kills a verb at a random moment, at the latest a little after it has probably
// ended. The first round of each verb measures how long it takes.
func (k *killed) round(t *testing.T, n int) {
	all := killedVerbs()
	v := all[n%len(all)]
	key := fmt.Sprint(v)
	before := processes(t)
	for _, args := range v.before {
		k.call(t, args, time.Minute)
	}
	moment := time.Minute
	if most, ok := k.takes[key]; ok {
		moment = rand.N(most + most/8)
	}
	took := k.call(t, v.args, moment)
	if moment == time.Minute {
		k.takes[key] = took
	}
	k.call(t, []string{"delete", "--force", "web"}, time.Minute)
	if wrong := clearPidDir(k.world); wrong != nil {
		t.Fatalf("round %d, %q killed after %v of %v: %v", n, v.args, moment, k.takes[key], wrong)
	}
	left := k.left(t, before)
	for range 100 {
		if len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
		left = k.left(t, before)
	}
	t.Fatalf("round %d, %q killed after %v of %v: left behind:\n%s", n, v.args, moment, k.takes[key], strings.Join(left, "\n"))
}

// call runs skiff and kills it after a time. A call that is not killed must succeed.
func (k *killed) call(t *testing.T, args []string, moment time.Duration) (took time.Duration) {
	t.Helper()
	real := k.flags()
	for _, a := range args {
		real = append(real, k.bundles.Replace(a))
	}
	out, err := os.Create(filepath.Join(k.work, ".out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := exec.Command(k.binary(), real...)
	c.Stdout, c.Stderr = out, out
	begun := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(moment, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	err = c.Wait()
	if took = time.Since(begun); took > killedPatience {
		t.Errorf("%q took %v", args, took)
	}
	switch {
	case err == nil:
	case c.ProcessState.ExitCode() < 0 && moment < time.Minute:
		k.cut++
	default:
		text, _ := os.ReadFile(out.Name())
		t.Fatalf("%q: %v: %s", args, err, text)
	}
	return took
}

// left lists what is left that was not there before.
func (k *killed) left(t *testing.T, before []string) []string {
	left, err := k.leftovers()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes(t) {
		// Without isolation, other processes come and go.
		ours := alone() || strings.Contains(p, "skiff") || strings.Contains(p, `"sleep\x001000\x00"`)
		if ours && !slices.Contains(before, p) {
			left = append(left, "process "+p)
		}
	}
	return left
}

// processes lists all processes that have not ended, with their command lines.
func processes(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if _, after, ok := strings.Cut(string(stat), ") "); err != nil || !ok || after[0] == 'Z' || after[0] == 'X' {
			continue
		}
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		all = append(all, fmt.Sprintf("%s: %q", filepath.Base(dir), cmdline))
	}
	return all
}
