// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define SYS_rt_sigprocmask 14
#define SYS_clone          56
#define SYS_exit           60
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
	MOVQ	w+0(FP), R12
	MOVL	$SIG_SETMASK, DI
	LEAQ	work_all(R12), SI
	LEAQ	work_mask(R12), DX
	MOVL	$8, R10
	MOVL	$SYS_rt_sigprocmask, AX
	SYSCALL
	MOVL	$FLAGS, DI
	XORL	SI, SI
	MOVQ	R12, DX // work.tid
	MOVQ	R12, R10
	XORL	R8, R8
	MOVL	$SYS_clone, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	thread
	MOVQ	AX, ret+8(FP)
	MOVL	$SIG_SETMASK, DI
	LEAQ	work_mask(R12), SI
	XORL	DX, DX
	MOVL	$8, R10
	MOVL	$SYS_rt_sigprocmask, AX
	SYSCALL
	RET
thread:
	ADDQ	$work_steps, R12
next:
	MOVQ	step_call(R12), AX
	TESTQ	AX, AX
	JEQ	done
	CMPQ	step_of(R12), $0
	JNE	call
	MOVQ	step_arg0(R12), R13
call:
	MOVQ	R13, DI
	MOVQ	step_arg1(R12), SI
	MOVQ	step_arg2(R12), DX
	XORL	R10, R10
	SYSCALL
	MOVQ	AX, R13
	MOVQ	AX, step_result(R12)
	ADDQ	$step_size, R12
	TESTQ	AX, AX
	JGE	next
done:
	XORL	DI, DI
	MOVL	$SYS_exit, AX
	SYSCALL
	INT	$3
