package cgroup

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// In v2 a BPF program decides on each access to a device (Linux 4.15). It
// walks the rules from the last to the first. Each takes the kinds of access
// that it allows off what is asked for; nothing left means yes. A rule that
// denies something still asked for means no, and so does the end.

// insn is struct bpf_insn of linux/bpf.h.
type insn struct {
	code uint8
	regs uint8 // destination, and source << 4
	off  int16
	imm  int32
}

// Registers, as the program uses them.
const (
	rResult = 0 // the verdict: 1 yes, 0 no
	rCtx    = 1 // struct bpf_cgroup_dev_ctx {access_type, major, minor uint32}
	rKind   = 2
	rAsked  = 3 // access asked for and not yet allowed
	rMajor  = 4
	rMinor  = 5
	rTest   = 6
)

// Instructions, in the notation of the kernel's documentation.
func load32(dst, src uint8, off int16) insn {
	return insn{unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM, dst | src<<4, off, 0}
}
func alu32(op, dst uint8, imm int32) insn { return insn{unix.BPF_ALU | unix.BPF_K | op, dst, 0, imm} }
func mov32(dst, src uint8) insn {
	return insn{unix.BPF_ALU | unix.BPF_X | bpfMov, dst | src<<4, 0, 0}
}
func jump32(op, dst uint8, imm int32) insn { return insn{bpfJmp32 | unix.BPF_K | op, dst, 0, imm} }
func exit() insn                           { return insn{unix.BPF_JMP | bpfExit, 0, 0, 0} }

const ( // eBPF's own, which x/sys/unix lacks
	bpfMov   = 0xb0
	bpfExit  = 0x90
	bpfJmp32 = 0x06
	bpfJne   = 0x50
)

const (
	devBlock = 1 // BPF_DEVCG_DEV_BLOCK
	devChar  = 2 // BPF_DEVCG_DEV_CHAR
)

// program compiles rules. It is nil when the rules allow everything.
func program(list []rule) []insn {
	p := []insn{
		load32(rAsked, rCtx, 0),
		mov32(rKind, rAsked),
		alu32(unix.BPF_AND, rKind, 0xffff),
		alu32(unix.BPF_RSH, rAsked, 16),
		load32(rMajor, rCtx, 4),
		load32(rMinor, rCtx, 8),
	}
	denies := false
	for i := len(list) - 1; i >= 0; i-- {
		r := &list[i]
		if r.everything() {
			if r.allow && !denies {
				return nil
			}
			return append(p, verdict(r.allow)...)
		}
		denies = denies || !r.allow
		p = append(p, r.compile()...)
	}
	return append(p, verdict(false)...)
}

func verdict(yes bool) []insn {
	var v int32
	if yes {
		v = 1
	}
	return []insn{alu32(bpfMov, rResult, v), exit()}
}

// compile gives the instructions of one rule; each test that fails leads to
// the first one behind them.
func (r *rule) compile() []insn {
	var p []insn
	switch r.kind {
	case 'b':
		p = append(p, jump32(bpfJne, rKind, devBlock))
	case 'c':
		p = append(p, jump32(bpfJne, rKind, devChar))
	}
	if r.major != wildcard {
		p = append(p, jump32(bpfJne, rMajor, int32(uint32(r.major))))
	}
	if r.minor != wildcard {
		p = append(p, jump32(bpfJne, rMinor, int32(uint32(r.minor))))
	}
	switch {
	case r.access == full:
	case r.allow:
		p = append(p, alu32(unix.BPF_AND, rAsked, int32(full&^r.access)), jump32(bpfJne, rAsked, 0))
	default:
		p = append(p, mov32(rTest, rAsked), alu32(unix.BPF_AND, rTest, int32(r.access)), jump32(unix.BPF_JEQ, rTest, 0))
	}
	p = append(p, verdict(r.allow)...)
	for i := range p {
		if p[i].code&0x07 == bpfJmp32 {
			p[i].off = int16(len(p) - i - 1)
		}
	}
	return p
}

// bpfAttr holds any of the bpf(2) attributes used here. Its size is more than
// any of them has: kernels 6.17 to 7.1 write behind a shorter one in some
// commands, and what is behind ours is ours.
type bpfAttr [16]uint64

// limitDevicesV2 loads the program and attaches it to the cgroup. It lives as
// long as the cgroup.
func (m *member) limitDevicesV2(list []rule) error {
	p := program(list)
	if p == nil {
		return nil
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	fd, err := loadProgram(p)
	if err != nil {
		return &FieldError{"linux.resources.devices", err}
	}
	defer unix.Close(fd)
	if err := attachProgram(d.fd, fd); err != nil {
		return &FieldError{"linux.resources.devices", fmt.Errorf("%s: %w", m.path, err)}
	}
	return nil
}

func loadProgram(p []insn) (int, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&p[0]) // the address goes to the kernel as a number
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0] = unix.BPF_PROG_TYPE_CGROUP_DEVICE
	words[1] = uint32(len(p))
	a[1] = uint64(uintptr(unsafe.Pointer(&p[0])))
	a[2] = uint64(uintptr(unsafe.Pointer(unsafe.StringData("Apache-2.0\x00")))) // read-only data does not move
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&a[6])), 15), "skiff_devices")     // prog_name, at byte 48
	fd, err := bpf(unix.BPF_PROG_LOAD, &a)
	if err != nil {
		return -1, fmt.Errorf("bpf: load the device program: %w", err)
	}
	return fd, nil
}

// attachProgram adds a program to those that an engine may have attached
// above or may attach below: all of them must agree.
func attachProgram(cgroup, prog int) error {
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0], words[1] = uint32(cgroup), uint32(prog)
	words[2], words[3] = unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI
	if _, err := bpf(unix.BPF_PROG_ATTACH, &a); err != nil {
		return fmt.Errorf("bpf: attach the device program: %w", err)
	}
	return nil
}

func bpf(cmd uintptr, a *bpfAttr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR, unix.EAGAIN: // the verifier stops for a signal; nothing is done yet
		default:
			return -1, errno
		}
	}
}
