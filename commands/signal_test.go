// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSignal(t *testing.T) {
	for s, want := range map[string]unix.Signal{
		"TERM": unix.SIGTERM, "SIGTERM": unix.SIGTERM, "sigterm": unix.SIGTERM, "tErM": unix.SIGTERM,
		"0": 0, "1": unix.SIGHUP, "9": unix.SIGKILL, "37": 37, "64": 64,
		"KILL": unix.SIGKILL, "USR1": unix.SIGUSR1, "WINCH": unix.SIGWINCH, "STKFLT": unix.SIGSTKFLT,
		"CLD": unix.SIGCHLD, "IOT": unix.SIGABRT, "SIGPOLL": unix.SIGIO,
		"RTMIN": 34, "SIGRTMIN": 34, "SIGRTMIN+0": 34, "sigrtmin+3": 37, "RTMIN+30": 64,
		"RTMAX": 64, "SIGRTMAX-0": 64, "RTMAX-14": 50, "SIGRTMAX-30": 34,
	} {
		if got, err := parseSignal(s); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "SIG", "NOSUCH", "65", "-1", "+1", "1.5", "0x9", "256", "99999999999999999999", " 9", "SIGSIGTERM",
		"SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMIN+", "SIGRTMAX+1", "SIGRTMAX-31", "RTMIN3", "RTMIN++1", "RTMIN+-1",
	} {
		if got, err := parseSignal(s); err == nil {
			t.Errorf("%q: got %d, want an error", s, got)
		}
	}
}

// A caught SIGTTIN would make a background job spin, and the Go runtime uses SIGURG.
func TestForwarded(t *testing.T) {
	with, without := forwarded(true), forwarded(false)
	if len(with) != len(without)+1 {
		t.Errorf("%d signals with SIGCHLD, %d without", len(with), len(without))
	}
	has := func(sig unix.Signal) bool {
		for _, s := range without {
			if s == sig {
				return true
			}
		}
		return false
	}
	for _, s := range []unix.Signal{unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU, unix.SIGKILL, unix.SIGSTOP} {
		if has(s) {
			t.Errorf("%v is forwarded", s)
		}
	}
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGWINCH, unix.SIGUSR1, unix.SIGTSTP, sigRTMin, sigRTMax} {
		if !has(s) {
			t.Errorf("%v is not forwarded", s)
		}
	}
}
