// SPDX-License-Identifier: Apache-2.0

// tmpcopyup: copies what a tmpfs will hide into it first.
#include "child.h"

struct dirent_ { uint64_t ino; int64_t off; uint16_t reclen; uint8_t type; char name[]; };

enum { PIECE = 1 << 20 };

static int copy_dir(int from, int to, int depth);

// owned ignores the error for an owner that is not mapped in the user namespace:
// the copy then keeps our own id.
static long owned(long r) { return r == -EINVAL ? 0 : r; }

static int copy_file(int from, int to, const char *name, const struct stat_ *st)
{
	int in = sys(openat, from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (in < 0)
		return in;
	int out = sys(openat, to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	long n = out < 0 ? out : 1;
	while (n > 0) {
		if (n == PIECE)
			keep_on();
		n = sys(sendfile, out, in, 0, PIECE);
	}
	if (!n)
		n = owned(sys(fchown, out, st->uid, st->gid));
	if (!n)
		n = sys(fchmod, out, st->mode & 07777);
	if (out >= 0)
		sys(close, out);
	sys(close, in);
	return n;
}

static int copy_link(int from, int to, const char *name, const struct stat_ *st)
{
	char target[PATH_MAX];
	long n = sys(readlinkat, from, name, target, sizeof target - 1);
	if (n < 0)
		return n;
	target[n] = 0;
	long r = sys(symlinkat, target, to, name);
	return r ? r : owned(sys(fchownat, to, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW));
}

static int copy_node(int to, const char *name, const struct stat_ *st)
{
	uint32_t dev = (st->rdev_minor & 0xff) | (st->rdev_major << 8) | ((st->rdev_minor & ~0xffu) << 12);
	long r = sys(mknodat, to, name, st->mode, dev);
	return r ? r : owned(sys(fchownat, to, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW));
}

static int copy_sub(int from, int to, const char *name, const struct stat_ *st, int depth)
{
	long r = sys(mkdirat, to, name, 0700);
	if (r)
		return r;
	int in = sys(openat, from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	int out = in < 0 ? in : (int)sys(openat, to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	r = out < 0 ? out : copy_dir(in, out, depth + 1);
	if (!r)
		r = owned(sys(fchown, out, st->uid, st->gid));
	if (!r)
		r = sys(fchmod, out, st->mode & 07777);
	if (out >= 0)
		sys(close, out);
	if (in >= 0)
		sys(close, in);
	return r;
}

static int copy_one(int from, int to, const char *name, int depth)
{
	struct stat_ st;
	long r = stat_of(from, name, AT_SYMLINK_NOFOLLOW, &st);
	if (r)
		return r;
	switch (st.mode & S_IFMT) {
	case S_IFREG: return copy_file(from, to, name, &st);
	case S_IFLNK: return copy_link(from, to, name, &st);
	case S_IFDIR: return copy_sub(from, to, name, &st, depth);
	default: return copy_node(to, name, &st);
	}
}

static int copy_dir(int from, int to, int depth)
{
	char buf[4096] __attribute__((aligned(8)));
	long n;
	if (depth > 100)
		return -ELOOP;
	while ((n = sys(getdents64, from, buf, sizeof buf)) > 0) {
		keep_on();
		for (long i = 0; i < n;) {
			struct dirent_ *d = (struct dirent_ *)(buf + i);
			i += d->reclen;
			if (eq(d->name, ".") || eq(d->name, ".."))
				continue;
			int r = copy_one(from, to, d->name, depth);
			if (r < 0) {
				say(d->name);
				return r;
			}
		}
	}
	return n;
}

// copy_up copies the content and the owner of a directory to a detached mount.
int copy_up(int dir, int mount)
{
	struct stat_ st;
	int from = sys(openat, dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (from < 0)
		return from;
	int to = sys(openat, mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long r = to < 0 ? to : copy_dir(from, to, 0);
	if (!r)
		r = stat_of(from, "", AT_EMPTY_PATH, &st);
	if (!r)
		r = owned(sys(fchown, to, st.uid, st.gid));
	if (to >= 0)
		sys(close, to);
	sys(close, from);
	return r;
}
