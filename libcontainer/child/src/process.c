// SPDX-License-Identifier: Apache-2.0

// The user's process: its namespaces, identity, privileges, and its start.
#include "child.h"

static const char *chosen;   // the executable that lookup found
char home[300];
static int chdir_as_root;    // the first chdir worked

static char *put(char *p, const char *s) { while (*s) *p++ = *s++; *p = 0; return p; }

// After joining or making a pid namespace, only a new child process is in it. It
// becomes the runtime's child (CLONE_PARENT), so that the runtime can wait for it.
int op_fork(const struct op *o)
{
	(void)o;
	long pid = sys(clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return pid;
	if (pid == 0)
		return answer(M_FORKED); // the runtime knows this process now
	failed_value = pid;
	long r = report(M_FORKED, -1);
	if (r < 0) { // the runtime does not know the new process, which would wait for ever
		sys(kill, pid, SIGKILL);
		return r;
	}
	sys(exit_group, 0);
	return 0;
}

int op_linkup(const struct op *o)
{
	struct { char name[16]; short flags; char pad[22]; } ifr = { 0 };
	int s = sys(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return s;
	memcpy(ifr.name, str(o, 0), len_(str(o, 0)) + 1);
	long r = sys(ioctl, s, SIOCGIFFLAGS, &ifr);
	ifr.flags |= IFF_UP;
	if (!r)
		r = sys(ioctl, s, SIOCSIFFLAGS, &ifr);
	sys(close, s);
	return r;
}

// op_network joins the network namespace that the runtime has made, or makes one if the
// runtime could not.
int op_network(const struct op *o)
{
	int fd;
	long r = take(M_NETWORK, &fd);
	if (r)
		return r;
	if (fd < 0) {
		r = sys(unshare, CLONE_NEWNET);
		return r ? r : op_linkup(o);
	}
	r = sys(setns, fd, CLONE_NEWNET);
	sys(close, fd);
	return r;
}

int write_file(int dir, const char *path, const char *value, uint64_t resolve)
{
	struct open_how_ how = { .flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW, .resolve = resolve };
	int fd = sys(openat2, dir, path, &how, sizeof how);
	if (fd < 0)
		return fd;
	long n = len_(value), r = sys(write, fd, value, n);
	sys(close, fd);
	return r < 0 ? r : r == n ? 0 : -EIO;
}

// Raising the value takes no privilege; lowering it may take CAP_SYS_RESOURCE
// (proc_pid_oom_score_adj(5)).
int op_oomscore(const struct op *o)
{
	int r = write_file(AT_FDCWD, "/proc/self/oom_score_adj", str(o, 0), 0);
	return (o->flags & OPTIONAL) && (r == -EACCES || r == -EPERM) ? 0 : r;
}

// The offsets can be written as long as no process is in the time namespace
// (time_namespaces(7)); unshare(2) makes it for children only, so it is joined after.
int op_timens(const struct op *o)
{
	long r = *str(o, 0) ? write_file(AT_FDCWD, "/proc/self/timens_offsets", str(o, 0), 0) : 0;
	if (r)
		return r;
	int fd = sys(openat, AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys(setns, fd, CLONE_NEWTIME);
	sys(close, fd);
	return r;
}

// A is a procfs of our own. Nothing can be mounted over its files, so a path in it
// cannot lead elsewhere (CVE-2025-52881).
int op_write(const struct op *o)
{
	if (o->a < 0)
		return write_file(AT_FDCWD, str(o, 0), str(o, 1), 0);
	return write_file(slot[o->a], str(o, 0), str(o, 1), RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

// Changes the owner of stdio to the user, except for /dev/null and the like, which
// belong to everybody. The group stays. If the owner cannot be changed (a read-only
// file system, an unmapped owner), it stays as well.
int op_stdio(const struct op *o)
{
	for (int i = 0; i < 3; i++)
		if (stdio_owner[i] != EVERYBODY && stdio_owner[i] != o->n[0])
			sys(fchown, i, o->n[0], (uint32_t)-1);
	return 0;
}

int op_bounding(const struct op *o)
{
	for (int cap = 0; cap < 64; cap++) {
		if (o->n[0] >> cap & 1)
			continue;
		long r = sys(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL)
			break; // after the kernel's last capability
		if (r == -EPERM && sys(prctl, PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue; // it is not in the set anyway
		if (r)
			return r;
	}
	return 0;
}

int op_caps(const struct op *o)
{
	struct { uint32_t version; int pid; } head = { 0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0 };
	uint32_t may = hook_caps(), sets[6] = { o->n[0] & may, o->n[1] & may, o->n[2] & may, o->n[0] >> 32, o->n[1] >> 32, o->n[2] >> 32 };
	return sys(capset, &head, sets);
}

int op_ambient(const struct op *o)
{
	sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap < 64; cap++) {
		if (!(o->n[0] >> cap & 1))
			continue;
		long r = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
		if (r) {
			failed_value = cap;
			return r;
		}
	}
	return 0;
}

// Root alone may have access to the working directory, or the user alone. So it is
// entered before and after the change of user; one of the two must succeed.
int op_chdir(const struct op *o)
{
	long r = sys(chdir, str(o, 0));
	if (r == -ENOENT && (o->flags & CHDIR_MAKE)) {
		int root = sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		int fd = root < 0 ? root : make_in(root, str(o, 0), S_IFDIR);
		if (root >= 0)
			sys(close, root);
		r = fd < 0 ? fd : sys(fchdir, fd);
		if (fd >= 0)
			sys(close, fd);
	}
	if (o->flags & CHDIR_TRY) {
		chdir_as_root = !r;
		return r == -EACCES ? 0 : r;
	}
	if (r && !(r == -EACCES && chdir_as_root))
		return r;
	// For a directory outside the root, getcwd returns "(unreachable)" and the path.
	// /proc/self/fd/N of a leaked descriptor would be one (CVE-2024-21626).
	r = sys(getcwd, scratch, sizeof scratch);
	if (r == -ENOENT || (r > 0 && scratch[0] != '/'))
		return detailed(D_OUTSIDE, EPERM);
	return r < 0 ? r : 0;
}

// S... candidates. The user must be able to execute the file. In a search of PATH, a
// file that cannot be executed is skipped, and reported if there is no other
// (execvp(3)).
int op_lookup(const struct op *o)
{
	struct stat_ st;
	int err = ENOENT;
	for (uint32_t i = 0; i < o->nstrings; i++) {
		const char *path = str(o, i);
		long r = stat_of(AT_FDCWD, path, 0, &st);
		if (!r && (st.mode & S_IFMT) == S_IFDIR) {
			failed_detail = D_IS_DIR;
			r = -EACCES;
		} else if (!r) {
			r = sys(faccessat2, AT_FDCWD, path, 1 /* X_OK */, AT_EACCESS);
			if (!r) {
				chosen = path;
				return 0;
			}
		}
		if (r == -EACCES || r == -EPERM || r == -ENOSYS || !(o->flags & LOOKUP_PATH))
			err = -r;
	}
	if (err == ENOENT && (o->flags & LOOKUP_PATH))
		failed_detail = D_NOT_FOUND;
	return -err;
}

// field returns the n-th colon-separated field of a line, counted from 0, and its end.
static char *field(char *line, int n, char **end)
{
	char *p = line;
	while (n-- && *p) {
		while (*p && *p != ':')
			p++;
		if (*p)
			p++;
	}
	*end = p;
	while (**end && **end != ':')
		(*end)++;
	return p;
}

static int home_line(char *line, uint64_t uid)
{
	char *end, *p = field(line, 2, &end);
	uint64_t n = 0;
	if (p == end)
		return 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9' || n > 0xffffffffu)
			return 0;
		n = n * 10 + (*p - '0');
	}
	if (n != uid)
		return 0;
	p = field(line, 5, &end);
	if (p == end || end - p > (long)sizeof home - 6)
		return 0;
	*end = 0;
	put(put(home, "HOME="), p);
	return 1;
}

// How much of /etc/passwd is read, in bytes: the entries of 100,000 users, in a few
// milliseconds. The file is part of the image, and may be endless.
enum { PASSWD_MAX = 10 << 20 };

// Takes HOME from the container's own /etc/passwd; "/" if there is no entry.
int op_home(const struct op *o)
{
	char *line = scratch;
	struct stat_ st;
	put(home, "HOME=/");
	int fd = sys(openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (stat_of(fd, "", AT_EMPTY_PATH, &st) || (st.mode & S_IFMT) != S_IFREG) {
		sys(close, fd);
		return 0;
	}
	size_t have = 0;
	for (long n, all = 0; all < PASSWD_MAX; all += n) {
		n = sys(read, fd, line + have, sizeof scratch - 1 - have);
		if (n <= 0)
			break;
		have += n;
		char *start = line, *nl;
		line[have] = 0;
		for (;;) {
			for (nl = start; *nl && *nl != '\n'; nl++)
				;
			if (!*nl)
				break;
			*nl = 0;
			if (home_line(start, o->n[0])) {
				sys(close, fd);
				return 0;
			}
			start = nl + 1;
		}
		have = line + have - start;
		if (have == sizeof scratch - 1)
			have = 0; // an overlong line is not an entry
		memmove(line, start, have);
	}
	line[have] = 0;
	home_line(line, o->n[0]); // the last line may lack its newline
	sys(close, fd);
	return 0;
}

// procfs makes a procfs of our own. If the kernel refuses that (because of an LSM, or
// in a user namespace that does not own the pid namespace), it opens the container's
// /proc, provided that this is the root of a procfs.
static int procfs(void)
{
	struct stat_ st;
	int fd = new_fs("proc");
	if (fd >= 0)
		return fd;
	fd = sys(openat, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (fs_magic(fd) == PROC_SUPER_MAGIC && !stat_of(fd, "", AT_EMPTY_PATH, &st) && st.ino == 1)
		return fd;
	sys(close, fd);
	return detailed(D_NOT_PROC, EPERM);
}

// A out, S... attribute files, the preferred one first. A mount on the procfs is not
// crossed (RESOLVE_NO_XDEV).
int op_attr(const struct op *o)
{
	struct open_how_ how = { .flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	int dir = procfs(), r = -ENOENT;
	if (dir < 0)
		return dir;
	for (uint32_t i = 0; i < o->nstrings && r == -ENOENT; i++)
		r = sys(openat2, dir, str(o, i), &how, sizeof how);
	sys(close, dir);
	if (r >= 0)
		slot[o->a] = r;
	return r < 0 ? r : 0;
}

// The kernel requires that a label is written by one write(2).
int op_label(const struct op *o)
{
	long n = len_(str(o, 0)), r = sys(write, slot[o->a], str(o, 0), n);
	return r < 0 ? r : r == n ? 0 : -EIO;
}

// move_fds moves the n consecutive descriptors from first on to the numbers in to,
// which ascend. It moves those whose number decreases first, beginning with the
// lowest, then those whose number increases, beginning with the highest: so none
// replaces one that has yet to be moved.
static long move_fds(int first, const int *to, int n)
{
	long r = 0;
	int i = 0;
	for (; r >= 0 && i < n && to[i] < first + i; i++)
		r = sys(dup3, first + i, to[i], 0);
	for (int j = n - 1; r >= 0 && j >= i && to[j] > first + j; j--)
		r = sys(dup3, first + j, to[j], 0);
	return r < 0 ? r : 0;
}

// The descriptors that the caller passes on get the numbers that they have in the
// caller. Every other one is closed, not only marked close-on-exec: execve resolves
// its path while those are still open (CVE-2024-21626). Only the handshake's socket
// stays, marked: it gives no access to a file system, and is needed to report a
// failing execve.
int op_keepfds(const struct op *o)
{
	int n = hook ? 0 : o->data_len / 4, first = n ? slot[o->a] : 3, next = 3; // a hook gets none of them
	const int *to = data(o);
	int last = n && to[n - 1] > first + n ? to[n - 1] : first + n;
	long s = sys(fcntl, slot[SLOT_SOCKET], F_DUPFD_CLOEXEC, last + 3);
	if (s < 0)
		return s;
	slot[SLOT_SOCKET] = s;
	long r = move_fds(first, to, n);
	for (int i = 0; !r && i < n; next = to[i++] + 1)
		if (to[i] > next)
			r = sys(close_range, next, to[i] - 1, 0);
	if (!r)
		r = sys(close_range, next, s - 1, 0);
	return r ? r : sys(close_range, s + 1, ~0u, 0);
}

static uint64_t files[2]; // the original RLIMIT_NOFILE, soft and hard, if it has been changed

int files_as_before(void) { return files[1] ? sys(prlimit64, 0, RLIMIT_NOFILE, files, 0) : 0; }

// op_files raises the soft limit on descriptors if it is lower than what the launch
// program needs; N0 0 restores it.
int op_files(const struct op *o)
{
	uint64_t old[2];
	if (!o->n[0])
		return files_as_before();
	long r = sys(prlimit64, 0, RLIMIT_NOFILE, 0, old);
	if (r || old[0] >= o->n[0])
		return r;
	uint64_t more[2] = { o->n[0], old[1] };
	r = sys(prlimit64, 0, RLIMIT_NOFILE, more, 0);
	if (!r)
		memcpy(files, old, sizeof old);
	return r;
}

// A is a listening socket, to which start connects. From then on, failures are
// reported to start; success is the end of the connection at execve.
int op_listen(const struct op *o)
{
	long c;
	while ((c = sys(accept4, slot[o->a], 0, 0, SOCK_CLOEXEC)) == -EINTR)
		;
	if (c < 0)
		return c;
	sys(close, slot[SLOT_SOCKET]);
	slot[SLOT_SOCKET] = c;
	long r = report(M_STARTED, -1);
	return r < 0 && r != -EPIPE ? r : 0; // start may be gone: the container has been started all the same
}

// decimal writes a decimal number at p, and returns its end.
static char *decimal(char *p, unsigned long n)
{
	char digits[20], *d = digits + sizeof digits - 1;
	*d = 0;
	do
		*--d = '0' + n % 10;
	while (n /= 10);
	return put(p, d);
}

int op_exec(const struct op *o)
{
	static char listen_pid[32];
	const char *s = str(o, 0);
	if (hook)
		exec_hook();
	char **argv = vector(&s, o->n[0], 0);
	char **envp = argv ? vector(&s, o->n[1], home[0] ? home : 0) : 0;
	if (!envp)
		return -ENOMEM;
	if (o->flags & EXEC_LISTEN_PID) {
		decimal(put(listen_pid, "LISTEN_PID="), sys(getpid));
		envp[o->n[1] + (home[0] ? 1 : 0)] = listen_pid;
	}
	return sys(execve, chosen ? chosen : argv[0], argv, envp);
}
