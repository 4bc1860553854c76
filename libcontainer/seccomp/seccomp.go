// Package seccomp turns config.json's linux.seccomp into the classic BPF
// program and the flags that seccomp(2) takes, and keeps compiled programs so
// that each profile is compiled once a host.
//
// The compiler (package compiler) is C in part, so it is in a program of its
// own (package helper) that is embedded here and run where the cache does not
// have the filter. This package works out the flags. Loading is the child's
// work.
package seccomp

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter is what seccomp(SECCOMP_SET_MODE_FILTER) is called with.
type Filter struct {
	BPF    []byte   // array of struct sock_filter in the host's byte order
	Flags  uint     // SECCOMP_FILTER_FLAG_*
	Notify bool     // seccomp(2) returns a listener, for linux.seccomp.listenerPath
	Notes  []string // what of the profile is left out, to be warned of
}

// Raw is a filter that somebody else has compiled, with the flags of a profile
// that has none.
func Raw(program []byte) *Filter {
	return &Filter{BPF: program, Flags: unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW}
}

// settings works out everything but the program. The flag WAIT_KILLABLE_RECV is
// refused where the running kernel lacks it; nothing else depends on the kernel.
func settings(p *specs.LinuxSeccomp) (*Filter, error) {
	f := &Filter{Notify: Notifies(p)}
	if p.Flags == nil {
		// runc's default: without it, the kernel may turn on the costly
		// mitigation of speculative store bypass in every container
		// (spec_store_bypass_disable=seccomp).
		f.Flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for i, word := range p.Flags {
		bit, err := flag(word)
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp.flags[%d]: %w", i, err)
		}
		f.Flags |= bit
	}
	f.Flags = listenerFlags(f.Flags, f.Notify)
	return f, nil
}

// listenerFlags adds what a listener needs and drops what the kernel takes
// with a listener only.
func listenerFlags(flags uint, notify bool) uint {
	if !notify {
		// It says how calls wait for the listener's answer: there are none,
		// and the kernel has EINVAL for it.
		return flags &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	// The child's second thread, which hands the listener over, must not be
	// filtered; and execve(2) leaves none that would have to be.
	return flags&^unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
}

// Notifies reports whether p asks for a listener. Rules that name only
// unknown system calls count: whether an agent is called must not depend on
// the age of libseccomp.
func Notifies(p *specs.LinuxSeccomp) bool {
	for i := range p.Syscalls {
		if p.Syscalls[i].Action == specs.ActNotify && len(p.Syscalls[i].Names) > 0 {
			return true
		}
	}
	return false
}
