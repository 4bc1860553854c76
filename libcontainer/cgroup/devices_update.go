// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

const devicesField = "linux.resources.devices"

func sameDevices(a, b []specs.LinuxDeviceCgroup) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// replaceDevicesV1 replaces one list of rules by another. If both deny, or both allow,
// by default, it only adds and removes exceptions: an access that both allow is never
// denied in between, and cgroups below do not prevent the change.
func (m *member) replaceDevicesV1(was, now []rule, u *undo.Stack) error {
	from, err := reduce(was)
	if err != nil {
		return err
	}
	to, err := reduce(now)
	if err != nil {
		return err
	}
	u.Push(func() error { return m.moveDevices(&to, &from) })
	return m.moveDevices(&from, &to)
}

func (m *member) moveDevices(from, to *v1Rules) error {
	d, err := openDir(m.path)
	if err != nil {
		return &FieldError{devicesField, err}
	}
	defer d.close()
	add, remove := "devices.allow", "devices.deny"
	if to.allow {
		add, remove = remove, add
	}
	if from.allow != to.allow {
		if err := d.write(remove, "a"); err != nil {
			return &FieldError{devicesField, err}
		}
		from = &v1Rules{allow: to.allow}
	}
	for _, step := range [...]struct {
		file       string
		these, but []rule
	}{{add, to.exceptions, from.exceptions}, {remove, from.exceptions, to.exceptions}} {
		for i := range step.these {
			r := step.these[i]
			if r.access &^= accessFor(step.but, &r); r.access == 0 {
				continue
			}
			if err := d.write(step.file, r.String()); err != nil {
				return &FieldError{devicesField, err}
			}
		}
	}
	return nil
}

// accessFor returns the access in the exception of list for exactly the devices of r.
func accessFor(list []rule, r *rule) access {
	for i := range list {
		if e := &list[i]; e.kind == r.kind && e.major == r.major && e.minor == r.minor {
			return e.access
		}
	}
	return 0
}

// replaceDevicesV2 attaches the new program and then detaches the old one, which it
// finds by its name. In between both must allow an access, so what either denies is
// denied.
func (m *member) replaceDevicesV2(now []rule, u *undo.Stack) error {
	if err := trace.Timed("replace the device program of", m.path, func() error { return m.swapPrograms(now, u) }); err != nil {
		return &FieldError{devicesField, err}
	}
	return nil
}

func (m *member) swapPrograms(now []rule, u *undo.Stack) error {
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	old, err := ownPrograms(d.fd)
	u.Push(func() error { return closeAll(old) })
	if err != nil {
		return err
	}
	p := compileRules(now)
	if len(p) > math.MaxInt16 { // the offset of a jump has 16 bits
		return fmt.Errorf("too many device rules: the BPF program for %d of them would be too large", len(now))
	}
	if p != nil {
		fd, err := loadProgram(p)
		if err != nil {
			return err
		}
		u.Push(func() error { return unix.Close(fd) })
		if err := attachProgram(d.fd, fd); err != nil {
			return err
		}
		u.Push(m.withProgram(fd, detachProgram))
	}
	for _, fd := range old {
		if err := detachProgram(d.fd, fd); err != nil {
			return err
		}
		u.Push(m.withProgram(fd, attachProgram))
	}
	return nil
}

func (m *member) withProgram(prog int, f func(cgroup, prog int) error) func() error {
	return func() error {
		d, err := openDir(m.path)
		if err != nil {
			return err
		}
		defer d.close()
		return f(d.fd, prog)
	}
}

func closeAll(fds []int) error {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return nil
}

func detachProgram(cgroup, prog int) error {
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0], words[1], words[2] = uint32(cgroup), uint32(prog), unix.BPF_CGROUP_DEVICE
	if _, err := bpf(unix.BPF_PROG_DETACH, &a); err != nil {
		return fmt.Errorf("detach the BPF program for devices: %w", err)
	}
	return nil
}

// ownPrograms opens the device programs of the cgroup that skiff has attached.
func ownPrograms(cgroup int) (fds []int, err error) {
	ids, err := queryPrograms(cgroup)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		var a bpfAttr
		(*[32]uint32)(unsafe.Pointer(&a))[0] = id
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, &a)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return fds, fmt.Errorf("open the BPF program for devices: %w", err)
		}
		name, err := programName(fd)
		if err != nil || name != programTitle {
			_ = unix.Close(fd)
			if err != nil {
				return fds, err
			}
			continue
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// queryPrograms lists the ids of the device programs attached to the cgroup itself
// (Linux 4.15). The kernel allows 64 (BPF_CGROUP_MAX_PROGS).
func queryPrograms(cgroup int) ([]uint32, error) {
	ids := make([]uint32, 64)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&ids[0])
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0], words[1] = uint32(cgroup), unix.BPF_CGROUP_DEVICE
	a[2] = uint64(uintptr(unsafe.Pointer(&ids[0])))
	words[6] = uint32(len(ids))
	if _, err := bpf(unix.BPF_PROG_QUERY, &a); err != nil {
		return nil, fmt.Errorf("list the BPF programs for devices: %w", err)
	}
	return ids[:min(int(words[6]), len(ids))], nil
}

// programName reads the name of a program from struct bpf_prog_info, where it is at
// byte 64.
func programName(fd int) (string, error) {
	var info [256]byte
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&info)
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0], words[1] = uint32(fd), uint32(len(info))
	a[1] = uint64(uintptr(unsafe.Pointer(&info)))
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, &a); err != nil {
		return "", fmt.Errorf("get the name of the BPF program for devices: %w", err)
	}
	name, _, _ := bytes.Cut(info[64:80], []byte{0})
	return string(name), nil
}
