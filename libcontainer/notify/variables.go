package notify

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage is the longest message that systemd reads: it ignores others.
const maxMessage = 4096

// A rule decides what becomes of a variable's value. The line is left out
// unless ok.
type rule func(value string, c *clock) (out string, ok bool)

// ruleOf is the rule for a variable of sd_notify(3) that a container may set.
// All others are left out, those that a later systemd knows, too:
//
//	MAINPID, MAINPIDFD, MAINPIDFDID   its pids are not those of the host;
//	                                  MAINPID goes with READY=1, and is ours
//	NOTIFYACCESS                      would let others of the host speak
//	STOPPING                          has the manager kill the service when it
//	                                  takes long: that is skiff, and the
//	                                  container would go on, watched by nobody.
//	                                  That it ends is seen by skiff's end
//	WATCHDOG=trigger, WATCHDOG_USEC   likewise, and where the unit has no
//	                                  watchdog
//	EXTEND_TIMEOUT_USEC,              would lift a bound that the unit's
//	RESTART_RESET                     administrator has set, and could keep the
//	                                  host from starting or from shutting down
//	FDSTORE, FDSTOREREMOVE, FDNAME,   descriptors of a container stay out of
//	FDPOLL                            the manager, which is the host's init: to
//	                                  close one can take as long as who made it
//	                                  likes (FUSE, SO_LINGER)
//	BARRIER                           is answered in place: see relay.go
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
		return printable // anybody's own
	}
	return nil
}

func isName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

func one(value string, _ *clock) (string, bool) { return value, value == "1" }

// decimal is a number of an errno's or an exit status's size.
func decimal(value string, _ *clock) (string, bool) {
	n, err := strconv.ParseUint(value, 10, 16)
	return strconv.FormatUint(n, 10), err == nil
}

// dotted is a name of D-Bus or Varlink.
func dotted(value string, _ *clock) (string, bool) {
	bad := func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return value, value != "" && len(value) <= 255 && !strings.ContainsFunc(value, bad)
}

// printable is text for people: systemctl prints it as it comes, to a
// terminal, and systemd refuses what is not UTF-8. It never gets longer.
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

// unprintable is true of what steers a terminal, and of what is not UTF-8.
func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

// hostTime is a time of the container's CLOCK_MONOTONIC as the manager has it:
// a time namespace may have moved it.
func hostTime(value string, c *clock) (string, bool) {
	t, err := strconv.ParseInt(value, 10, 64)
	if err != nil || t < 0 || !c.known {
		return "", false
	}
	t -= c.ahead
	return strconv.FormatInt(t, 10), t >= 0
}

// verdict is what becomes of a message.
type verdict struct {
	messages []string // to be sent, in this order
	ready    bool     // the last of them says so
	barrier  bool     // its descriptor is closed when all that came before is handed on
}

// judge goes through a message's lines; systemd ends them at \r, too. With
// READY=1 goes main, the pid of the service unless it is 0, in one message, so
// that the manager never knows one without the other.
func judge(text string, main int, c *clock) (v verdict) {
	var rest, state []string // state is what has to be in one message, each once
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

// maxState bounds a message's lines about the state: more than one of a kind
// make no sense.
const maxState = 3

func isState(name string) bool {
	return name == "READY" || name == "RELOADING" || name == "MONOTONIC_USEC"
}

// join makes one message, or two where one would be too long.
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
