// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"regexp"
	"strings"
)

// scheduled has the system calls whose number depends on the scheduler: the Go runtime's
// threads, its memory and its locks.
var scheduled = map[string]bool{
	"clone": true, "epoll_create1": true, "epoll_ctl": true, "epoll_pwait": true, "futex": true, "getpid": true,
	"gettid": true, "madvise": true, "mmap": true, "mprotect": true, "munmap": true, "nanosleep": true,
	"restart_syscall": true, "rseq": true, "rt_sigprocmask": true, "rt_sigreturn": true, "sched_yield": true,
	"set_robust_list": true, "sigaltstack": true, "tgkill": true, "timer_create": true, "timer_delete": true,
	"timer_settime": true,
}

// A line of strace -f is a process id and a call. If another process interrupts the call,
// its end follows in a line of its own, which begins with "<".
var (
	begins = regexp.MustCompile(`^(\d+) +([a-z][a-z0-9_]*)\((.*)$`)
	ends   = regexp.MustCompile(`^(\d+) +<\.\.\. ([a-z0-9_]+) resumed>(.*)$`)
)

// calls counts the system calls in the output of strace -f by kind. Those of a process
// that has executed the program are not counted: they are the container's own.
func calls(trace, program string) map[string]int {
	n := make(map[string]int)
	gone := make(map[string]bool)      // processes that are the container's
	executing := make(map[string]bool) // those in an execve of program that has not ended
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if m := ends.FindStringSubmatch(line); m != nil {
			if executing[m[1]] && strings.HasSuffix(m[3], "= 0") {
				gone[m[1]] = true
			}
			delete(executing, m[1])
			continue
		}
		m := begins.FindStringSubmatch(line)
		if m == nil || gone[m[1]] {
			continue
		}
		if !scheduled[m[2]] {
			n[m[2]]++
		}
		if m[2] == "execve" && strings.HasPrefix(m[3], `"`+program+`"`) {
			gone[m[1]] = strings.HasSuffix(m[3], "= 0")
			executing[m[1]] = !gone[m[1]]
		}
	}
	return n
}

// least returns the smallest count of each kind: a disturbance can only add calls.
func least(runs []map[string]int) map[string]int {
	low := make(map[string]int)
	for kind := range runs[0] {
		low[kind] = runs[0][kind]
		for _, r := range runs[1:] {
			low[kind] = min(low[kind], r[kind])
		}
		if low[kind] == 0 {
			delete(low, kind)
		}
	}
	return low
}
