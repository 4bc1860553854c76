// SPDX-License-Identifier: Apache-2.0

// Package seccomp converts config.json's linux.seccomp to the classic BPF program and
// the flags for seccomp(2), and caches compiled programs, so that a host compiles each
// profile once.
//
// The compiler (package compiler) needs C, so it is a program of its own (package
// helper), which is embedded here and run if the cache does not have the filter. This
// package determines the flags. The child loads the filter.
package seccomp

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter has the arguments of seccomp(SECCOMP_SET_MODE_FILTER).
type Filter struct {
	BPF    []byte   // array of struct sock_filter in the host's byte order
	Flags  uint     // SECCOMP_FILTER_FLAG_*
	Notify bool     // seccomp(2) returns a listener, for linux.seccomp.listenerPath
	Notes  []string // warnings about parts of the profile that are left out
}

// Raw returns a filter that was compiled elsewhere, with the flags of a profile without
// flags.
func Raw(program []byte) *Filter {
	return &Filter{BPF: program, Flags: unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW}
}

// settings determines everything except the program. The flag WAIT_KILLABLE_RECV is
// refused if the running kernel lacks it; nothing else depends on the kernel.
func settings(p *specs.LinuxSeccomp) (*Filter, error) {
	f := &Filter{Notify: Notifies(p)}
	if p.Flags == nil {
		// The default of runc. Without it, the kernel may turn on the costly mitigation
		// of speculative store bypass in every container
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

// listenerFlags adds the flag for a listener, and removes flags that do not go with a
// listener, or that need one.
func listenerFlags(flags uint, notify bool) uint {
	if !notify {
		// It says how calls wait for the listener's answer. Without a listener the
		// kernel returns EINVAL for it.
		return flags &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	// The child's second thread, which hands over the listener, must not be filtered.
	// Other threads need not be: none is left after execve(2).
	return flags&^unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
}

// Notifies reports whether p needs a listener. Rules that name only unknown system
// calls count, too: whether the agent is needed must not depend on the version of
// libseccomp.
func Notifies(p *specs.LinuxSeccomp) bool {
	for i := range p.Syscalls {
		if p.Syscalls[i].Action == specs.ActNotify && len(p.Syscalls[i].Names) > 0 {
			return true
		}
	}
	return false
}
