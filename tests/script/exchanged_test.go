// SPDX-License-Identifier: Apache-2.0

package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// exchanged is a mount in a volume that is shared with another container, which exchanges
// the mount point with a symlink as soon as the mount is there. strace delays the child
// after each system call that makes mounts.
type exchanged struct {
	name    string
	mounts  string // one of them has the source "marked" and is on /vol/x
	delayed string // the system call that is delayed
}

var exchanges = []exchanged{
	{"iversion", `{"destination": "/vol/x", "type": "tmpfs", "source": "marked", "options": ["ro", "nosuid", "nodev", "iversion"]}`, "mount"},
	{"long value", `{"destination": "/vol/x", "type": "tmpfs", "source": "marked", "options": ["ro", "nosuid", "nodev", "size=` + strings.Repeat("0", 300) + `7m"]}`, "mount"},
	{"remount", `{"destination": "/vol/x", "type": "tmpfs", "source": "marked"},
		{"destination": "/vol/x", "type": "none", "source": "none", "options": ["remount", "bind", "ro", "nosuid", "nodev"]}`, "move_mount"},
	{"remount of the file system", `{"destination": "/vol/x", "type": "tmpfs", "source": "marked"},
		{"destination": "/vol/x", "type": "tmpfs", "source": "marked", "options": ["remount", "ro", "nosuid", "nodev", "size=1m"]}`, "move_mount"},
}

// TestExchanged checks that the options of a mount apply to this mount, even if its mount
// point is replaced by a symlink to another mount before the mount is complete.
func TestExchanged(t *testing.T) {
	isolate.Require(t)
	if out, err := exec.Command("strace", "-f", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace: %v: %s", err, out)
	}
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) { e.test(t) })
	}
}

func (e *exchanged) test(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(dir, "script-exchanged")
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	volume := filepath.Join(dir, "volume")
	if err := os.MkdirAll(volume+"/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/other", volume+"/link"); err != nil {
		t.Fatal(err)
	}
	b := badInput{patch: `{"root": {"readonly": false}, "process": {"args": ["cat", "/proc/self/mountinfo"]}, "linux": {"maskedPaths": [], "readonlyPaths": []}, "mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/other", "type": "tmpfs", "source": "other"},
		{"destination": "/vol", "type": "bind", "source": "` + volume + `", "options": ["bind"]}, ` + e.mounts + `]}`}
	b.bundle(t, w, dir+"/b")

	args := append(w.flags(), "run", "--bundle", dir+"/b", "web")
	cmd := exec.Command("strace", append([]string{"-f", "-o", "/dev/null", "-e", "inject=" + e.delayed + ":delay_exit=200000", w.binary()}, args...)...)
	ended := make(chan struct{})
	found := make(chan bool, 1)
	go func() { found <- exchangeWhenMounted(ended, volume) }()
	out, err := cmd.CombinedOutput()
	close(ended)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !<-found {
		t.Error("the mount was not seen while it was made")
	}
	looks := func(source string) string {
		for line := range strings.Lines(string(out)) {
			if left, right, _ := strings.Cut(line, " - "); strings.HasPrefix(right, "tmpfs "+source+" ") {
				return strings.Fields(left)[5]
			}
		}
		return "missing"
	}
	if got := looks("marked"); !strings.HasPrefix(got, "ro,nosuid,nodev") {
		t.Errorf("the mount is %s, expected ro,nosuid,nodev:\n%s", got, out)
	}
	if got := looks("other"); strings.Contains(got, "nosuid") {
		t.Errorf("another mount is %s:\n%s", got, out)
	}
}

// exchangeWhenMounted exchanges the directory x with the symlink when the mount appears
// in a mount namespace.
func exchangeWhenMounted(ended chan struct{}, volume string) bool {
	for {
		select {
		case <-ended:
			return false
		case <-time.After(time.Millisecond):
		}
		tables, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
		for _, name := range tables {
			if table, err := os.ReadFile(name); err == nil && strings.Contains(string(table), " - tmpfs marked ") {
				return unix.Renameat2(unix.AT_FDCWD, volume+"/x", unix.AT_FDCWD, volume+"/link", unix.RENAME_EXCHANGE) == nil
			}
		}
	}
}
