// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_prctl         167
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// The kernel jumps here, with the arguments on the stack, where the runtime's entry point
// expects them. The first thread has no g yet.
//
// Before the end of the environment, two variables are inserted: argc, argv and the
// environment move down by two words, which keeps the stack aligned.
TEXT skiff_entry(SB),NOSPLIT|NOFRAME,$0-0
	MOVD	$PR_GET_TIMERSLACK, R0
	MOVD	$SYS_prctl, R8
	SVC
	MOVD	R0, ·callerSlack(SB)
	MOVD	$PR_SET_TIMERSLACK, R0
	MOVD	$5000000, R1 // MonitorSlack
	MOVD	$SYS_prctl, R8
	SVC

	MOVD	0(RSP), R0 // argc
	ADD	$16, RSP, R1
	ADD	R0<<3, R1, R1 // the environment
scan:
	MOVD	0(R1), R2
	CBZ	R2, move
	ADD	$8, R1
	B	scan
move:
	MOVD	RSP, R2
	SUB	$16, RSP, R3
	MOVD	R3, RSP
word:
	MOVD.P	8(R2), R4
	MOVD.P	R4, 8(R3)
	CMP	R1, R2
	BNE	word
	MOVD	$·oneProc(SB), R4
	MOVD	R4, 0(R3)
	MOVD	R4, 8(R3)
	B	_rt0_arm64_linux(SB)

DATA ·oneProc+0(SB)/8, $"GOMAXPRO"
DATA ·oneProc+8(SB)/8, $"CS=01\x00\x00\x00" // OneProc
GLOBL ·oneProc(SB), RODATA|NOPTR, $16

// func restore(slack int64)
TEXT ·restore(SB),NOSPLIT,$0-8
	MOVD	$PR_SET_TIMERSLACK, R0
	MOVD	slack+0(FP), R1
	MOVD	$SYS_prctl, R8
	SVC
	RET

// func grow()
TEXT ·grow(SB),0,$24576-0
	RET
