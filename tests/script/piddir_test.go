// SPDX-License-Identifier: Apache-2.0

package script

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// pidDir returns the directory of a world for pid files; it contains nothing else.
func pidDir(w *world) string { return filepath.Join(w.work, ".pids") }

func makePidDir(w *world) error {
	dir := pidDir(w)
	return errors.Join(os.Mkdir(dir, 0o755), w.giveToUser(dir))
}

// clearPidDir removes the pid file, if a call has written one. It is an error if the file
// is incomplete, or if there is any other file.
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
