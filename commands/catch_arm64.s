// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_write 64

// SA_ONSTACK (a goroutine's stack is too small) and SA_RESTART.
#define FLAGS 0x18000000

// The kernel calls the handler with the signal's number in R0, on the thread's signal
// stack. It is not called from Go: there is no g. It returns to the kernel's code for
// rt_sigreturn, which restores all registers.
TEXT catch<>(SB),NOSPLIT|NOFRAME,$0-0
	SUB	$16, RSP
	MOVD	R0, (RSP)
	MOVD	·caught(SB), R0
	MOVD	RSP, R1 // the lowest byte of the number (little endian)
	MOVD	$1, R2
	MOVD	$SYS_write, R8
	SVC
	ADD	$16, RSP
	RET

DATA ·catchAction+0(SB)/8, $catch<>(SB)
DATA ·catchAction+8(SB)/8, $FLAGS
DATA ·catchAction+16(SB)/8, $0 // sa_restorer
DATA ·catchAction+24(SB)/8, $-1 // sa_mask
GLOBL ·catchAction(SB), RODATA, $32
