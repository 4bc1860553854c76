// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals, as the C library numbers them: it reserves the kernel's first
// two, 32 and 33.
const (
	sigRTMin unix.Signal = 34
	sigRTMax unix.Signal = 64
)

// parseSignal parses a signal's number, or its name in any case and with or without SIG.
// 0 sends nothing, but checks that the process exists (kill(2)).
func parseSignal(s string) (unix.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= uint64(sigRTMax) {
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n := namedSignal(name); n != 0 {
		return n, nil
	}
	return 0, misuse("unknown signal %q: must be a name such as SIGTERM or SIGRTMIN+3, or a number from 0 to %d", s, int(sigRTMax))
}

// namedSignal returns the signal of a name without SIG, or 0 for an unknown name.
func namedSignal(name string) unix.Signal {
	switch name {
	case "CLD":
		return unix.SIGCHLD
	case "IOT":
		return unix.SIGABRT
	case "POLL":
		return unix.SIGIO
	}
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		return realTime(sigRTMin, rest, "+")
	}
	if rest, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return realTime(sigRTMax, rest, "-")
	}
	return unix.SignalNum("SIG" + name)
}

// realTime returns the real-time signal at an offset from base: "+3" if sign is "+", and
// "-3" if it is "-". It is 0 if there is no such signal.
func realTime(base unix.Signal, offset, sign string) unix.Signal {
	if offset == "" {
		return base
	}
	digits, ok := strings.CutPrefix(offset, sign)
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || n > uint64(sigRTMax-sigRTMin) {
		return 0
	}
	if sign == "-" {
		return base - unix.Signal(n)
	}
	return base + unix.Signal(n)
}
