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

// raceTime is how long each of the races goes on.
const raceTime = 2 * time.Second

// race is what somebody who shares the rootfs exchanges with a symlink all the
// time while containers are made.
type race struct {
	name  string
	patch string
	file  string // below the rootfs, exchanged with the symlink
	link  string // to where it leads; $O is a directory of the host
}

func races() []race {
	proc := `{"destination": "/proc", "type": "proc", "source": "proc"}`
	return []race{
		// CVE-2021-30465: the mount lands outside.
		{"mount", `{"mounts+": [{"destination": "/vol/x", "type": "tmpfs", "source": "tmpfs"}]}`, "vol/x", "$O"},
		// CVE-2024-45310: directories are made outside.
		{"mkdir", `{"mounts+": [{"destination": "/vol/x/a/b", "type": "tmpfs", "source": "tmpfs"}]}`, "vol/x", "$O"},
		// CVE-2026-41579: device nodes are made outside.
		{"dev", `{"mounts": [` + proc + `]}`, "dev", "$O"},
		// CVE-2019-19921: proc lands elsewhere.
		{"proc", `{"mounts": [` + proc + `]}`, "proc", "$O"},
		// CVE-2025-31133: a path is hidden under a file of the host's.
		{"null", `{"mounts": [` + proc + `], "linux": {"maskedPaths": ["/masked"]}}`, "dev/null", "$O/file"},
	}
}

// TestRaces makes containers while a path of the image is exchanged with a
// symlink to the host: a start may fail, but the host is as it was, and nothing
// hidden is seen.
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
	r.lay(t, rootfs, outside)
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
		r.look(t, outside)
	}
	stop()
	t.Logf("%d runs, %d of them failed", runs, failed)
	left, err := w.leftovers()
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %q", err, left)
	}
}

// lay makes the host's directory, what is to be hidden and the two that are to
// be exchanged.
func (r *race) lay(t *testing.T, rootfs, outside string) {
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

// look makes sure that the host's directory is as it was.
func (r *race) look(t *testing.T, outside string) {
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

// exchange exchanges two files until it is told to stop.
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
