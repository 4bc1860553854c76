// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

func TestRefusal(t *testing.T) {
	plain, asks := &call{name: "openat2"}, &call{name: "fsopen", asks: true}
	const (
		forbids = "a seccomp filter around skiff forbids the system call "
		lacks   = "the kernel does not have the system call openat2"
		old     = "5.10.0-32-amd64"
		older   = ": Linux 5.14 or newer is required, this is Linux 5.10.0-32-amd64"
	)
	for _, c := range []struct {
		name    string
		call    *call
		errno   unix.Errno
		tried   tried
		words   string
		certain bool
	}{
		{"an older kernel", plain, unix.ENOSYS, tried{again: unix.ENOSYS, release: old}, lacks + older, true},
		{"a newer kernel without the call", plain, unix.ENOSYS, tried{again: unix.ENOSYS, release: "6.1.0-50-amd64"}, lacks, true},
		{"a filter that denies the call, or an older kernel", plain, unix.ENOSYS, tried{filtered: true, again: unix.ENOSYS, release: old}, forbids + "openat2, or the kernel does not have it" + older, true},
		{"a filter that denies the call, on a newer kernel", plain, unix.ENOSYS, tried{filtered: true, again: unix.ENOSYS, release: "6.12.117"}, forbids + "openat2, or the kernel does not have it", true},
		{"a filter on an older kernel", plain, unix.EPERM, tried{filtered: true, again: unix.EPERM, release: old}, forbids + "openat2", true},
		{"a filter", plain, unix.EPERM, tried{filtered: true, again: unix.EPERM}, forbids + "openat2", true},
		{"a filter that lets the call through", plain, unix.EPERM, tried{filtered: true, again: unix.EINVAL}, "", false},
		{"no filter", plain, unix.EPERM, tried{again: unix.EPERM}, "", false},
		{"a privilege that root has", asks, unix.EPERM, tried{filtered: true, again: unix.EPERM, admin: true}, forbids + "fsopen", true},
		{"a privilege that we may lack", asks, unix.EPERM, tried{filtered: true, again: unix.EPERM}, forbids + "fsopen", false},
		{"a privilege that root has, and no filter", asks, unix.EPERM, tried{again: unix.EFAULT, admin: true}, "", false},
	} {
		if r := refusal(c.call, c.errno, c.tried); r.Words != c.words || r.Certain != c.certain {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestTooOld(t *testing.T) {
	const needed = "Linux 5.14 or newer is required, this is Linux "
	for release, want := range map[string]string{
		"4.18.0-553.el8_10.x86_64": needed + "4.18.0-553.el8_10.x86_64",
		"5.4.0":                    needed + "5.4.0",
		"5.10.0-32-amd64":          needed + "5.10.0-32-amd64",
		"5.13.19-2-pve":            needed + "5.13.19-2-pve",
		"5.14.0-427.el9.x86_64":    "",
		"5.14":                     "",
		"6.1.0-50-amd64":           "",
		"6.12.117+deb13-arm64":     "",
		"10.0.0":                   "",
		"":                         "",
		"unknown":                  "",
	} {
		if have := tooOld(release); have != want {
			t.Errorf("%q: %q", release, have)
		}
	}
	if tooOld(release()) != "" {
		t.Errorf("the tests run on Linux %s", release())
	}
}

func TestRefusalAdd(t *testing.T) {
	err := fmt.Errorf("fsopen: %w (CAP_SYS_ADMIN is needed)", unix.EPERM)
	for _, c := range []struct {
		r    Refusal
		want string
	}{
		{Refusal{}, "fsopen: operation not permitted (CAP_SYS_ADMIN is needed)"},
		{Refusal{"a filter forbids it", true}, "fsopen: operation not permitted (CAP_SYS_ADMIN is needed) (a filter forbids it)"},
		{Refusal{"a filter forbids it", false}, "fsopen: operation not permitted (CAP_SYS_ADMIN is needed) (perhaps a filter forbids it)"},
	} {
		have := c.r.Add(err)
		if have.Error() != c.want || !errors.Is(have, unix.EPERM) {
			t.Errorf("%+v: %v", c.r, have)
		}
		if hint := fault.Of(have).Hint; !strings.HasSuffix(hint, c.r.Words) {
			t.Errorf("%+v: hint %q", c.r, hint)
		}
	}
}

// With invalid arguments every call fails, whoever makes it, or changes nothing. A call
// that the kernel allows is not reported as forbidden.
func TestCallsTried(t *testing.T) {
	harmless := []string{"setresgid", "setresuid"} // -1 leaves an id unchanged
	for i := range calls {
		c := &calls[i]
		if errno := c.try(); errno == 0 && !slices.Contains(harmless, c.name) {
			t.Errorf("%s succeeds", c.name)
		} else if errno == unix.EPERM && !c.asks && !filtered() {
			t.Errorf("%s asks for privileges first", c.name)
		}
	}
	if !slices.IsSortedFunc(calls[:], func(a, b call) int { return strings.Compare(a.name, b.name) }) {
		t.Error("the calls are not in order")
	}
}
