// SPDX-License-Identifier: Apache-2.0

// Paths inside a root directory. The content of the root is hostile: its symlinks may
// point anywhere, and another process may exchange them while they are looked up
// (CVE-2021-30465, CVE-2025-52881, CVE-2026-41579). So openat2 resolves a path once,
// inside the root, to a descriptor, and only the descriptor is used afterwards.
#include "child.h"

int open_in(int root, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how_ how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve };
	int tries = 2000; // openat2 returns EAGAIN if a rename anywhere races with ".."
	long r;
	do
		r = sys(openat2, root, path, &how, sizeof how);
	while (r == -EAGAIN && --tries);
	return r;
}

int stat_of(int dir, const char *path, int flags, struct stat_ *st)
{
	return sys(statx, dir, path, flags, 0x7ff | 0x1000 /* STATX_MNT_ID */, st);
}

int is_node(int fd, uint32_t type, uint32_t major, uint32_t minor)
{
	struct stat_ st;
	return stat_of(fd, "", AT_EMPTY_PATH, &st) == 0 && (st.mode & S_IFMT) == type && st.rdev_major == major && st.rdev_minor == minor;
}

long fs_magic(int fd)
{
	long buf[16]; // struct statfs, whose first word is the type
	long r = sys(fstatfs, fd, buf);
	return r ? r : buf[0];
}

// splice replaces the component of path at [from, to), which is a symlink, by its
// target.
static int splice(char *path, int from, int to, const char *target, int n)
{
	char rest[PATH_MAX];
	int tail = len_(path + to);
	int at = target[0] == '/' ? 0 : from;
	if (at + n + tail + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(rest, path + to, tail + 1);
	memcpy(path + at, target, n);
	memcpy(path + at + n, rest, tail + 1);
	return 0;
}

// follow puts the target of the symlink at [from, to) into path. Its buffers are not
// to be part of its caller's frame, which they would move to other pages.
static int __attribute__((noinline)) follow(int dir, char *path, int from, int to)
{
	char target[PATH_MAX];
	char c = path[to];
	path[to] = 0;
	long r = sys(readlinkat, dir, path + from, target, sizeof target);
	path[to] = c;
	if (r == -EINVAL)
		return 0; // another process has made it meanwhile
	return r < 0 ? r : r == sizeof target ? -ENAMETOOLONG : splice(path, from, to, target, r);
}

// make_one makes the component of path at [from, to) in dir. If it exists and could
// not be resolved, it is a dangling symlink, as images have them (/etc/mtab): its
// target is put into path, so that it is followed as in the container.
static int make_one(int dir, char *path, int from, int to, uint32_t kind)
{
	char c = path[to];
	path[to] = 0;
	long r = kind == S_IFDIR ? sys(mkdirat, dir, path + from, 0755) : sys(mknodat, dir, path + from, S_IFREG | 0644, 0);
	path[to] = c;
	return r == -EEXIST ? follow(dir, path, from, to) : r;
}

// open_before opens the directory that path names up to from.
static int open_before(int root, char *path, int from)
{
	char c = path[from];
	path[from] = 0;
	int dir = open_in(root, from ? path : "/", O_PATH | O_DIRECTORY, 0);
	path[from] = c;
	return dir;
}

// last_missing opens the directory of the last component of path: as a rule, that is
// all that is missing.
static int last_missing(int root, char *path, int *from, int *to)
{
	int i = len_(path);
	while (i && path[i - 1] == '/')
		i--;
	*to = i;
	while (i && path[i - 1] != '/')
		i--;
	*from = i;
	return i == *to ? -ENOENT : open_before(root, path, i);
}

// missing finds the first component of path that cannot be resolved, and opens the
// directory that it should be in.
static int missing(int root, char *path, int *from, int *to)
{
	int dir = last_missing(root, path, from, to);
	if (dir >= 0)
		return dir;
	for (int i = 0;;) {
		while (path[i] == '/')
			i++;
		*from = i;
		while (path[i] && path[i] != '/')
			i++;
		*to = i;
		char c = path[i];
		path[i] = 0;
		int fd = open_in(root, path, O_PATH, 0);
		path[i] = c;
		if (fd == -ENOENT)
			return open_before(root, path, *from);
		if (fd < 0)
			return fd;
		sys(close, fd);
		if (!c)
			return -EEXIST; // all of it exists now
	}
}

// make_missing makes what is missing of path, and opens it.
int make_missing(int root, const char *path, uint32_t kind)
{
	char *buf = scratch;
	size_t n = len_(path);
	if (n >= sizeof scratch)
		return -ENAMETOOLONG;
	if (path != buf)
		memcpy(buf, path, n + 1);
	for (int turns = 0; turns < 4096; turns++) {
		int from, to, dir = missing(root, buf, &from, &to);
		if (dir < 0 && dir != -EEXIST)
			return dir;
		if (dir >= 0) {
			size_t end = to;
			while (buf[end] == '/')
				end++;
			int is_dir = buf[end] || kind == S_IFDIR;
			int r = make_one(dir, buf, from, to, is_dir ? S_IFDIR : kind);
			sys(close, dir);
			if (r) {
				buf[to] = 0;
				say(buf);
				failed_value = !is_dir;
				return detailed(D_NOT_MADE, -r);
			}
		}
		int fd = open_in(root, buf, O_PATH, 0);
		if (fd != -ENOENT)
			return fd;
	}
	return -ELOOP;
}

// make_in opens path inside root, and makes what is missing: directories, and as the
// last component a directory or an empty file.
int make_in(int root, const char *path, uint32_t kind)
{
	int fd = open_in(root, path, O_PATH, 0);
	return fd == -ENOENT ? make_missing(root, path, kind) : fd;
}

// The directory that parent_in has opened last.
static struct { int open, fd, root; size_t n; const char *path; } parent;

void forget_parent(void)
{
	if (parent.open)
		sys(close, parent.fd);
	parent.open = 0;
}

// parent_in opens the parent directory of path inside root, which it makes if need
// be, and points base at the last component. The directory stays open until
// forget_parent: the next operation often makes something in the same one.
int parent_in(int root, const char *path, const char **base)
{
	size_t n = len_(path);
	while (n && path[n - 1] != '/')
		n--;
	*base = path + n;
	if (parent.open && parent.root == root && parent.n == n && !memcmp(parent.path, path, n))
		return parent.fd;
	forget_parent();
	if (n >= sizeof scratch)
		return -ENAMETOOLONG;
	memcpy(scratch, path, n);
	scratch[n] = 0;
	int fd = make_in(root, n ? scratch : "/", S_IFDIR);
	parent.open = fd >= 0;
	parent.fd = fd;
	parent.root = root;
	parent.n = n;
	parent.path = path;
	return fd;
}
