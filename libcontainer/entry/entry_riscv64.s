// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_prctl         167
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// The kernel jumps here, with the arguments on the stack, where the runtime's entry point
// expects them. The first thread has no g yet.
TEXT skiff_entry(SB),NOSPLIT|NOFRAME,$0-0
	MOV	$PR_GET_TIMERSLACK, A0
	MOV	$SYS_prctl, A7
	ECALL
	MOV	A0, ·callerSlack(SB)
	MOV	$PR_SET_TIMERSLACK, A0
	MOV	$5000000, A1 // MonitorSlack
	MOV	$SYS_prctl, A7
	ECALL
	JMP	_rt0_riscv64_linux(SB)

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
