// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// parseRules parses "CALL=ANSWER,...": a system call by name or number, and what to do
// with it: the name of an error, "fake" or "continue".
func parseRules(text string) (map[int32]rule, error) {
	rules := make(map[int32]rule)
	if text == "" {
		return rules, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, answer, ok := strings.Cut(part, "=")
		nr, known := callNumber(name)
		if !ok || !known {
			return nil, fmt.Errorf("metadata %q: %q is no CALL=ANSWER, or no call that is known here", text, part)
		}
		r, err := parseAnswer(answer)
		if err != nil {
			return nil, fmt.Errorf("metadata %q: %w", text, err)
		}
		if nr != lacking {
			rules[nr] = r
		}
	}
	return rules, nil
}

func parseAnswer(word string) (rule, error) {
	switch word {
	case "continue":
		return rule{}, nil
	case "fake":
		return rule{fake: true}, nil
	}
	for e := syscall.Errno(1); e < 134; e++ {
		if unix.ErrnoName(e) == word {
			return rule{errno: e}, nil
		}
	}
	return rule{}, fmt.Errorf("answer %q: the name of an error, fake or continue is expected", word)
}

func callNumber(name string) (int32, bool) {
	for i := range calls {
		if calls[i].name == name {
			return calls[i].nr, true
		}
	}
	nr, err := strconv.ParseInt(name, 10, 32)
	return int32(nr), err == nil && nr >= 0
}

func callName(nr int32) string {
	for i := range calls {
		if calls[i].nr == nr && nr != lacking {
			return calls[i].name
		}
	}
	return fmt.Sprintf("system call %d", nr)
}

type call struct {
	name string
	nr   int32
}

// lacking stands for the number of a call that the architecture does not have.
const lacking = -1

// calls has the system calls that are known by name; others are given by number.
var calls = append(legacyCalls, []call{
	{"mkdirat", unix.SYS_MKDIRAT}, {"openat", unix.SYS_OPENAT}, {"mknodat", unix.SYS_MKNODAT}, {"unlinkat", unix.SYS_UNLINKAT},
	{"fchmodat", unix.SYS_FCHMODAT}, {"fchownat", unix.SYS_FCHOWNAT}, {"mount", unix.SYS_MOUNT}, {"umount2", unix.SYS_UMOUNT2},
	{"execve", unix.SYS_EXECVE}, {"sendmsg", unix.SYS_SENDMSG}, {"recvmsg", unix.SYS_RECVMSG}, {"read", unix.SYS_READ},
	{"accept4", unix.SYS_ACCEPT4}, {"close", unix.SYS_CLOSE}, {"close_range", unix.SYS_CLOSE_RANGE}, {"capset", unix.SYS_CAPSET},
	{"bpf", unix.SYS_BPF}, {"socket", unix.SYS_SOCKET}, {"connect", unix.SYS_CONNECT}, {"setsid", unix.SYS_SETSID},
}...)
