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
	MOV	w+0(FP), S2
	MOV	$SIG_SETMASK, A0
	ADD	$work_all, S2, A1
	ADD	$work_mask, S2, A2
	MOV	$8, A3
	MOV	$SYS_rt_sigprocmask, A7
	ECALL
	MOV	$FLAGS, A0
	MOV	ZERO, A1
	MOV	S2, A2 // work.tid
	MOV	ZERO, A3
	MOV	S2, A4
	MOV	$SYS_clone, A7
	ECALL
	BEQZ	A0, thread
	MOV	A0, ret+8(FP)
	MOV	$SIG_SETMASK, A0
	ADD	$work_mask, S2, A1
	MOV	ZERO, A2
	MOV	$8, A3
	MOV	$SYS_rt_sigprocmask, A7
	ECALL
	RET
thread:
	ADD	$work_steps, S2
next:
	MOV	step_call(S2), A7
	BEQZ	A7, done
	MOV	step_of(S2), A5
	BNEZ	A5, call
	MOV	step_arg0(S2), S3
call:
	MOV	S3, A0
	MOV	step_arg1(S2), A1
	MOV	step_arg2(S2), A2
	MOV	ZERO, A3
	ECALL
	MOV	A0, S3
	MOV	A0, step_result(S2)
	ADD	$step_size, S2
	BGEZ	A0, next
done:
	MOV	ZERO, A0
	MOV	$SYS_exit, A7
	ECALL
	EBREAK
