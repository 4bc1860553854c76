// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_prctl         167
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30

// The kernel jumps here, with the arguments on the stack, where the runtime's entry point
// expects them. The first thread has no g yet.
TEXT skiff_entry(SB),NOSPLIT|NOFRAME,$0-0
	MOVD	$PR_GET_TIMERSLACK, R0
	MOVD	$SYS_prctl, R8
	SVC
	MOVD	R0, ·callerSlack(SB)
	MOVD	$PR_SET_TIMERSLACK, R0
	MOVD	$5000000, R1 // MonitorSlack
	MOVD	$SYS_prctl, R8
	SVC
	B	_rt0_arm64_linux(SB)

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
