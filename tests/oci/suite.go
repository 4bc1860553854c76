// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// suite is a built suite. Its folder is laid out as the programs expect their working
// directory to be: it has the programs, runtimetest and rootfs-ARCH.tar.gz.
type suite struct {
	dir      string
	all      []string // all programs of the suite, sorted
	programs []string // those to run
}

// newSuite builds the suite in a temporary folder.
func newSuite() (*suite, error) {
	dir, err := os.MkdirTemp("", "skiff-oci-")
	if err != nil {
		return nil, err
	}
	s := &suite{dir: dir}
	if err := s.build(); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *suite) remove() { os.RemoveAll(s.dir) }

// build builds all programs; they are the tools in this module's go.mod.
func (s *suite) build() error {
	overlay, err := keepLimits()
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(overlay))
	// runtimetest must be static: it runs in a rootfs without a C library.
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-overlay", overlay, "-o", s.dir+"/", "tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the suite: %w\n%s", err, out)
	}
	return writeRootfs(filepath.Join(s.dir, "rootfs-"+runtime.GOARCH+".tar.gz"))
}

// choose lists all programs of the suite, and those that match run (nil: all).
func (s *suite) choose(run *regexp.Regexp) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // sorted
		if e.IsDir() || e.Name() == "runtimetest" || strings.HasPrefix(e.Name(), "rootfs-") {
			continue
		}
		s.all = append(s.all, e.Name())
		if run == nil || run.MatchString(e.Name()) {
			s.programs = append(s.programs, e.Name())
		}
	}
	if len(s.programs) == 0 {
		return fmt.Errorf("no program of the suite matches %q", run)
	}
	return nil
}

// keepLimits creates a build overlay in which package syscall does not raise the soft
// limit of open files at start, as it does since Go 1.19. runtimetest is older than that:
// it reads the limit to check what the runtime has set.
func keepLimits() (path string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src/syscall/rlimit.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(text), "func init() {", "func raiseAtStart() {", 1)
	if changed == string(text) {
		return "", fmt.Errorf("%s raises no limit at start: this Go does it elsewhere", original)
	}
	work, err := os.MkdirTemp("", "skiff-oci-overlay-")
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(work, "rlimit.go")
	if err := os.WriteFile(replacement, []byte(changed), 0o644); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(work, "overlay.json")
	return path, os.WriteFile(path, b, 0o644)
}

// writeRootfs writes the rootfs that the programs unpack for each container: a static
// busybox with a link for each applet.
func writeRootfs(path string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("the rootfs needs a static busybox (Debian's busybox-static): %w", err)
	}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	if err := fillRootfs(t, busybox, strings.Fields(string(applets))); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

func fillRootfs(t *tar.Writer, busybox string, applets []string) error {
	for _, d := range []string{"./", "./bin/", "./dev/", "./etc/", "./proc/", "./sys/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}); err != nil {
			return err
		}
	}
	if err := addFile(t, "./bin/busybox", busybox); err != nil {
		return err
	}
	for _, a := range applets {
		if a == "busybox" {
			continue
		}
		h := &tar.Header{Typeflag: tar.TypeSymlink, Name: "./bin/" + a, Linkname: "busybox"}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
	}
	for _, name := range []string{"./etc/passwd", "./etc/group"} {
		line := "root:x:0:0:root:/root:/bin/sh\n"
		if name == "./etc/group" {
			line = "root:x:0:\n"
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(line))}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(t, line); err != nil {
			return err
		}
	}
	return nil
}

func addFile(t *tar.Writer, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: fi.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// runAll runs the programs, o.jobs at once, and returns their results in order. A program
// that fails, is not listed, and may have failed because of the load runs once more,
// alone.
func (s *suite) runAll(o options, h *host, listed map[string]row) []result {
	results := make([]result, len(s.programs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, o.jobs))
	for i, p := range s.programs {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			results[i] = runCell(s.dir, p, o, h)
		}()
	}
	wg.Wait()
	for i, r := range results {
		if _, known := listed[r.program]; !known && r.mayBeSlow() {
			results[i] = runCell(s.dir, s.programs[i], o, h)
		}
	}
	return results
}
