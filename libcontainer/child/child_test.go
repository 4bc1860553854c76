// SPDX-License-Identifier: Apache-2.0

package child

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/child/header"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/parts"
)

// The header with the numbers that both sides share is up to date.
func TestHeader(t *testing.T) {
	have, err := os.ReadFile("src/program.h")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, header.Text()) {
		t.Error("src/program.h is old: run go generate ./libcontainer/child")
	}
}

// The child implements each operation.
func TestOperations(t *testing.T) {
	text, err := os.ReadFile("src/child.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range program.Kinds() {
		if !bytes.Contains(text, fmt.Appendf(nil, "case OP_%s:", strings.ToUpper(k.String()))) {
			t.Errorf("the child does not carry out %s", k)
		}
	}
}

func needBinary(t *testing.T) {
	t.Helper()
	if len(Binary) == 0 {
		t.Fatal("this needs the interpreter: make unit, or after make: go test -tags cparts")
	}
	if err := parts.Child.Check(); err != nil {
		t.Fatal(err)
	}
}

// The interpreter is static, small, and needs nothing of the container.
func TestBinary(t *testing.T) {
	needBinary(t)
	if len(Binary) > MaxSize {
		t.Errorf("%d bytes, at most %d are allowed", len(Binary), MaxSize)
	}
	f, err := elf.NewFile(bytes.NewReader(Binary))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("has a %v header: it is not static", p.Type)
		}
		if p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Error("has memory that is writable and executable")
		}
	}
}

// On riscv64, static variables are addressed relative to the register gp, which the
// kernel sets to zero: the interpreter has to set it before anything else (auipc gp, ...).
func TestStartSetsGlobalPointer(t *testing.T) {
	needBinary(t)
	f, err := elf.NewFile(bytes.NewReader(Binary))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_RISCV {
		t.Skipf("the interpreter is for %v, only that for riscv64 has a global pointer", f.Machine)
	}
	const (
		auipc = 0x17
		gp    = 3
	)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || f.Entry < p.Vaddr || f.Entry >= p.Vaddr+p.Filesz {
			continue
		}
		var code [4]byte
		if _, err := p.ReadAt(code[:], int64(f.Entry-p.Vaddr)); err != nil {
			t.Fatal(err)
		}
		if first := binary.LittleEndian.Uint32(code[:]); first&0xfff != gp<<7|auipc {
			t.Errorf("the first instruction is %#08x, not one that sets gp", first)
		}
		return
	}
	t.Errorf("the entry point %#x is in no segment", f.Entry)
}
