// SPDX-License-Identifier: Apache-2.0

package script

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// busybox returns the host's busybox, which must be static, and those of its applets that
// scripts use. To link all of them would take most of the time of the scripts.
var busybox = sync.OnceValues(func() (binary []byte, applets []string) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		panic(fmt.Sprintf("the scripts need busybox (Debian: busybox-static): %v", err))
	}
	f, err := elf.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if f.Section(".interp") != nil {
		panic(fmt.Sprintf("%s is not static (Debian: busybox-static is)", path))
	}
	list, err := exec.Command(path, "--list").Output()
	if err != nil {
		panic(err)
	}
	if binary, err = os.ReadFile(path); err != nil {
		panic(err)
	}
	return binary, usedInScripts(strings.Fields(string(list)))
})

// usedInScripts returns the names that are words of some script.
func usedInScripts(names []string) []string {
	words := make(map[string]bool)
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		panic(fmt.Sprintf("testdata has no scripts: %v", err))
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			panic(err)
		}
		for _, w := range regexp.MustCompile(`[\w.-]+|\[+`).FindAllString(string(text), -1) {
			words[w] = true
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !words[name] })
}

// fillRootfs creates a root file system with busybox.
func fillRootfs(dir string) error {
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	binary, applets := busybox()
	// A process that is forked meanwhile would have the file open for writing, and until
	// it executes its own program nobody could execute this one (ETXTBSY).
	syscall.ForkLock.RLock()
	err := os.WriteFile(filepath.Join(dir, "bin/busybox"), binary, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	for _, a := range applets {
		if a == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", a)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "etc/group"), []byte("root:x:0:\n"), 0o644)
}
