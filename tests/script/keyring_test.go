// SPDX-License-Identifier: Apache-2.0

package script

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// If the kernel does not create a key because of a limit, the error names the user and
// the limit.
func TestKeyringQuota(t *testing.T) {
	isolate.Require(t)
	const owner = 734501
	fillKeys(t, owner)
	dir := t.TempDir()
	w := newWorld(dir, "script-keyring")
	b := badInput{patch: fmt.Sprintf(`{"linux": {"namespaces+": [{"type": "user"}],
		"uidMappings": [{"containerID": 0, "hostID": %d, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": %[1]d, "size": 1}]}}`, owner)}
	b.bundle(t, w, dir+"/b")
	r, err := w.run(dir, os.Environ(), "run", "--bundle", dir+"/b", "web")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("join the session keyring _ses.web: disk quota exceeded (user %d has reached the limit on keys, /proc/sys/kernel/keys/maxkeys, or on their size, maxbytes; --no-new-keyring avoids a new key)", owner)
	if r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("exit status %d, %s", r.code, r.stderr)
	}
}

// fillKeys creates as many keys as a user may have. They exist until the end of the test.
func fillKeys(t *testing.T, uid int) {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/keys/maxkeys")
	if err != nil {
		t.Skipf("the kernel has no keys: %v", err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || limit > 10000 {
		t.Skipf("the limit is %q keys", text)
	}
	ready, done, ended := make(chan error), make(chan bool), make(chan bool)
	go func() {
		// The keys are in the keyring of this thread, which becomes the user and
		// ends with the test.
		runtime.LockOSThread()
		defer close(ended)
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			ready <- e
			return
		}
		var err error
		for i := 0; i <= limit && err == nil; i++ {
			_, err = unix.AddKey("user", fmt.Sprintf("skiff-test-%d", i), []byte("x"), unix.KEY_SPEC_THREAD_KEYRING)
		}
		ready <- err
		<-done
	}()
	err = <-ready
	t.Cleanup(func() { close(done); <-ended })
	if err != unix.EDQUOT {
		t.Fatalf("filling up the limit: %v", err)
	}
}
