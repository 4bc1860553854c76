// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	at := clock{ahead: 1000, known: true}
	long := strings.Repeat("x", 4080)
	for _, s := range []struct {
		in, out string // out: messages, separated by |
		marks   string
	}{
		// Lines that are passed on.
		{"READY=1", "READY=1\nMAINPID=42", "ready"},
		{"READY=1\n", "READY=1\nMAINPID=42", "ready"},
		{"READY=1\x00", "", ""}, // check has already removed one NUL at the end
		{"STATUS=a b=c\nREADY=1\nWATCHDOG=1\n", "STATUS=a b=c\nWATCHDOG=1\nREADY=1\nMAINPID=42", "ready"},
		{"READY=1\nREADY=1\nREADY=1", "READY=1\nMAINPID=42", "ready"},
		{"RELOADING=1\nMONOTONIC_USEC=5000", "RELOADING=1\nMONOTONIC_USEC=4000", ""},
		{"STATUS=", "STATUS=", ""},
		{"STATUS=Überprüfung ✓ 100 %", "STATUS=Überprüfung ✓ 100 %", ""},
		{"ERRNO=2", "ERRNO=2", ""},
		{"BUSERROR=org.freedesktop.DBus.Error.TimedOut", "BUSERROR=org.freedesktop.DBus.Error.TimedOut", ""},
		{"VARLINKERROR=org.varlink.service.InvalidParameter", "VARLINKERROR=org.varlink.service.InvalidParameter", ""},
		{"EXIT_STATUS=3", "EXIT_STATUS=3", ""},
		{"WATCHDOG=1", "WATCHDOG=1", ""},
		{"X_OWN_2=a=b", "X_OWN_2=a=b", ""},

		// Lines that are not: they would be orders to the manager.
		{"MAINPID=1", "", ""},
		{"MAINPIDFD=1", "", ""},
		{"MAINPIDFDID=5", "", ""},
		{"NOTIFYACCESS=all", "", ""},
		{"STOPPING=1", "", ""},
		{"WATCHDOG=trigger", "", ""},
		{"WATCHDOG_USEC=1", "", ""},
		{"EXTEND_TIMEOUT_USEC=18446744073709551615", "", ""},
		{"RESTART_RESET=1", "", ""},
		{"FDSTORE=1\nFDNAME=x\nFDPOLL=0", "", ""},
		{"FDSTOREREMOVE=1\nFDNAME=x", "", ""},
		{"BARRIER=1", "", "barrier"},
		{"BARRIER=0", "", ""},
		{"WATCHDOG=1\nBARRIER=1", "WATCHDOG=1", "barrier"},
		{"INVENTED_LATER=1", "", ""},

		// Lines end at \r, too, so that nothing hides after one.
		{"STATUS=a\rMAINPID=1\rNOTIFYACCESS=all", "STATUS=a", ""},
		{"STATUS=a\r\nREADY=1\r\n", "STATUS=a\nREADY=1\nMAINPID=42", "ready"},
		{"X_A=1\rWATCHDOG=trigger", "X_A=1", ""},

		// Invalid names and values.
		{"", "", ""},
		{"\n\r\n", "", ""},
		{"READY", "", ""},
		{"READY=0", "", ""},
		{"READY=1 ", "", ""},
		{"ready=1", "", ""},
		{" READY=1", "", ""},
		{"RELOADING=2\nSTATUS=x", "STATUS=x", ""},
		{"=1", "", ""},
		{"X_=1", "", ""},
		{"X_a=1", "", ""},
		{"X_A\x1b[2J=1", "", ""},
		{"MONOTONIC_USEC=-1", "", ""},
		{"MONOTONIC_USEC=999", "", ""}, // before the host's clock started
		{"MONOTONIC_USEC=9223372036854775808", "", ""},
		{"ERRNO=-1", "", ""},
		{"ERRNO=99999", "", ""},
		{"ERRNO=\x1b", "", ""},
		{"EXIT_STATUS=SIGKILL", "", ""},
		{"BUSERROR=a b", "", ""},
		{"BUSERROR=" + strings.Repeat("a", 256), "", ""},
		{"VARLINKERROR=", "", ""},

		// The text may be shown on a terminal, and systemd wants UTF-8.
		{"STATUS=\x1b[2Ja\tb\x7fc\u009bd", "STATUS=?[2Ja?b?c?d", ""},
		{"STATUS=a\xff\xfeb", "STATUS=a??b", ""},
		{"X_A=\x07", "X_A=?", ""},

		// One message would be too long for systemd.
		{"STATUS=" + long + "\nREADY=1", "STATUS=" + long + "|READY=1\nMAINPID=42", "ready"},
		{strings.Repeat("READY=1\n", 512), "READY=1\nMAINPID=42", "ready"},
	} {
		v := judge(s.in, 42, &at)
		var marks []string
		if v.ready {
			marks = append(marks, "ready")
		}
		if v.barrier {
			marks = append(marks, "barrier")
		}
		if out := strings.Join(v.messages, "|"); out != s.out || fmt.Sprint(marks) != "["+s.marks+"]" {
			t.Errorf("%q: %q, %v; expected %q, %q", s.in, out, marks, s.out, s.marks)
		}
		for _, m := range v.messages {
			if len(m) > maxMessage || m == "" {
				t.Errorf("%q: a message of %d bytes", s.in, len(m))
			}
		}
	}
}

// Without a main pid, since the manager is on another machine, and without a clock,
// since the container has ended.
func TestJudgeWithout(t *testing.T) {
	v := judge("RELOADING=1\nMONOTONIC_USEC=5\nREADY=1", 0, new(clock))
	if !v.ready || len(v.messages) != 1 || v.messages[0] != "RELOADING=1\nREADY=1" {
		t.Errorf("%+v", v)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("STATUS=a\rMAINPID=1\nREADY=1")
	f.Fuzz(func(t *testing.T, in string) {
		in = in[:min(len(in), maxMessage)]
		at := clock{ahead: -1, known: true}
		for _, m := range judge(in, 42, &at).messages {
			if m == "" || len(m) > maxMessage {
				t.Errorf("%q: a message of %d bytes", in, len(m))
			}
			for line := range strings.SplitSeq(m, "\n") {
				name, value, _ := strings.Cut(line, "=")
				if name != "MAINPID" && ruleOf(name) == nil || name == "MAINPID" && value != "42" || strings.ContainsFunc(value, unprintable) {
					t.Errorf("%q: %q is passed on", in, line)
				}
			}
		}
	})
}

func TestCheckMessage(t *testing.T) {
	for _, s := range []struct {
		in, text string
		ok       bool
	}{
		{"READY=1", "READY=1", true},
		{"READY=1\x00", "READY=1", true},
		{"", "", true},
		{"READY=1\x00\x00", "", false},
		{"A\x00READY=1", "", false},
		{strings.Repeat("x", 4096), strings.Repeat("x", 4096), true},
		{strings.Repeat("x", 4097), "", false},
	} {
		if text, bad := check([]byte(s.in)); text != s.text || (bad == "") != s.ok {
			t.Errorf("%d bytes: %d bytes, %q", len(s.in), len(text), bad)
		}
	}
}

func TestMonotonicOffset(t *testing.T) {
	for text, want := range map[string]string{
		"": "0 false",
		"monotonic           0         0\nboottime            0         0\n": "0 true",
		"monotonic    86400 500000000\nboottime 3 0\n":                       "86400500000 true",
		"monotonic  -10  5000\n":                                             "-9999995 true",
		"monotonic 9223372036854775807 0\n":                                  "0 false",
		"boottime 5 0\nmonotonic x 0\n":                                      "0 false",
	} {
		usec, ok := monotonicOffset(text)
		if got := fmt.Sprint(usec, " ", ok); got != want {
			t.Errorf("%q: %s, expected %s", text, got, want)
		}
	}
}
