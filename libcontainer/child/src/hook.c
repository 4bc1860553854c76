// SPDX-License-Identifier: Apache-2.0

// Hooks that run in the container's namespaces: fork, state document on stdin, exit
// status, timeout.
#include "child.h"

enum { OUTPUT = 400 };

// room returns n pointers, all of them 0: of our own memory as long as that is enough.
static char **room(uint64_t n)
{
	static char *own[96];
	static uint64_t used;
	if (n <= sizeof own / sizeof *own - used) {
		used += n;
		return own + used - n;
	}
	long mem = sys(mmap, 0, n * sizeof(char *), 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
	return mem < 0 && mem > -PAGE ? 0 : (char **)mem;
}

// vector makes a NULL-terminated array of the n strings from *s on, followed by extra
// if it is not 0, with room for one more. It moves *s behind the strings.
char **vector(const char **s, uint64_t n, const char *extra)
{
	char **v = room(n + 3);
	if (!v)
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		v[i] = (char *)*s;
		*s += len_(*s) + 1;
	}
	v[n] = (char *)extra; // it is 0 after that
	return v;
}

// prepare sets up the process that was forked for a hook.
static void prepare(const struct op *o, int in, int out)
{
	sys(setpgid, 0, 0); // so that a timeout also kills what the hook started
	sys(prctl, PR_SET_PDEATHSIG, SIGKILL);
	sys(fcntl, in, 4 /* F_SETFL */, 0);
	sys(fcntl, out, 4, 0);
	sys(dup3, in, 0, 0);
	sys(dup3, o->a < 0 ? out : slot[o->a], 1, 0);
	sys(dup3, o->b < 0 ? out : slot[o->b], 2, 0);
}

// forgo_ptrace drops CAP_SYS_PTRACE for good. With it a hook could take over its
// parent, which has no filter and may have more capabilities.
static long forgo_ptrace(void)
{
	struct { uint32_t version; int pid; } head = { 0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0 };
	uint32_t sets[6];
	long r = sys(capget, &head, sets);
	for (int i = 0; i < 3; i++)
		sets[i] &= hook_caps();
	if (!r && sys(prctl, PR_CAPBSET_READ, CAP_SYS_PTRACE, 0, 0, 0) == 1)
		r = sys(prctl, PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0);
	return r ? r : sys(capset, &head, sets);
}

// hook_caps returns those of the first 32 capabilities that this process may have.
uint32_t hook_caps(void)
{
	return hook && hook->flags & HOOK_UNTRACED ? ~(1u << CAP_SYS_PTRACE) : ~0u;
}

static long execute(const struct op *o)
{
	const char *s = str(o, 1);
	char **argv = vector(&s, o->n[0], 0);
	char **envp = argv ? vector(&s, o->n[1], (o->flags & HOOK_HOME) && home[0] ? home : 0) : 0;
	return envp ? sys(execve, str(o, 0), argv, envp) : -ENOMEM;
}

// exec_hook is the last operation of a process that becomes a hook, when it has been
// confined as the program will be. If it fails, this process reports it to the
// runtime, before its parent can report the exit status.
void exec_hook(void)
{
	long r = execute(hook);
	fail(hook - ops(), -r);
}

// state copies the state document from byte `from` on, with the run of '#' replaced
// by our pid in the container's pid namespace. It returns the number of bytes, 0 at
// the end.
static size_t state(const struct op *o, size_t from, char *buf, size_t size)
{
	const char *d = data(o);
	char num[24], *p = num + sizeof num;
	size_t before = 0, mark = 0, digits, n;
	while (before < o->data_len && d[before] != '#')
		before++;
	while (before + mark < o->data_len && d[before + mark] == '#')
		mark++;
	for (unsigned long v = sys(getpid); mark && (p == num + sizeof num || v); v /= 10)
		*--p = '0' + v % 10;
	digits = num + sizeof num - p;
	for (n = 0; n < size && from + n < o->data_len - mark + digits; n++) {
		size_t i = from + n;
		buf[n] = i < before ? d[i] : i < before + digits ? p[i - before] : d[i - digits + mark];
	}
	return n;
}

static int64_t now(void)
{
	struct timespec_ t;
	sys(clock_gettime, 1 /* CLOCK_MONOTONIC */, &t);
	return t.sec * 1000 + t.nsec / 1000000;
}

// end kills a hook and what it has started. The hook may not have its own process
// group yet.
static void end(long pid)
{
	sys(kill, -pid, SIGKILL);
	sys(kill, pid, SIGKILL);
}

// converse writes the state to the hook, keeps the end of its output, and enforces
// the timeout, until the hook has exited. It does not wait for processes that the
// hook left behind with its pipes. If the runtime is gone, it kills the hook and
// exits.
static int converse(const struct op *o, long pid, int in, int out, int *status)
{
	size_t sent = 0, have = 0;
	char text[OUTPUT + 1], part[OUTPUT], doc[PAGE];
	int64_t limit = o->n[2] ? now() + (int64_t)o->n[2] : 0;
	int pidfd = sys(pidfd_open, pid, 0), r = 0, done = 0;
	if (pidfd < 0)
		return pidfd;
	while (!done) {
		struct pollfd_ p[4] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 }, { in, POLLOUT, 0 }, { slot[SLOT_SOCKET], 0, 0 } };
		int64_t left = limit ? limit - now() : 0;
		struct timespec_ t = { left / 1000, left % 1000 * 1000000 };
		if (limit && left <= 0) {
			r = detailed(D_HOOK_TIMEOUT, ETIMEDOUT);
			break;
		}
		long n = sys(ppoll, p, 4, limit ? &t : 0, 0, 0);
		if (n < 0 && n != -EINTR) {
			r = n;
			break;
		}
		if (p[3].revents & POLLHUP) {
			end(pid);
			sys(exit_group, 1);
		}
		if (p[2].revents) {
			n = sys(write, in, doc, state(o, sent, doc, sizeof doc));
			if (n > 0)
				sent += n;
			if (!state(o, sent, doc, 1) || (n < 0 && n != -EAGAIN)) {
				sys(close, in);
				in = -1;
			}
		}
		done = p[0].revents != 0;
		// Read at most a full pipe at a time: a hook that prints without end must not keep us from the timeout.
		for (int i = 0; out >= 0 && i < 65536 / OUTPUT + 1 && (n = sys(read, out, part, sizeof part)) > 0; i++) {
			if (n + have > OUTPUT) { // keep the end, which says why it failed
				size_t cut = n + have - OUTPUT;
				cut = cut > have ? have : cut;
				memmove(text, text + cut, have - cut);
				have -= cut;
			}
			memcpy(text + have, part, n);
			have += n;
			if (done && have == OUTPUT)
				break; // its descendants may print without end
		}
		if (n == 0)
			out = -1;
	}
	if (in >= 0)
		sys(close, in);
	if (r)
		end(pid);
	while (sys(wait4, pid, status, 0, 0) == -EINTR)
		;
	sys(close, pidfd);
	text[have] = 0;
	if (r || *status || traces)
		say(text);
	return r;
}

// sigpipe sets the action for SIGPIPE, which a hook that does not read its stdin causes.
static void sigpipe(long handler)
{
	struct { long handler, flags, restorer; uint64_t mask; } sa = { handler, 0, 0, 0 };
	sys(rt_sigaction, SIGPIPE, &sa, 0, 8);
}

// A confined hook is not executed at once: its process goes on with the program,
// skips the other hooks, and is confined as the user's program will be when it comes
// to OP_EXEC. The child itself stays unconfined meanwhile: it could not watch the
// hook otherwise.
int op_hook(const struct op *o)
{
	if (hook)
		return 0; // this process becomes another hook
	int in[2], out[2], status = 0;
	long r = sys(pipe2, in, O_CLOEXEC | O_NONBLOCK);
	if (!r)
		r = sys(pipe2, out, O_CLOEXEC | O_NONBLOCK);
	if (r)
		return r;
	long pid = sys(clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		prepare(o, in[0], out[1]);
		if (o->flags & HOOK_CONFINED) {
			hook = o;
			return o->flags & HOOK_UNTRACED ? forgo_ptrace() : 0;
		}
		sys(close_range, 3, ~0u, 0);
		files_as_before();
		sys(umask, 022);
		execute(o);
		for (;;)
			sys(exit_group, 127);
	}
	sys(close, in[0]);
	sys(close, out[1]);
	sigpipe(1 /* SIG_IGN */);
	r = pid < 0 ? pid : converse(o, pid, in[1], out[0], &status);
	sigpipe(0 /* SIG_DFL */);
	sys(close, out[0]);
	if (r)
		return r;
	failed_value = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
	if (status & 0x7f)
		return detailed(D_HOOK_SIGNAL, EPERM);
	return status ? detailed(D_HOOK_EXIT, EPERM) : 0;
}
