// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage is the maximum length of a message in bytes: systemd ignores longer ones.
const maxMessage = 4096

// rule checks or converts a variable's value. If ok is false, the line is left out.
type rule func(value string, c *clock) (out string, ok bool)

// ruleOf returns the rule for a variable of sd_notify(3) that a container may set. All
// others are left out, including those that a later systemd may add:
//
//	MAINPID, MAINPIDFD, MAINPIDFDID   the container's pids are not the host's;
//	                                  skiff adds its own MAINPID to READY=1
//	NOTIFYACCESS                      would let other processes of the host send
//	STOPPING                          makes the manager kill the service, which
//	                                  is skiff, if stopping takes long: the
//	                                  container would run on, unsupervised. The
//	                                  manager sees the end when skiff ends
//	WATCHDOG=trigger, WATCHDOG_USEC   likewise, even if the unit has no watchdog
//	EXTEND_TIMEOUT_USEC,              would lift a limit that the unit's
//	RESTART_RESET                     administrator has set, and could keep the
//	                                  host from booting or shutting down
//	FDSTORE, FDSTOREREMOVE, FDNAME,   descriptors of a container stay out of the
//	FDPOLL                            manager, which is the host's init: closing
//	                                  one can take as long as its creator wants
//	                                  (FUSE, SO_LINGER)
//	BARRIER                           is handled by relay.go
func ruleOf(name string) rule {
	switch name {
	case "READY", "RELOADING", "WATCHDOG":
		return one
	case "MONOTONIC_USEC":
		return hostTime
	case "STATUS":
		return printable
	case "ERRNO", "EXIT_STATUS":
		return decimal
	case "BUSERROR", "VARLINKERROR":
		return dotted
	}
	if own, ok := strings.CutPrefix(name, "X_"); ok && own != "" && isName(own) {
		return printable // free for any service
	}
	return nil
}

func isName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

func one(value string, _ *clock) (string, bool) { return value, value == "1" }

// decimal accepts a decimal number that fits in 16 bits, as errnos and exit statuses
// do.
func decimal(value string, _ *clock) (string, bool) {
	n, err := strconv.ParseUint(value, 10, 16)
	return strconv.FormatUint(n, 10), err == nil
}

// dotted accepts an error name of D-Bus or Varlink.
func dotted(value string, _ *clock) (string, bool) {
	bad := func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return value, value != "" && len(value) <= 255 && !strings.ContainsFunc(value, bad)
}

// printable replaces characters that are not printable: systemctl prints the text
// unchanged to a terminal, and systemd refuses what is not UTF-8. The text never gets
// longer.
func printable(value string, _ *clock) (string, bool) {
	if !strings.ContainsFunc(value, unprintable) {
		return value, true
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, value), true
}

// unprintable reports whether r is a control character or stands for invalid UTF-8.
func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

// hostTime converts a time of the container's CLOCK_MONOTONIC to the manager's, which a
// time namespace may have made different.
func hostTime(value string, c *clock) (string, bool) {
	t, err := strconv.ParseInt(value, 10, 64)
	if err != nil || t < 0 || !c.known {
		return "", false
	}
	t -= c.ahead
	return strconv.FormatInt(t, 10), t >= 0
}

// verdict is the result of judging a message.
type verdict struct {
	messages []string // to send, in this order
	ready    bool     // the last of them has READY=1
	barrier  bool     // it has BARRIER=1
}

// judge filters the lines of a message; like systemd, it also ends lines at \r. If
// there is a READY=1 and main, the main pid of the service, is not 0, MAINPID goes into
// the same message as READY=1, so that the manager never knows one without the other.
func judge(text string, main int, c *clock) (v verdict) {
	var rest, state []string // state has the lines that must be in one message, each once
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		name, value, _ := strings.Cut(line, "=")
		if name == "BARRIER" {
			v.barrier = v.barrier || value == "1"
			continue
		}
		r := ruleOf(name)
		if r == nil {
			continue
		}
		value, ok := r(value, c)
		if !ok {
			continue
		}
		line = name + "=" + value
		if !isState(name) {
			rest = append(rest, line)
		} else if !slices.Contains(state, line) && len(state) < maxState {
			v.ready = v.ready || name == "READY"
			state = append(state, line)
		}
	}
	if v.ready && main > 0 {
		state = append(state, "MAINPID="+strconv.Itoa(main))
	}
	v.messages = join(rest, state)
	return v
}

// maxState is the maximum number of lines about the state in a message; there is no use
// for more than one of each kind.
const maxState = 3

func isState(name string) bool {
	return name == "READY" || name == "RELOADING" || name == "MONOTONIC_USEC"
}

// join makes one message, or two if one would be too long.
func join(rest, state []string) (messages []string) {
	all := strings.Join(slices.Concat(rest, state), "\n")
	switch {
	case all == "":
		return nil
	case len(all) <= maxMessage:
		return []string{all}
	}
	return []string{strings.Join(rest, "\n"), strings.Join(state, "\n")}
}
