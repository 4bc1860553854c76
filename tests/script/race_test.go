// SPDX-License-Identifier: Apache-2.0

package script

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// raceTime is how long each race runs.
const raceTime = 2 * time.Second

// race is a path that another process, which shares the rootfs, exchanges with a symlink
// again and again while containers are created.
type race struct {
	name  string
	patch string
	file  string // path in the rootfs; it is exchanged with the symlink
	link  string // target of the symlink; $O is a directory of the host
}

func races() []race {
	proc := `{"destination": "/proc", "type": "proc", "source": "proc"}`
	return []race{
		// CVE-2021-30465: the mount is made outside.
		{"mount", `{"mounts+": [{"destination": "/vol/x", "type": "tmpfs", "source": "tmpfs"}]}`, "vol/x", "$O"},
		// CVE-2024-45310: directories are created outside.
		{"mkdir", `{"mounts+": [{"destination": "/vol/x/a/b", "type": "tmpfs", "source": "tmpfs"}]}`, "vol/x", "$O"},
		// CVE-2026-41579: device nodes are created outside.
		{"dev", `{"mounts": [` + proc + `]}`, "dev", "$O"},
		// CVE-2019-19921: proc is mounted elsewhere.
		{"proc", `{"mounts": [` + proc + `]}`, "proc", "$O"},
		// CVE-2025-31133: a path is masked with a file of the host.
		{"null", `{"mounts": [` + proc + `], "linux": {"maskedPaths": ["/masked"]}}`, "dev/null", "$O/file"},
	}
}

// TestRaces creates containers while a path in the rootfs is exchanged with a symlink to
// the host. Containers may fail to start, but the host must not change and a masked path
// must not be readable.
func TestRaces(t *testing.T) {
	isolate.Require(t)
	for _, r := range races() {
		t.Run(r.name, func(t *testing.T) { r.test(t) })
	}
}

func (r *race) test(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(dir, "script-race-"+r.name)
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	b := badInput{patch: r.patch}
	b.bundle(t, w, filepath.Join(dir, "b"))
	config := filepath.Join(dir, "b/config.json")
	if err := patchText(config, `{"root": {"readonly": false}, "process": {"args": ["sh", "-c", "cat /masked; echo pwned >/masked"]}}`); err != nil {
		t.Fatal(err)
	}
	outside, rootfs := filepath.Join(dir, "outside"), filepath.Join(dir, "b/rootfs")
	r.prepare(t, rootfs, outside)
	stop := exchange(t, filepath.Join(rootfs, r.file), filepath.Join(dir, "b/link"))
	runs, failed := 0, 0
	for end := time.Now().Add(raceTime); time.Now().Before(end); runs++ {
		result, err := w.run(dir, os.Environ(), "run", "--bundle", dir+"/b", "web")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(result.stderr, "level=error") {
			failed++
		}
		if strings.Contains(result.stdout, "secret") && strings.Contains(r.patch, "maskedPaths") {
			t.Errorf("what is hidden is seen: %q", result.stdout)
		}
		r.checkOutside(t, outside)
	}
	stop()
	t.Logf("%d runs, %d of them failed", runs, failed)
	left, err := w.leftovers()
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %q", err, left)
	}
}

// prepare creates the directory of the host, the file that is masked, and the two paths
// that are exchanged.
func (r *race) prepare(t *testing.T, rootfs, outside string) {
	t.Helper()
	file := filepath.Join(rootfs, r.file)
	steps := []error{
		os.Mkdir(outside, 0o755), os.WriteFile(outside+"/file", []byte("host"), 0o644),
		os.WriteFile(rootfs+"/masked", []byte("secret"), 0o644), os.MkdirAll(filepath.Dir(file), 0o755),
		os.Symlink(strings.ReplaceAll(r.link, "$O", outside), filepath.Join(filepath.Dir(rootfs), "link")),
	}
	if r.name == "null" {
		steps = append(steps, unix.Mknod(file, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	} else {
		steps = append(steps, os.MkdirAll(file, 0o755))
	}
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkOutside checks that the directory of the host has not changed.
func (r *race) checkOutside(t *testing.T, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(outside + "/file")
	if err != nil || len(entries) != 1 || string(text) != "host" {
		t.Fatalf("outside was changed: %v, file %q, %v", entries, text, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), " "+outside) {
		t.Fatalf("a mount is outside: %v\n%s", err, mounts)
	}
}

// exchange exchanges two paths again and again until stop is called.
func exchange(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), sync.WaitGroup{}
	ended.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
					t.Errorf("renameat2: %v", err)
					return
				}
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
	}
}
