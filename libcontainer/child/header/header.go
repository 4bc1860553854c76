// SPDX-License-Identifier: Apache-2.0

// Package header generates child/src/program.h, the header with the numbers that the
// runtime and the child share.
package header

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// Text returns the text of program.h.
func Text() []byte {
	var b bytes.Buffer
	b.WriteString(`// SPDX-License-Identifier: Apache-2.0
// What the runtime and the child share: written by child/header from libcontainer/program
// and libcontainer/wire. DO NOT EDIT.
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>
#include <stdint.h>

// A program: a header, then its operations.
struct header { uint32_t magic, ops, slots, inherited; uint64_t timer_slack, traces; };
struct op {
	uint32_t kind, flags;
	int32_t a, b;
	uint64_t n[3];
	uint32_t strings, data, data_len, nstrings;
};
`)
	fmt.Fprintf(&b, "_Static_assert(sizeof(struct header) == %d, \"header\");\n", program.HeaderSize)
	fmt.Fprintf(&b, "_Static_assert(sizeof(struct op) == %d, \"operation\");\n", program.RecordSize)
	for _, m := range program.Layout() {
		fmt.Fprintf(&b, "_Static_assert(offsetof(struct op, %s) == %d, \"%[1]s\");\n", m.Name, m.Value)
	}
	fmt.Fprintf(&b, `
// A message of the handshake.
struct message_ {
	uint32_t type, index;
	int32_t err;
	uint32_t detail;
	int64_t value;
	char text[%d];
};
_Static_assert(offsetof(struct message_, text) == %d, "message");
`, wire.TextSize, wire.HeadSize)
	b.WriteString("\n// The operations.\nenum {\n")
	for _, k := range program.Kinds() {
		fmt.Fprintf(&b, "\tOP_%s = %d,\n", strings.ToUpper(k.String()), k)
	}
	b.WriteString("};\n\n// Their flags.\nenum {\n")
	for _, f := range program.Flags() {
		fmt.Fprintf(&b, "\t%s = %d,\n", f.Name, f.Value)
	}
	b.WriteString("};\n\n// The messages.\nenum {\n")
	for _, t := range wire.Types() {
		fmt.Fprintf(&b, "\tM_%s = %d,\n", strings.ToUpper(t.String()), t)
	}
	b.WriteString("};\n\n// What goes wrong beyond an errno.\nenum detail {\n")
	for i, name := range wire.Details() {
		if name != "" {
			fmt.Fprintf(&b, "\tD_%s = %d,\n", name, i)
		}
	}
	fmt.Fprintf(&b, "};\n\nenum { SLOT_PROGRAM = %d, SLOT_SOCKET = %d };\n\n#endif\n", program.SlotProgram, program.SlotSocket)
	return b.Bytes()
}
