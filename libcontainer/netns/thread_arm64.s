// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_exit           93
#define SYS_rt_sigprocmask 135
#define SYS_clone          220
#define SIG_SETMASK        2

// CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM,
// CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID.
#define FLAGS 0x350f00

// The layout of work and step.
#define work_all   8
#define work_mask  16
#define work_steps 24
#define step_call   0
#define step_of     8
#define step_arg0   16
#define step_arg1   24
#define step_arg2   32
#define step_result 40
#define step_size   48

// func begin(w *work) int
//
// The thread has all registers of its parent, the stack pointer, too, but never uses the
// stack. Signals are blocked while it is made, so it has all of them blocked.
TEXT ·begin(SB),NOSPLIT,$0-16
	MOVD	w+0(FP), R19
	MOVD	$SIG_SETMASK, R0
	ADD	$work_all, R19, R1
	ADD	$work_mask, R19, R2
	MOVD	$8, R3
	MOVD	$SYS_rt_sigprocmask, R8
	SVC
	MOVD	$FLAGS, R0
	MOVD	ZR, R1
	MOVD	R19, R2 // work.tid
	MOVD	ZR, R3
	MOVD	R19, R4
	MOVD	$SYS_clone, R8
	SVC
	CBZ	R0, thread
	MOVD	R0, ret+8(FP)
	MOVD	$SIG_SETMASK, R0
	ADD	$work_mask, R19, R1
	MOVD	ZR, R2
	MOVD	$8, R3
	MOVD	$SYS_rt_sigprocmask, R8
	SVC
	RET
thread:
	ADD	$work_steps, R19
next:
	MOVD	step_call(R19), R8
	CBZ	R8, done
	MOVD	step_of(R19), R5
	CBNZ	R5, call
	MOVD	step_arg0(R19), R20
call:
	MOVD	R20, R0
	MOVD	step_arg1(R19), R1
	MOVD	step_arg2(R19), R2
	MOVD	ZR, R3
	SVC
	MOVD	R0, R20
	MOVD	R0, step_result(R19)
	ADD	$step_size, R19
	CMP	$0, R0
	BGE	next
done:
	MOVD	ZR, R0
	MOVD	$SYS_exit, R8
	SVC
	BRK
