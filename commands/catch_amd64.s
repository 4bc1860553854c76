// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_write        1
#define SYS_rt_sigreturn 15

// SA_RESTORER, SA_ONSTACK (a goroutine's stack is too small) and SA_RESTART.
#define FLAGS 0x1c000000

// The kernel calls the handler with the signal's number in DI, on the thread's signal
// stack. It is not called from Go: there is no g. rt_sigreturn restores all registers.
TEXT catch<>(SB),NOSPLIT|NOFRAME,$0-0
	PUSHQ	DI
	MOVQ	·caught(SB), DI
	MOVQ	SP, SI // the lowest byte of the number (little endian)
	MOVL	$1, DX
	MOVL	$SYS_write, AX
	SYSCALL
	POPQ	DI
	RET

// The handler returns to this code (sa_restorer). On the other machines the kernel
// provides it.
TEXT restore<>(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	$SYS_rt_sigreturn, AX
	SYSCALL
	INT	$3

DATA ·catchAction+0(SB)/8, $catch<>(SB)
DATA ·catchAction+8(SB)/8, $FLAGS
DATA ·catchAction+16(SB)/8, $restore<>(SB)
DATA ·catchAction+24(SB)/8, $-1 // sa_mask
GLOBL ·catchAction(SB), RODATA, $32
