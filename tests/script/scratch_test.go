// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// scratchVariable is the environment variable with a directory, which everybody can
// enter, for what the tests keep until all of them end. The first process of the tests
// makes and removes it: those in the namespaces may be killed, and are in mount namespaces
// that have some of its files mounted.
const scratchVariable = "SKIFF_TEST_SCRATCH"

func makeScratch() (remove func(), err error) {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "skiff-script")
	if err != nil {
		return nil, err
	}
	remove = func() {
		os.RemoveAll(dir)
		removeYards(begun)
	}
	return remove, errors.Join(os.Chmod(dir, 0o755), os.Setenv(scratchVariable, dir))
}

// removeYards removes the empty directories in which CRIU has put mounts together and
// which it leaves when it fails, as it does in some scripts. Those of another CRIU that
// runs now are left: they are mounted, or have just been made.
func removeYards(begun time.Time) {
	yards, _ := filepath.Glob("/tmp/.criu.mntns.*")
	if len(yards) == 0 {
		return
	}
	var mounted [][]byte
	infos, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, info := range infos {
		if b, err := os.ReadFile(info); err == nil {
			mounted = append(mounted, b)
		}
	}
	all := bytes.Join(mounted, nil)
	for _, yard := range yards {
		st, err := os.Lstat(yard)
		if err == nil && st.ModTime().After(begun) && time.Since(st.ModTime()) > 5*time.Second && !bytes.Contains(all, []byte(yard+" ")) {
			_ = os.Remove(yard)
		}
	}
}
