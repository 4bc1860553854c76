// SPDX-License-Identifier: Apache-2.0

// Device nodes, links and the terminal. The image may have put anything into /dev,
// so nothing here follows a symlink in the last component (CVE-2026-41579,
// CVE-2026-88264), and existing files are checked.
#include "child.h"

// bind_node attaches the mount of a node to the file at base, which it makes if
// there is none.
static int bind_node(int dir, const char *base, int node)
{
	int dest = sys(openat, dir, base, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (dest == -EEXIST)
		dest = open_in(dir, base, O_PATH, RESOLVE_NO_SYMLINKS);
	if (dest < 0)
		return dest;
	int r = attach(node, dest);
	sys(close, dest);
	return r;
}

// host_node returns a detached mount of the node to bind: the one in slot A, or the
// host's node, which it opens in the host's tree and checks.
static int host_node(const struct op *o)
{
	if (o->a >= 0)
		return slot[o->a];
	int fd = sys(open_tree, AT_FDCWD, str(o, 0), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (fd < 0)
		return fd;
	if (is_node(fd, o->n[0] & S_IFMT, o->n[1] >> 32, (uint32_t)o->n[1]))
		return fd;
	sys(close, fd);
	return detailed(D_NOT_HOST, ENXIO);
}

// bind_host binds a node in place of one that cannot be made. It seals it unless it
// is the container's own.
static int bind_host(const struct op *o, int dir, const char *base)
{
	int node = host_node(o);
	int r = node < 0 ? node : o->flags & MKNOD_OWN ? 0 : seal(node);
	if (!r)
		r = bind_node(dir, base, node);
	if (node >= 0 && o->a < 0)
		sys(close, node);
	return r;
}

// is_plain returns whether base is a regular file, as bind_node makes to mount on.
static int is_plain(int dir, const char *base)
{
	struct stat_ st;
	return !stat_of(dir, base, AT_SYMLINK_NOFOLLOW, &st) && (st.mode & S_IFMT) == S_IFREG;
}

// same returns whether the file at base is the node that is asked for.
static int same(int dir, const char *base, const struct op *o)
{
	struct stat_ st;
	if (stat_of(dir, base, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &st))
		return 0;
	uint32_t type = o->n[0] & S_IFMT;
	return (st.mode & S_IFMT) == type &&
	       (type == S_IFIFO || (st.rdev_major == o->n[1] >> 32 && st.rdev_minor == (uint32_t)o->n[1]));
}

// device encodes a device number for mknod(2), like new_encode_dev in the kernel.
static uint32_t device(uint64_t n)
{
	uint32_t major = n >> 32, minor = n;
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

// give changes the owner of the node at base, after a check that it is still that
// node: others may have access to the directory.
static int give(int dir, const char *base, const struct op *o)
{
	int fd = sys(openat, dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	int r = same(fd, "", o) ? sys(fchownat, fd, "", o->n[2] >> 32, (uint32_t)o->n[2], AT_EMPTY_PATH) : detailed(D_OTHER_NODE, EEXIST);
	sys(close, fd);
	return r;
}

int op_mknod(const struct op *o)
{
	const char *base;
	int dir = parent_in(slot[o->b], str(o, o->nstrings - 1), &base);
	if (dir < 0)
		return dir;
	int binds = o->a >= 0 || (o->flags & MKNOD_HOST);
	long r = sys(mknodat, dir, base, o->n[0], device(o->n[1]));
	if (r == -EEXIST && same(dir, base, o))
		r = 0;
	else if (r == -EEXIST && !(binds && is_plain(dir, base)))
		r = detailed(D_OTHER_NODE, EEXIST);
	else if (r == -EEXIST || (r == -EPERM && binds))
		r = bind_host(o, dir, base);
	else if (!r && o->n[2])
		r = give(dir, base, o);
	return r;
}

// leads_to checks that base is a symlink with the given target.
static int leads_to(int dir, const char *base, const char *target)
{
	size_t n = len_(target);
	long r = sys(readlinkat, dir, base, scratch, sizeof scratch);
	return r == (long)n && !memcmp(scratch, target, n) ? 0 : detailed(D_OTHER_NODE, EEXIST);
}

// B root, S0 target, S1 path, flags SYMLINK_*: without one, an existing file stays.
int op_symlink(const struct op *o)
{
	const char *base;
	int dir = parent_in(slot[o->b], str(o, 1), &base);
	if (dir < 0)
		return dir;
	if (o->flags & SYMLINK_REPLACE)
		sys(unlinkat, dir, base, 0);
	long r = sys(symlinkat, str(o, 0), dir, base);
	if (r == -EEXIST)
		r = o->flags & SYMLINK_SAME ? leads_to(dir, base, str(o, 0)) : 0;
	return r;
}

// open_ptmx opens the container's terminal multiplexer and checks that it is the
// kernel's device (CVE-2025-52565).
static int open_ptmx(int root)
{
	int fd = open_in(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (fd == -ENOENT || fd == -EACCES)
		fd = open_in(root, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	if (fd >= 0 && !is_node(fd, S_IFCHR, 5, 2)) {
		sys(close, fd);
		return detailed(D_NOT_PTMX, EINVAL);
	}
	return fd;
}

static int bind_console(int root, int peer)
{
	const char *base;
	int tree = sys(open_tree, peer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return tree;
	int r = parent_in(root, "/dev/console", &base);
	if (r >= 0)
		r = bind_node(r, base, tree);
	forget_parent();
	sys(close, tree);
	return r == -ELOOP ? detailed(D_SYMLINK, ELOOP) : r;
}

int op_console(const struct op *o)
{
	int zero = 0, root = slot[o->b];
	uint16_t size[4] = { o->n[0] >> 16, o->n[0], 0, 0 };
	int master = open_ptmx(root);
	if (master < 0)
		return master;
	long r = sys(ioctl, master, TIOCSPTLCK, &zero);
	int peer = r ? r : sys(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return peer;
	r = size[0] || size[1] ? sys(ioctl, master, TIOCSWINSZ, size) : 0;
	if (!r && (o->flags & CONSOLE_BIND))
		r = bind_console(root, peer);
	for (int i = 0; !r && i < 3; i++) {
		r = sys(dup3, peer, i, 0);
		r = r < 0 ? r : 0;
	}
	sys(close, peer);
	if (!r)
		r = sys(ioctl, 0, TIOCSCTTY, 0);
	if (!r)
		r = ask(M_CONSOLE, master);
	sys(close, master);
	return r;
}

uint32_t stdio_owner[3];

// container_null opens the container's null device.
static int container_null(int root)
{
	int fd = open_in(root, "/dev/null", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
	if (fd >= 0 && !is_node(fd, S_IFCHR, 1, 3)) {
		sys(close, fd);
		return -ENOENT;
	}
	return fd;
}

// new_null makes a null device in a new file system, and opens it.
static int new_null(void)
{
	int fs = new_fs("tmpfs");
	if (fs < 0)
		return fs;
	long r = sys(mknodat, fs, "null", S_IFCHR | 0666, device(1ull << 32 | 3));
	if (!r)
		r = sys(openat, fs, "null", O_RDWR | O_CLOEXEC, 0);
	sys(close, fs);
	return r;
}

// Replaces stdio that is the host's null device by the container's: the container's
// root could change an open node of the host. Both must really be null devices;
// pipes and files have device number 0 as well (CVE-2026-88265). If the container
// has no null device, a new one is made. If that is refused, in a user namespace,
// the host's stays, provided that its owner is not mapped.
int op_devnull(const struct op *o)
{
	enum { NOBODY = 65534, MEMORY = 1 /* null, zero, full, urandom ... */ };
	struct stat_ st;
	int null = -1;
	for (int i = 0; i < 3; i++) {
		stdio_owner[i] = EVERYBODY;
		if (stat_of(i, "", AT_EMPTY_PATH, &st))
			continue;
		if ((st.mode & S_IFMT) != S_IFCHR || st.rdev_major != MEMORY) {
			stdio_owner[i] = st.uid;
			continue;
		}
		if (st.rdev_minor != 3)
			continue;
		if (null < 0)
			null = container_null(slot[o->b]);
		if (null < 0)
			null = new_null();
		if (null < 0 && st.uid == NOBODY)
			continue;
		long r = null < 0 ? detailed(D_NOT_NULL, ENOENT) : sys(dup3, null, i, 0);
		if (r < 0)
			return r;
	}
	if (null >= 0)
		sys(close, null);
	return 0;
}
