// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_prctl         157
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// The kernel jumps here, with the arguments on the stack, where the runtime's entry point
// expects them. The first thread has no g yet.
TEXT skiff_entry(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	$PR_GET_TIMERSLACK, DI
	MOVL	$SYS_prctl, AX
	SYSCALL
	MOVQ	AX, ·callerSlack(SB)
	MOVL	$PR_SET_TIMERSLACK, DI
	MOVL	$5000000, SI // MonitorSlack
	MOVL	$SYS_prctl, AX
	SYSCALL
	JMP	_rt0_amd64_linux(SB)

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
