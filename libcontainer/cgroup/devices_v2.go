// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// In v2 a BPF program decides on each access to a device (Linux 4.15). It checks the
// rules from the last to the first. A rule that allows removes its kinds of access from
// those requested; when none is left, the access is allowed. A rule that denies a kind
// that is still requested denies the access. The check ends at a rule that matches
// every access, which decides on what is left.
//
// The start of a container waits for the verifier, which follows every path through the
// program with what it has learned on it. So the program compares a device with a rule
// in one comparison of a key computed beforehand, and not in three: the built-in rules
// load in a tenth of the time.

// insn is struct bpf_insn of linux/bpf.h.
type insn struct {
	code uint8
	regs uint8 // destination, and source << 4
	off  int16
	imm  int32
}

// The registers of the program.
const (
	rResult = 0 // the verdict: 1 yes, 0 no
	rCtx    = 1 // struct bpf_cgroup_dev_ctx {access_type, major, minor uint32}
	rDevice = 2 // kind, major and minor: kind<<62 | major<<32 | minor
	rAsked  = 3 // access requested and not yet allowed
	rMajor  = 4 // kind and major: kind<<30 | major
	rMinor  = 5
	rKind   = 6
	rTest   = 7
	rTest2  = 8 // scratch, like rTest
)

const ( // opcodes of eBPF that x/sys/unix lacks
	bpfAlu64 = 0x07
	bpfJmp32 = 0x06
	bpfMov   = 0xb0
	bpfExit  = 0x90
	bpfJne   = 0x50
	bpfDW    = 0x18
)

const (
	devBlock = 1 // BPF_DEVCG_DEV_BLOCK
	devChar  = 2 // BPF_DEVCG_DEV_CHAR
)

// assembler collects a program. The offsets of jumps to a verdict are set at the end,
// where the verdicts are.
type assembler struct {
	p         []insn
	yes, no   []int  // jumps to the verdicts
	decided   access // access that rules for all devices have decided: no longer in rAsked
	denied    bool   // there is a rule that denies
	otherwise bool   // the verdict if no rule decides
}

func (a *assembler) emit(code, dst, src uint8, imm int32) {
	a.p = append(a.p, insn{code, dst | src<<4, 0, imm})
}

func (a *assembler) load(dst uint8, off int16) {
	a.p = append(a.p, insn{unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM, dst | rCtx<<4, off, 0})
}

// The common forms of an instruction: 32-bit and 64-bit (k32, k64), with a constant (k)
// or a register (x).
func (a *assembler) k32(op, dst uint8, imm int32) { a.emit(unix.BPF_ALU|unix.BPF_K|op, dst, 0, imm) }
func (a *assembler) x32(op, dst, src uint8)       { a.emit(unix.BPF_ALU|unix.BPF_X|op, dst, src, 0) }
func (a *assembler) k64(op, dst uint8, imm int32) { a.emit(bpfAlu64|unix.BPF_K|op, dst, 0, imm) }
func (a *assembler) x64(op, dst, src uint8)       { a.emit(bpfAlu64|unix.BPF_X|op, dst, src, 0) }

// compileRules compiles rules. It returns nil if they allow everything.
func compileRules(list []rule) []insn {
	var a assembler
	a.prologue()
	for i := len(list) - 1; i >= 0; i-- {
		r := list[i]
		if r.everyAccess() {
			a.otherwise = r.allow
			break
		}
		if r.access&^a.decided == 0 {
			continue
		}
		r.access |= a.decided
		for _, kind := range kinds(r.kind) {
			if r.allDevices() {
				a.applyRule(&r)
				a.decided |= r.access
				break
			}
			r.kind = kind
			a.addRule(&r)
		}
		a.denied = a.denied || !r.allow
	}
	if a.otherwise && !a.denied {
		return nil
	}
	return a.finish()
}

func (a *assembler) prologue() {
	a.load(rAsked, 0)
	a.load(rMajor, 4)
	a.load(rMinor, 8)
	a.x32(bpfMov, rKind, rAsked)
	a.k32(unix.BPF_AND, rKind, 0xffff)
	a.k32(unix.BPF_RSH, rAsked, 16)
	a.x32(bpfMov, rTest, rKind)
	a.k32(unix.BPF_LSH, rTest, 30)
	a.x32(unix.BPF_OR, rMajor, rTest)
	a.x64(bpfMov, rDevice, rMajor)
	a.k64(unix.BPF_LSH, rDevice, 32)
	a.x64(unix.BPF_OR, rDevice, rMinor)
}

func (a *assembler) addRule(r *rule) {
	if r.major >= 1<<30 {
		return // no device has such a number, and it does not fit into the key
	}
	if r.access == full {
		a.match(r)
		a.verdict(r.allow)
		return
	}
	a.differ(r)
	past := len(a.p)
	a.emit(bpfJmp32|unix.BPF_K|bpfJne, rTest, 0, 0)
	a.applyRule(r)
	a.p[past].off = int16(len(a.p) - past - 1)
}

// applyRule applies the rule to the requested access, for a device that matches.
func (a *assembler) applyRule(r *rule) {
	if r.allow {
		a.k32(unix.BPF_AND, rAsked, int32(full&^r.access))
		a.emit(bpfJmp32|unix.BPF_K|unix.BPF_JEQ, rAsked, 0, 0)
	} else {
		a.x32(bpfMov, rTest, rAsked)
		a.k32(unix.BPF_AND, rTest, int32(r.access))
		a.emit(bpfJmp32|unix.BPF_K|bpfJne, rTest, 0, 0)
	}
	a.verdict(r.allow)
}

// match adds a comparison that jumps if the device matches the rule, which is for one
// kind.
func (a *assembler) match(r *rule) {
	kind, major := r.keys()
	switch {
	case r.major == wildcard && r.minor == wildcard:
		a.emit(bpfJmp32|unix.BPF_K|unix.BPF_JEQ, rKind, 0, kind)
	case r.minor == wildcard:
		a.emit(bpfJmp32|unix.BPF_K|unix.BPF_JEQ, rMajor, 0, major)
	case r.major == wildcard:
		a.differ(r)
		a.emit(bpfJmp32|unix.BPF_K|unix.BPF_JEQ, rTest, 0, 0)
	default:
		a.emit(bpfDW, rTest, 0, int32(uint32(r.minor))) // a 64-bit constant takes two instructions
		a.emit(0, 0, 0, major)
		a.emit(unix.BPF_JMP|unix.BPF_X|unix.BPF_JEQ, rDevice, rTest, 0)
	}
}

// differ sets rTest to 0 if the device matches the rule, which is for one kind, and to
// another value if not. A test of rTest tells the verifier nothing about the device. If
// a test of the device itself did not lead to a verdict, the verifier would follow the
// rest of the program once more with what it had learned, and give up if there are many
// such rules.
func (a *assembler) differ(r *rule) {
	kind, major := r.keys()
	if r.major == wildcard {
		a.x32(bpfMov, rTest, rKind)
		a.k32(unix.BPF_XOR, rTest, kind)
	} else {
		a.x32(bpfMov, rTest, rMajor)
		a.k32(unix.BPF_XOR, rTest, major)
	}
	if r.minor != wildcard {
		a.x32(bpfMov, rTest2, rMinor)
		a.k32(unix.BPF_XOR, rTest2, int32(uint32(r.minor)))
		a.x32(unix.BPF_OR, rTest, rTest2)
	}
}

// keys returns the values of rKind and rMajor that the rule matches.
func (r *rule) keys() (kind, major int32) {
	kind = devChar
	if r.kind == 'b' {
		kind = devBlock
	}
	return kind, int32(uint32(kind)<<30 | uint32(r.major))
}

// verdict makes the last instruction jump to a verdict.
func (a *assembler) verdict(yes bool) {
	if yes {
		a.yes = append(a.yes, len(a.p)-1)
	} else {
		a.no = append(a.no, len(a.p)-1)
	}
}

// finish adds the verdicts, first the one that the program reaches without a jump.
func (a *assembler) finish() []insn {
	for _, yes := range [...]bool{a.otherwise, !a.otherwise} {
		jumps, result := a.no, int32(0)
		if yes {
			jumps, result = a.yes, 1
		}
		if yes != a.otherwise && len(jumps) == 0 {
			break // the verifier refuses unreachable instructions
		}
		for _, at := range jumps {
			a.p[at].off = int16(len(a.p) - at - 1)
		}
		a.k32(bpfMov, rResult, result)
		a.emit(unix.BPF_JMP|bpfExit, 0, 0, 0)
	}
	return a.p
}

// bpfAttr holds the attributes of any bpf(2) command used here. It is larger than
// these, since in some commands kernels 6.17 to 7.1 write beyond the end of a shorter
// one.
type bpfAttr [16]uint64

// limitDevicesV2 loads the program and attaches it to the cgroup. The kernel drops the
// program with the cgroup.
func (m *member) limitDevicesV2(list []rule) (err error) {
	if t := trace.Begin(); t.On() {
		defer func() { t.Noted(err, "attach the device program to", m.path, fmt.Sprintf("%d rules", len(list))) }()
	}
	p := compileRules(list)
	if p == nil {
		return nil
	}
	if len(p) > math.MaxInt16 { // the offset of a jump has 16 bits
		return &FieldError{"linux.resources.devices", fmt.Errorf("too many device rules: the BPF program for %d of them would be too large", len(list))}
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

const programTitle = "skiff_devices"

func loadProgram(p []insn) (int, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&p[0]) // its address is passed to the kernel as an integer
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0] = unix.BPF_PROG_TYPE_CGROUP_DEVICE
	words[1] = uint32(len(p))
	a[1] = uint64(uintptr(unsafe.Pointer(&p[0])))
	a[2] = uint64(uintptr(unsafe.Pointer(unsafe.StringData("Apache-2.0\x00")))) // read-only data does not move
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&a[6])), 15), programTitle)        // prog_name, at byte 48
	fd, err := bpf(unix.BPF_PROG_LOAD, &a)
	if err != nil {
		return -1, fmt.Errorf("load the BPF program for devices: %w", sys.Explain("bpf", err))
	}
	return fd, nil
}

// attachProgram attaches a program along with others, in this cgroup and in those above
// and below (BPF_F_ALLOW_MULTI): an access is allowed if all of them allow it.
func attachProgram(cgroup, prog int) error {
	var a bpfAttr
	words := (*[32]uint32)(unsafe.Pointer(&a))
	words[0], words[1] = uint32(cgroup), uint32(prog)
	words[2], words[3] = unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI
	if _, err := bpf(unix.BPF_PROG_ATTACH, &a); err != nil {
		return fmt.Errorf("attach the BPF program for devices: %w", sys.Explain("bpf", err))
	}
	return nil
}

func bpf(cmd uintptr, a *bpfAttr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR, unix.EAGAIN: // a signal interrupted the verifier, before any effect
		default:
			return -1, errno
		}
	}
}
