// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_write 64

// SA_ONSTACK (a goroutine's stack is too small) and SA_RESTART.
#define FLAGS 0x18000000

// The kernel calls the handler with the signal's number in A0, on the thread's signal
// stack. It is not called from Go: there is no g. It returns to the kernel's code for
// rt_sigreturn, which restores all registers.
TEXT catch<>(SB),NOSPLIT|NOFRAME,$0-0
	ADD	$-16, X2
	MOV	A0, (X2)
	MOV	·caught(SB), A0
	MOV	X2, A1 // the lowest byte of the number (little endian)
	MOV	$1, A2
	MOV	$SYS_write, A7
	ECALL
	ADD	$16, X2
	RET

DATA ·catchAction+0(SB)/8, $catch<>(SB)
DATA ·catchAction+8(SB)/8, $FLAGS
DATA ·catchAction+16(SB)/8, $-1 // sa_mask; struct sigaction has no sa_restorer here
DATA ·catchAction+24(SB)/8, $0
GLOBL ·catchAction(SB), RODATA, $32
