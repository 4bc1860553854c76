package script

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// pidDir is a directory of a world where pid files are, and nothing else.
func pidDir(w *world) string { return filepath.Join(w.work, ".pids") }

func makePidDir(w *world) error {
	dir := pidDir(w)
	return errors.Join(os.Mkdir(dir, 0o755), w.own(dir))
}

// clearPidDir removes the pid file, which a call that was killed may have
// written: all of it. Nothing else is left.
func clearPidDir(w *world) error {
	entries, err := os.ReadDir(pidDir(w))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(pidDir(w), e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := strconv.Atoi(string(b)); err != nil || e.Name() != "pid" {
			return fmt.Errorf("%s is left behind: %q", e.Name(), b)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
