// SPDX-License-Identifier: Apache-2.0

package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// byUser reports whether an ordinary user calls skiff in all scripts: if the environment
// variable SKIFF_CALLER is user. If root started the test binary, it runs itself again as
// a new user inside the isolation. If a user started it, it runs as this user without
// isolation, in a cgroup that may be delegated to the user.
func byUser() bool { return os.Getenv("SKIFF_CALLER") == "user" }

// containers reports whether tests can run containers.
func containers() bool { return isolate.Active() || byUser() }

// alone reports whether all visible processes belong to the tests.
func alone() bool {
	return !throughSystemd() && (isolate.Active() || os.Getenv("SKIFF_TEST_STAGE") == "user")
}

// ownCgroup is the path of the cgroup v2 that was delegated to the ordinary user who
// calls skiff; empty if none was.
var ownCgroup string

// caller runs the tests as the user who is to call skiff.
type caller struct{ *testing.M }

func (c caller) Run() int {
	if !byUser() {
		return c.M.Run()
	}
	code := 1
	var err error
	if os.Geteuid() == 0 {
		code, err = becomeUser()
	} else if err = takeCgroup(); err == nil {
		code = c.M.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// becomeUser runs this binary again as the ordinary user, in a new cgroup, with copies of
// the files that may be where only root has access.
func becomeUser() (code int, err error) {
	dir, err := os.MkdirTemp("", "skiff-caller")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	env, err := userFiles(dir)
	if err == nil {
		err = ordinaryUser()
	}
	if err != nil {
		return 1, err
	}
	cgroup, err := userCgroup()
	if err != nil {
		return 1, err
	}
	defer cgroup.Close()
	cmd := exec.Command("/proc/self/exe", slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "-test.testlogfile=") // a file of go test, in root's folder
	})...)
	cmd.Args[0], cmd.Dir = os.Args[0], dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID},
		UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
		Pdeathsig: unix.SIGKILL,
	}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// userFiles copies the programs and the scripts into dir, and creates a home there. It
// returns the environment variables with their paths.
func userFiles(dir string) (env []string, err error) {
	if err := os.CopyFS(dir+"/testdata", os.DirFS("testdata")); err != nil {
		return nil, err
	}
	for _, name := range programs {
		b, err := os.ReadFile(os.Getenv(strings.ToUpper(name)))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o755)
		}
		if err != nil {
			return nil, err
		}
		env = append(env, strings.ToUpper(name)+"="+filepath.Join(dir, name))
	}
	home := dir + "/home"
	env = append(env, "HOME="+home, "TMPDIR="+home, "USER=skiffuser", "SKIFF_TEST_STAGE=user", "XDG_RUNTIME_DIR=")
	return env, errors.Join(os.Mkdir(home, 0o755), os.Chown(home, ordinaryID, ordinaryID), reachable(dir))
}

// reachable lets everybody enter dir and its parents.
func reachable(dir string) error {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if st.Mode()&0o001 != 0 {
			continue
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// userCgroup creates a cgroup with all available controllers and delegates it to the user
// (cgroups(7), "Cgroups delegation").
func userCgroup() (*os.File, error) {
	const top = "/sys/fs/cgroup/user"
	if err := os.Mkdir(top, 0o755); err != nil {
		return nil, err
	}
	if err := chownCgroup(top); err != nil {
		return nil, err
	}
	return os.Open(top)
}

func chownCgroup(dir string) error {
	for _, path := range []string{dir, dir + "/cgroup.procs", dir + "/cgroup.subtree_control", dir + "/cgroup.threads"} {
		if err := os.Chown(path, ordinaryID, ordinaryID); err != nil {
			return err
		}
	}
	return nil
}

// takeCgroup sets ownCgroup if the cgroup of this process is delegated to the user. It
// moves the process to a cgroup below: a cgroup that contains processes cannot enable
// controllers for its children.
func takeCgroup() error {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	_, own, ok := strings.Cut("\n"+strings.TrimSpace(string(b)), "\n0::") // the last line is that of cgroup v2
	dir := filepath.Join("/sys/fs/cgroup", own)
	if !ok || unix.Access(dir, unix.W_OK) != nil || unix.Access(dir+"/cgroup.procs", unix.W_OK) != nil {
		return nil
	}
	if err := os.Mkdir(dir+"/harness", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/harness/cgroup.procs", []byte("0"), 0); err != nil {
		return err
	}
	have, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(have)) {
		if err := os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+c), 0); err != nil {
			return err
		}
	}
	ownCgroup = own
	return nil
}

// idRange returns the range of ids that a file like /etc/subuid gives to this user.
func idRange(file string) (first, size int, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	id := strconv.Itoa(os.Getuid())
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] != os.Getenv("USER") && f[0] != id {
			continue
		}
		if first, err = strconv.Atoi(f[1]); err == nil {
			size, err = strconv.Atoi(f[2])
		}
		return first, size, err
	}
	return 0, 0, fmt.Errorf("%s has nothing for %s", file, os.Getenv("USER"))
}

// ownMaps returns the mappings for an ordinary user's bundle, as engines make them: root
// is the user, and the other ids come from the user's own ranges.
var ownMaps = sync.OnceValues(func() (map[string]any, error) {
	maps := make(map[string]any)
	for key, own := range map[string]struct {
		file string
		id   int
	}{"uidMappings": {"/etc/subuid", os.Getuid()}, "gidMappings": {"/etc/subgid", os.Getgid()}} {
		first, size, err := idRange(own.file)
		if err != nil {
			return nil, err
		}
		maps[key] = []any{
			map[string]any{"containerID": 0, "hostID": own.id, "size": 1},
			map[string]any{"containerID": 1, "hostID": first, "size": size},
		}
	}
	return maps, nil
})

// keepUser changes a patch for an ordinary user's config.json, which always needs a user
// namespace: it adds one to a new list of namespaces, and removes it from a list that is
// appended.
func keepUser(patch map[string]any) {
	linux, ok := patch["linux"].(map[string]any)
	if !ok {
		return
	}
	isUser := func(ns any) bool { m, _ := ns.(map[string]any); return m["type"] == "user" }
	joins := func(ns any) bool { m, _ := ns.(map[string]any); return isUser(ns) && m["path"] != nil }
	list, _ := linux["namespaces"].([]any)
	more, _ := linux["namespaces+"].([]any)
	if slices.ContainsFunc(list, joins) {
		for _, key := range []string{"uidMappings", "gidMappings"} {
			if _, ok := linux[key]; !ok {
				linux[key] = nil // the namespace that is joined has its own
			}
		}
	}
	maps, given := linux["uidMappings"]
	if list != nil && !slices.ContainsFunc(list, isUser) && !(given && maps == nil) {
		linux["namespaces"] = append(list, map[string]any{"type": "user"})
	}
	if more != nil {
		linux["namespaces+"] = slices.DeleteFunc(more, isUser)
	}
}

// skipUser returns the reason why a script cannot be run by an ordinary user: it becomes
// one by itself, or needs a delegated cgroup. It returns "" if the script can be run.
func skipUser(work string) string {
	if !byUser() {
		return ""
	}
	if why := ordinaryUsers(); why != "" {
		return why
	}
	name := strings.TrimPrefix(filepath.Base(work), "script-")
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	switch {
	case err != nil:
		return ""
	case strings.Contains(string(text), "\nasuser"):
		return "root's run of it becomes an ordinary user (asuser)"
	case ownCgroup == "" && strings.Contains(string(text), "$CGROUP"):
		return "no cgroup is delegated to the user"
	}
	return ""
}
