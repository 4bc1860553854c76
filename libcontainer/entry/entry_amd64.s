// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_prctl         157
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// The kernel jumps here, with the arguments on the stack, where the runtime's entry point
// expects them. The first thread has no g yet.
//
// Before the end of the environment, two variables are inserted: argc, argv and the
// environment move down by two words, which keeps the stack aligned.
TEXT skiff_entry(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	$PR_GET_TIMERSLACK, DI
	MOVL	$SYS_prctl, AX
	SYSCALL
	MOVQ	AX, ·callerSlack(SB)
	MOVL	$PR_SET_TIMERSLACK, DI
	MOVL	$5000000, SI // MonitorSlack
	MOVL	$SYS_prctl, AX
	SYSCALL

	MOVQ	0(SP), CX // argc
	LEAQ	16(SP)(CX*8), DX // the environment
scan:
	CMPQ	0(DX), $0
	JEQ	move
	ADDQ	$8, DX
	JMP	scan
move:
	MOVQ	SP, SI
	SUBQ	$16, SP
	MOVQ	SP, DI
	MOVQ	DX, CX
	SUBQ	SI, CX
	SHRQ	$3, CX
	CLD
	REP; MOVSQ
	LEAQ	·oneProc(SB), AX
	MOVQ	AX, 0(DI)
	MOVQ	AX, 8(DI)
	JMP	_rt0_amd64_linux(SB)

DATA ·oneProc+0(SB)/8, $"GOMAXPRO"
DATA ·oneProc+8(SB)/8, $"CS=01\x00\x00\x00" // OneProc
GLOBL ·oneProc(SB), RODATA|NOPTR, $16

// func restore(slack int64)
TEXT ·restore(SB),NOSPLIT,$0-8
	MOVL	$PR_SET_TIMERSLACK, DI
	MOVQ	slack+0(FP), SI
	MOVL	$SYS_prctl, AX
	SYSCALL
	RET

// func grow()
TEXT ·grow(SB),0,$24576-0
	RET
