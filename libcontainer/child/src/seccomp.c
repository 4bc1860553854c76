// SPDX-License-Identifier: Apache-2.0

// The seccomp filter of the user's program, and its listener.
#include "child.h"

enum { // flags of clone(2) for a thread
	CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400, CLONE_SIGHAND = 0x800, CLONE_THREAD = 0x10000, CLONE_SYSVSEM = 0x40000,
};

// thread_ starts f on the stack that ends at top; f must not return.
long thread_(unsigned long flags, char *top, void (*f)(void));

#if defined(__x86_64__)
__asm__(".globl thread_\nthread_:\n\tmov %rdx,-16(%rsi)\n\tsub $16,%rsi\n\txor %edx,%edx\n\txor %r10d,%r10d\n\txor %r8d,%r8d\n"
	"\tmov $56,%eax\n\tsyscall\n\ttest %eax,%eax\n\tjnz 1f\n\tmov (%rsp),%rax\n\txor %ebp,%ebp\n\tcall *%rax\n1:\tret\n");
#elif defined(__aarch64__)
__asm__(".globl thread_\nthread_:\n\tstr x2,[x1,#-16]!\n\tmov x2,#0\n\tmov x3,#0\n\tmov x4,#0\n\tmov x8,#220\n\tsvc #0\n"
	"\tcbnz x0,1f\n\tldr x1,[sp]\n\tmov x29,#0\n\tblr x1\n1:\tret\n");
#elif defined(__riscv)
__asm__(".globl thread_\nthread_:\n\taddi a1,a1,-16\n\tsd a2,0(a1)\n\tli a2,0\n\tli a3,0\n\tli a4,0\n\tli a7,220\n\tecall\n"
	"\tbnez a0,1f\n\tld a1,0(sp)\n\tli s0,0\n\tjalr a1\n1:\tret\n");
#endif

static int listener; // 0 until seccomp(2) has returned
static int sent;     // the runtime has the listener

// messenger runs as a thread without the filter, and sends the listener.
static void __attribute__((noreturn)) messenger(void)
{
	static const struct timespec_ moment = { 0, 20000 };
	int fd;
	while (!(fd = __atomic_load_n(&listener, __ATOMIC_ACQUIRE)))
		sys(nanosleep, &moment, 0);
	if (fd > 0) {
		if (report(M_LISTENER, fd) < 0)
			sys(exit_group, 1); // the runtime is gone, so no agent would answer the other thread
		__atomic_store_n(&sent, 1, __ATOMIC_RELEASE);
	}
	for (;;)
		sys(exit, 0);
}

// load_with_listener loads a filter that makes system calls wait for an agent. Once
// it is loaded, any system call of ours may be among them, and the agent gets the
// listener from us: if the sendmsg had to wait for the agent, it would wait for ever.
// So another thread, which is not filtered, sends the listener. Until that is done,
// this thread makes no system call: it polls the memory that the two share, for the
// time of one sendmsg. (The runtime could fetch the listener by pidfd_getfd(2), but
// that takes permission to trace us, which it lacks without CAP_SYS_PTRACE, and we
// would have to wait just the same.)
//
// A thread leaves neither a zombie nor a SIGCHLD behind. OP_KEEPFDS closes the
// descriptor.
static int load_with_listener(const struct op *o, const void *prog)
{
	static LAST char stack[8192] __attribute__((aligned(16)));
	long r = thread_(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, stack + sizeof stack, messenger);
	if (r < 0)
		return r;
	r = sys(seccomp, SECCOMP_SET_MODE_FILTER, o->n[0], prog);
	__atomic_store_n(&listener, (int)r, __ATOMIC_RELEASE);
	if (r < 0)
		return r;
	while (!__atomic_load_n(&sent, __ATOMIC_ACQUIRE))
#if defined(__x86_64__)
		__builtin_ia32_pause();
#else
		;
#endif
	return 0;
}

int op_seccomp(const struct op *o)
{
	struct { uint16_t len; const void *filter; } prog = { o->data_len / 8, data(o) };
	if (o->flags & SECCOMP_LISTENER)
		return load_with_listener(o, &prog);
	return sys(seccomp, SECCOMP_SET_MODE_FILTER, o->n[0], &prog);
}
