// Changing the root: by pivot_root(2), or by moving the mount, for hosts whose
// root is a ramdisk, which pivot_root(2) refuses.
//
// A moved root leaves the host's tree in the mount namespace, below it. Nobody
// gets there; but the kernel lets a user namespace mount a proc or a sysfs only
// where one can be seen whole (mount_too_revealing), and would take the host's
// for that: masks would be worth nothing. So these go, or are covered.
#include "child.h"

// pivot_root(2)'s own recipe for one directory: the old root ends up on top of
// the new one and is detached from there.
int op_pivot(const struct op *o)
{
	long r = sys(fchdir, slot[o->a]);
	if (!r)
		r = sys(pivot_root, ".", ".");
	if (!r)
		r = sys(umount2, ".", MNT_DETACH);
	return r ? r : sys(chdir, "/");
}

enum { TABLE = 16 << 20 }; // of address space; memory is what is read

// skip goes n words on.
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

// cut ends a word with NUL.
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

// unescape undoes the table's octal numbers.
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

// hide takes a mount away, or, where it came with a less privileged namespace
// and is locked, covers it. One that has another mount on it is covered already.
// The path is looked up once: a directory on the way may be others'.
static int hide(const char *path, uint64_t id)
{
	struct stat_ st;
	int fd = sys(openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0; // it went with another one
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

// entry looks at a line: id, parent, device, root, mount point, options ...
// "-" type source options (proc_pid_mountinfo(5)). root is the container's.
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
		return 0; // not the whole of it
	cut(point);
	unescape(point);
	if (same(point, root, n) && (point[n] == '/' || !point[n]))
		return 0; // the container's own
	int r = hide(point, number(line));
	if (r) {
		say(point);
		failed_detail = D_WHERE;
	}
	return r;
}

// hide_all begins with the last line, where the uppermost of several mounts at
// one place is.
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
