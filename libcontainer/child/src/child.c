// SPDX-License-Identifier: Apache-2.0

// The child: runs a launch program and becomes the user's process.
//
// It decides nothing. The runtime has compiled config.json to a flat list of
// operations and put it in a sealed memfd; this program maps it, runs it, and
// reports the first operation that fails, with its errno. The runtime makes an
// error message of that.
//
// Rules of this directory:
//   - no C library, one thread, no heap: a few KiB of memory, all of it our own;
//   - every operation is one function or one line in run(), close to one system call;
//   - nothing is taken from argv or the environment;
//   - only path.c resolves paths inside the container.
#include "child.h"

const char *image;
int *slot;
const struct op *hook;
uint32_t failed_detail;
long failed_value;
char failed_text[488];
LAST char scratch[PATH_MAX];
int traces;
static long refused, refused_by; // number of the last system call that the kernel or a seccomp filter refused, and its result

long sys_(long n, long a, long b, long c, long d, long e, long f)
{
	long r = sys6(n, a, b, c, d, e, f);
	if (r == -EPERM || r == -ENOSYS) {
		refused = n;
		refused_by = r;
	}
	return r;
}

// report sends a message, with the descriptor fd unless it is negative.
int report(uint32_t type, int fd)
{
	struct message_ m = { .type = type, .detail = failed_detail, .value = failed_value };
	struct { size_t len; int level, type, fd, pad; } c = { 20, SOL_SOCKET, SCM_RIGHTS, fd, 0 };
	struct iovec_ v = { &m, offsetof(struct message_, text) };
	struct msghdr_ h = { .iov = &v, .iovlen = 1, .control = fd < 0 ? 0 : &c, .controllen = fd < 0 ? 0 : sizeof c };
	return sys(sendmsg, slot[SLOT_SOCKET], &h, MSG_NOSIGNAL);
}

// tell_kept reports that an operation did not clear a locked flag. There is no answer.
int tell_kept(const struct op *o)
{
	struct message_ m = { .type = M_KEPT, .index = o - ops() };
	struct iovec_ v = { &m, offsetof(struct message_, text) };
	struct msghdr_ h = { .iov = &v, .iovlen = 1 };
	long r = sys(sendmsg, slot[SLOT_SOCKET], &h, MSG_NOSIGNAL);
	return r < 0 ? r : 0;
}

// answer waits for the runtime's answer to a message. If the runtime is gone, it
// exits: the container is half-made.
long answer(uint32_t type) { return take(type, 0); }

// take does the same, and stores the descriptor that comes with the message, or -1, in fd.
long take(uint32_t type, int *fd)
{
	struct message_ m;
	struct { size_t len; int level, type, fd, pad; } c = { 0 };
	struct iovec_ v = { &m, sizeof m };
	struct msghdr_ h = { .iov = &v, .iovlen = 1, .control = &c, .controllen = sizeof c };
	long n;
	do {
		n = fd ? sys(recvmsg, slot[SLOT_SOCKET], &h, MSG_CMSG_CLOEXEC) : sys(read, slot[SLOT_SOCKET], &m, sizeof m);
	} while (n == -EINTR);
	if (n == 0)
		sys(exit_group, 1);
	if (n < 0)
		return n;
	if (fd)
		*fd = c.len ? c.fd : -1;
	return (size_t)n < offsetof(struct message_, text) || m.type != type ? -EPROTO : 0;
}

// keep_on exits if the runtime is gone. It is for work that may take long without
// a message; answer notices it anyway.
void keep_on(void)
{
	struct pollfd_ p = { slot[SLOT_SOCKET], 0, 0 };
	struct timespec_ now = { 0, 0 };
	if (sys(ppoll, &p, 1, &now, 0, 0) > 0 && p.revents & POLLHUP)
		sys(exit_group, 1);
}

// say stores text for the report of a failure.
long say(const char *text)
{
	size_t n = len_(text);
	if (n >= sizeof failed_text)
		n = sizeof failed_text - 1;
	memcpy(failed_text, text, n);
	failed_text[n] = 0;
	return n;
}

void fail(uint32_t index, int err)
{
	struct message_ m = { .type = M_FAILED, .index = index, .err = err, .detail = failed_detail, .value = failed_value };
	size_t n = len_(failed_text);
	if (!failed_detail && !failed_value && refused && (err == EPERM || err == ENOSYS)) {
		m.detail = D_REFUSED;
		m.value = refused;
	}
	memcpy(m.text, failed_text, n);
	struct iovec_ v = { &m, offsetof(struct message_, text) + n };
	struct msghdr_ h = { .iov = &v, .iovlen = 1 };
	sys(sendmsg, slot[SLOT_SOCKET], &h, MSG_NOSIGNAL);
	sys(exit_group, 1);
	trap(); // the user's filter forbids exit_group
}

// The signals that do not terminate a process by default, that cannot be caught, or
// that report a fault of the process itself.
#define BIT(sig) (1ull << ((sig) - 1))
static const uint64_t not_ended_by = BIT(SIGKILL) | BIT(19 /* SIGSTOP */) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU) | BIT(SIGCONT) |
	BIT(SIGCHLD) | BIT(23 /* SIGURG */) | BIT(28 /* SIGWINCH */) |
	BIT(4 /* SIGILL */) | BIT(5 /* SIGTRAP */) | BIT(7 /* SIGBUS */) | BIT(8 /* SIGFPE */) | BIT(11 /* SIGSEGV */) | BIT(31 /* SIGSYS */);

static void ended(int sig)
{
	for (;;) {
		sys(exit_group, 128 + sig);
		trap(); // the user's filter forbids exit_group
	}
}

static void mask(uint64_t signals) { sys(rt_sigprocmask, SIG_SETMASK, &signals, 0, sizeof signals); }

// end_by_signals sets handlers that exit. The kernel does not deliver signals
// without a handler to the init of a pid namespace: a container that waits for start
// would ignore a TERM, and whoever sent it would wait. execve resets handlers.
static void end_by_signals(void)
{
	struct { void (*handler)(int); long flags; void (*restorer)(int); uint64_t mask; } sa = { ended, 0x04000000 /* SA_RESTORER */, ended, 0 };
	for (int sig = 1; sig <= 64; sig++)
		if (!(not_ended_by & BIT(sig)))
			sys(rt_sigaction, sig, &sa, 0, sizeof sa.mask);
}

// With SYNC_ENDS, signals are blocked until the handlers are set: once the runtime
// has the message, it may make the container known to others. The handlers are set
// while it prepares its answer.
static int sync_(const struct op *o)
{
	int ends = o->flags & SYNC_ENDS;
	if (ends)
		mask(~0ull);
	long r = report(o->n[0], o->a < 0 ? -1 : slot[o->a]);
	if (ends) {
		end_by_signals();
		mask(0);
	}
	if (r < 0)
		return r;
	return o->flags & SYNC_EARLY ? 0 : answer(o->n[0]);
}

// ask sends a message, as report does, and waits for the answer.
long ask(uint32_t type, int fd)
{
	long r = report(type, fd);
	return r < 0 ? r : answer(type);
}

static int become_root(const struct op *o)
{
	long r = o->n[2] ? sys(setgroups, 0, 0) : 0;
	if (r == 0 || r == -EPERM) // a namespace's /proc/PID/setgroups may say "deny"
		r = sys(setresgid, o->n[1], o->n[1], o->n[1]);
	return r ? r : sys(setresuid, o->n[0], o->n[0], o->n[0]);
}

static int set_id(const struct op *o)
{
	long r = sys(setresgid, o->n[1], o->n[1], o->n[1]);
	return r ? r : sys(setresuid, o->n[0], o->n[0], o->n[0]);
}

// A new session keyring keeps the kernel's permissions, and its owner also gets
// search: without it, an exec does not find the keyring by its name, and gets
// another one of that name. keyctl(2) returns 0 if the keyring is our session
// keyring already, as in a container whose runtime has made one of the same name.
static int join_keyring(const struct op *o)
{
	long id = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, str(o, 0));
	if (id == -ENOSYS)
		return 0; // a kernel without keys has none to protect
	if (id <= 0)
		return id;
	return o->flags & KEYRING_NEW ? sys(keyctl, KEYCTL_SETPERM, id, KEYRING_FOR_EXEC) : 0;
}

static int op_idmap(const struct op *o)
{
	if (slot[o->a] == PUT_OFF)
		return 0;
	failed_value = o->n[0];
	long r = ask(M_IDMAP, slot[o->a]);
	failed_value = 0;
	return r;
}

static int run(const struct op *o);

// again runs the OP_OPENTREE operations that were put off, now that the child has
// its own mount namespace. An unbindable mount can be cloned here: its copy is
// private, if need be because all mounts are made private first.
static int again(const struct op *self)
{
	struct mount_attr_ private = { .propagation = MS_PRIVATE };
	int own = 0;
	for (const struct op *o = ops(); o < self; o++) {
		if (o->kind != OP_OPENTREE || slot[o->a] != PUT_OFF)
			continue;
		int r = own++ ? 0 : sys(mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private);
		if (!r)
			r = open_tree_at(o);
		for (const struct op *p = o; !r && (++p)->a == o->a && (p->kind == OP_SETATTR || p->kind == OP_IDMAP);)
			r = run(p);
		if (r)
			fail(o - ops(), -r);
	}
	return 0;
}

static int run(const struct op *o)
{
	switch (o->kind) {
	case OP_NODUMP: return sys(prctl, PR_SET_DUMPABLE, 0);
	case OP_UNSHARE: return sys(unshare, o->n[0]);
	case OP_SETNS: return sys(setns, fd_of(o->a), o->n[0]);
	case OP_FORK: return op_fork(o);
	case OP_SYNC: return sync_(o);
	case OP_AWAIT: return answer(o->n[0]);
	case OP_SETSID: { long r = sys(setsid); return r < 0 ? r : 0; }
	case OP_KEYRING: return join_keyring(o);
	case OP_SETHOSTNAME: return sys(sethostname, str(o, 0), len_(str(o, 0)));
	case OP_SETDOMAINNAME: return sys(setdomainname, str(o, 0), len_(str(o, 0)));
	case OP_LINKUP: return op_linkup(o);
	case OP_NETWORK: return op_network(o);
	case OP_WRITE: return op_write(o);
	case OP_OOMSCORE: return op_oomscore(o);
	case OP_CLOSE: return sys(close, slot[o->a]);
	case OP_BECOMEROOT: return become_root(o);

	case OP_PROPAGATE: {
		struct mount_attr_ m = { .propagation = o->n[0] };
		return sys(mount_setattr, AT_FDCWD, str(o, 0), o->flags & PROPAGATE_TREE ? AT_RECURSIVE : 0, &m, sizeof m);
	}
	case OP_FSMOUNT: return op_fsmount(o);
	case OP_OPENTREE: return op_opentree(o);
	case OP_SETATTR: return op_setattr(o);
	case OP_IDMAP: return op_idmap(o);
	case OP_AGAIN: return again(o);
	case OP_ATTACH:
	case OP_COPYUP: return op_attach(o);
	case OP_MOUNT: return op_mount(o);
	case OP_REMOUNT: return op_remount(o);
	case OP_PIVOT: return op_pivot(o);
	case OP_MOVEROOT: return op_moveroot(o);
	case OP_CHROOT: {
		long r = sys(fchdir, slot[o->a]);
		return r ? r : sys(chroot, ".");
	}
	case OP_MASK: return op_mask(o);
	case OP_READONLY: return op_readonly(o);

	case OP_MKNOD: return op_mknod(o);
	case OP_SYMLINK: return op_symlink(o);
	case OP_CONSOLE: return op_console(o);
	case OP_DEVNULL: return op_devnull(o);

	case OP_HOOK: return op_hook(o);
	case OP_UMASK: sys(umask, o->n[0]); return 0;
	case OP_SETGROUPS: {
		long r = sys(setgroups, o->data_len / 4, data(o));
		return r == -EPERM && (o->flags & OPTIONAL) && !o->data_len ? 0 : r;
	}
	case OP_SETID: return set_id(o);
	case OP_STDIO: return op_stdio(o);
	case OP_BOUNDING: return op_bounding(o);
	case OP_KEEPCAPS: return sys(prctl, PR_SET_KEEPCAPS, 1);
	case OP_CAPSET: return op_caps(o);
	case OP_AMBIENT: return op_ambient(o);
	case OP_NONEWPRIVS: return sys(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	case OP_SECCOMP: return op_seccomp(o);
	case OP_CHDIR: return op_chdir(o);
	case OP_LOOKUP: return op_lookup(o);
	case OP_HOME: return op_home(o);
	case OP_FILES: return op_files(o);
	case OP_RLIMIT: {
		uint64_t lim[2] = { o->n[1], o->n[2] };
		return sys(prlimit64, 0, o->n[0], lim, 0);
	}
	case OP_SCHED: return sys(sched_setattr, 0, data(o), 0);
	case OP_IOPRIO: return sys(ioprio_set, 1, 0, o->n[0]);
	case OP_AFFINITY: { long r = sys(sched_setaffinity, 0, o->data_len, data(o)); return r < 0 && !(o->flags & OPTIONAL) ? r : 0; }
	case OP_PERSONALITY: { long r = sys(personality, o->n[0]); return r < 0 ? r : 0; }
	case OP_MEMPOLICY: return sys(set_mempolicy, o->n[0], o->data_len ? data(o) : 0, o->data_len * 8 + (o->data_len ? 1 : 0));
	case OP_ATTR: return op_attr(o);
	case OP_LABEL: return op_label(o);
	case OP_KEEPFDS: return op_keepfds(o);
	case OP_LISTEN: return op_listen(o);
	case OP_EXEC: return op_exec(o);
	case OP_TIMENS: return op_timens(o);
	case OP_UNMOUNT: return op_unmount(o);
	case OP_WORKDIR: return o->a < 0 ? sys(chdir, str(o, 0)) : sys(fchdir, slot[o->a]);
	}
	return -ENOSYS;
}

// forget_signals resets signals that the runtime's caller ignores or blocks. execve
// resets those that the Go runtime catches; the ones here it leaves as they were.
static void forget_signals(void)
{
	static const unsigned char left[] = { SIGHUP, SIGINT, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, 32, 33, 34 };
	static const struct { long handler, flags, restorer; uint64_t mask; } plain;
	for (size_t i = 0; i < sizeof left; i++)
		sys(rt_sigaction, left[i], &plain, 0, sizeof plain.mask);
	sys(rt_sigprocmask, SIG_SETMASK, &plain.mask, 0, sizeof plain.mask);
}

// The clock is the one that a time namespace does not shift: an operation may enter one.
static int64_t nanoseconds(void)
{
	struct timespec_ t;
	sys(clock_gettime, 0 /* CLOCK_REALTIME */, &t);
	return t.sec * 1000000000 + t.nsec;
}

// trace reports when an operation was begun and how long it took, in nanoseconds, the
// last system call that was refused on the way, and the end of a hook's output. It waits
// until the socket has room; the runtime reads while it waits for us.
static void trace(const struct op *o, int64_t begun)
{
	struct message_ m = { .type = M_TRACE, .index = o - ops(), .value = nanoseconds() - begun };
	struct { int64_t begun; int32_t call, err; } more = { begun, refused, -refused_by };
	size_t n = o->kind == OP_HOOK ? len_(failed_text) : 0;
	if (n > sizeof m.text - sizeof more)
		n = sizeof m.text - sizeof more;
	memcpy(m.text, &more, sizeof more);
	memcpy(m.text + sizeof more, failed_text, n);
	struct iovec_ v = { &m, offsetof(struct message_, text) + sizeof more + n };
	struct msghdr_ h = { .iov = &v, .iovlen = 1 };
	sys(sendmsg, slot[SLOT_SOCKET], &h, MSG_NOSIGNAL);
	if (o->kind == OP_HOOK)
		failed_text[0] = 0;
}

// forget forgets what was kept from one operation to the next, unless the next one, of
// the given kind, is like those before it. So what is kept is valid: these operations
// close nothing and change nothing else.
static void forget(uint32_t next)
{
	if (next != OP_MKNOD && next != OP_SYMLINK)
		forget_parent();
	if (next != OP_ATTACH && next != OP_COPYUP)
		forget_top();
}

extern const char _end[]; // of our memory, from the linker

void __attribute__((noreturn)) main_(void)
{
	// It is static: without any initialized variable, GNU ld for riscv64 makes one segment, writable and executable.
	static int first[SLOT_SOCKET + 1] = { 0, 1, 2, SLOT_PROGRAM, SLOT_SOCKET };
	struct stat_ st;
	slot = first;
	long r = stat_of(SLOT_PROGRAM, "", AT_EMPTY_PATH, &st);
	if (r)
		fail(-1, -r);
	// Beside our own memory, it takes no page tables of its own.
	void *beside = (void *)(((uintptr_t)_end + PAGE - 1) & -PAGE);
	image = (const char *)sys(mmap, beside, st.size, 1 /* PROT_READ */, 1 /* MAP_SHARED */, SLOT_PROGRAM, 0);
	if ((long)image < 0 && (long)image > -PAGE)
		fail(-1, -(long)image);
	const struct header *h = (const struct header *)image;
	int table[h->slots];
	for (uint32_t i = 0; i < h->slots; i++)
		table[i] = i < h->inherited ? (int)i : -1;
	slot = table;
	sys(prctl, 15 /* PR_SET_NAME */, "skiff:init");
	sys(prctl, PR_SET_TIMERSLACK, h->timer_slack); // the one we inherit may be that of a thread of the Go runtime
	forget_signals();
	sys(umask, 0); // modes are exactly what the program says
	const struct op *o = ops();
	int64_t begun = 0;
	traces = h->traces;
	for (uint32_t i = 0; i < h->ops; i++) {
		if (traces)
			begun = nanoseconds();
		forget(o[i].kind);
		r = run(o + i);
		if (r < 0)
			fail(i, -r);
		// The user's filter may forbid the calls that this takes; and the process of a hook sends no traces.
		traces = traces && o[i].kind != OP_SECCOMP && !hook;
		if (traces)
			trace(o + i, begun);
		failed_detail = 0;
		refused = refused_by = 0;
	}
	fail(h->ops, ENOEXEC); // a program ends with exec, which does not return
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tand $-16,%rsp\n\tcall main_\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29,#0\n\tbl main_\n");
#elif defined(__riscv)
// The linker addresses the static variables relative to gp, which the kernel leaves zero.
__asm__(".globl _start\n_start:\n\t.option push\n\t.option norelax\n\tla gp,__global_pointer$\n\t.option pop\n"
	"\tli s0,0\n\tandi sp,sp,-16\n\tcall main_\n");
#endif

void *memcpy(void *d, const void *s, size_t n) { char *a = d; const char *b = s; while (n--) *a++ = *b++; return d; }
void *memmove(void *d, const void *s, size_t n)
{
	char *a = d;
	const char *b = s;
	if (a < b)
		return memcpy(d, s, n);
	while (n--)
		a[n] = b[n];
	return d;
}
void *memset(void *d, int c, size_t n) { char *a = d; while (n--) *a++ = c; return d; }
int memcmp(const void *x, const void *y, size_t n)
{
	const unsigned char *a = x, *b = y;
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}
