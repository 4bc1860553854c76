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
	MOV	$PR_GET_TIMERSLACK, A0
	MOV	$SYS_prctl, A7
	ECALL
	MOV	A0, ·callerSlack(SB)
	MOV	$PR_SET_TIMERSLACK, A0
	MOV	$5000000, A1 // MonitorSlack
	MOV	$SYS_prctl, A7
	ECALL

	MOV	0(X2), A0 // argc
	SLL	$3, A0, A0
	ADD	X2, A0, A1
	ADD	$16, A1, A1 // the environment
scan:
	MOV	0(A1), A2
	BEQZ	A2, move
	ADD	$8, A1, A1
	JMP	scan
move:
	MOV	X2, A2
	ADD	$-16, X2, X2
	MOV	X2, A3
word:
	MOV	0(A2), A4
	MOV	A4, 0(A3)
	ADD	$8, A2, A2
	ADD	$8, A3, A3
	BNE	A1, A2, word
	MOV	$·oneProc(SB), A4
	MOV	A4, 0(A3)
	MOV	A4, 8(A3)
	JMP	_rt0_riscv64_linux(SB)

DATA ·oneProc+0(SB)/8, $"GOMAXPRO"
DATA ·oneProc+8(SB)/8, $"CS=01\x00\x00\x00" // OneProc
GLOBL ·oneProc(SB), RODATA|NOPTR, $16

// func restore(slack int64)
TEXT ·restore(SB),NOSPLIT,$0-8
	MOV	$PR_SET_TIMERSLACK, A0
	MOV	slack+0(FP), A1
	MOV	$SYS_prctl, A7
	ECALL
	RET

// func grow()
TEXT ·grow(SB),0,$24576-0
	RET
