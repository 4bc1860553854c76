// SPDX-License-Identifier: Apache-2.0

// Changing the root: by pivot_root(2), or by moving the mount (MS_MOVE), for hosts
// whose root is a ramdisk, which pivot_root(2) refuses.
//
// After MS_MOVE the host's tree is still in the mount namespace, under the new root.
// Nobody can reach it. But the kernel lets a user namespace mount a proc or a sysfs
// if one is fully visible in the mount namespace (mount_too_revealing), and the
// host's would count: masks would have no effect. So these are unmounted, or covered.
#include "child.h"

// As pivot_root(2) describes it for pivot_root(".", "."): the old root ends up on top
// of the new one, and is detached there.
int op_pivot(const struct op *o)
{
	long r = sys(fchdir, slot[o->a]);
	if (!r)
		r = sys(pivot_root, ".", ".");
	if (!r)
		r = sys(umount2, ".", MNT_DETACH);
	return r ? r : sys(chdir, "/");
}

enum { TABLE = 16 << 20 }; // of address space; memory is used only for what is read

// skip returns the place n words further on.
static char *skip(char *line, int n)
{
	while (n--) {
		while (*line && *line != ' ')
			line++;
		while (*line == ' ')
			line++;
	}
	return line;
}

// cut terminates a word with NUL.
static void cut(char *p)
{
	while (*p && *p != ' ')
		p++;
	*p = 0;
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;
	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}

static int same(const char *a, const char *b, size_t n)
{
	return len_(a) >= n && !memcmp(a, b, n);
}

// unescape decodes the octal escapes of mountinfo.
static void unescape(char *s)
{
	char *d = s;
	while (*s) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*d++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 4;
		} else {
			*d++ = *s++;
		}
	}
	*d = 0;
}

// hide unmounts a mount, or covers it if it is locked, as in a less privileged mount
// namespace. A mount that has another one on it is covered already. The path is
// looked up once, since others may control a directory on the way.
static int hide(const char *path, uint64_t id)
{
	struct stat_ st;
	int fd = sys(openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0; // it was unmounted together with another one
	if (fd < 0)
		return fd;
	long r = stat_of(fd, "", AT_EMPTY_PATH, &st);
	if (!r && st.mnt_id == id) {
		r = sys(fchdir, fd);
		if (!r && sys(umount2, ".", MNT_DETACH))
			r = sys(mount, "skiff", ".", "tmpfs", MS_RDONLY, 0);
	}
	sys(close, fd);
	return r;
}

// entry handles one line: id, parent, device, root, mount point, options ...
// "-" type source options (proc_pid_mountinfo(5)). root is the container's root.
static int entry(char *line, const char *root)
{
	char *tail = line;
	while (*tail && !same(tail, " - ", 3))
		tail++;
	if (!same(tail, " - proc ", 8) && !same(tail, " - sysfs ", 9))
		return 0;
	size_t n = len_(root);
	char *of = skip(line, 3), *point = skip(line, 4);
	if (!same(of, "/ ", 2))
		return 0; // only a part of the file system
	cut(point);
	unescape(point);
	if (same(point, root, n) && (point[n] == '/' || !point[n]))
		return 0; // a mount of the container
	int r = hide(point, number(line));
	if (r) {
		say(point);
		failed_detail = D_WHERE;
	}
	return r;
}

// hide_all begins with the last line: of several mounts at one place, the uppermost
// comes last.
static int hide_all(char *table, const char *root)
{
	int fd = sys(openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	long have = 0, n;
	while ((n = sys(read, fd, table + have, TABLE - 1 - have)) > 0)
		have += n;
	sys(close, fd);
	if (n < 0)
		return n;
	if (have == TABLE - 1)
		return -E2BIG;
	int r = 0;
	for (char *end = table + have; !r && end > table;) {
		*--end = 0;
		while (end > table && end[-1] != '\n')
			end--;
		r = entry(end, root);
	}
	return r;
}

// A the root.
int op_moveroot(const struct op *o)
{
	char root[PATH_MAX];
	long r = sys(fchdir, slot[o->a]);
	if (!r)
		r = sys(getcwd, root, sizeof root);
	if (r < 0)
		return r;
	long table = sys(mmap, 0, TABLE, 3 /* read, write */, 0x4022 /* private, anonymous, no reserve */, -1, 0);
	if (table < 0 && table > -PAGE)
		return table;
	r = hide_all((char *)table, root);
	sys(munmap, table, TABLE);
	if (!r)
		r = sys(fchdir, slot[o->a]);
	if (!r)
		r = sys(mount, ".", "/", 0, MS_MOVE, 0);
	if (!r)
		r = sys(chroot, ".");
	return r ? r : sys(chdir, "/");
}
