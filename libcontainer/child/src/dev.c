// Device nodes, links and the terminal. All of /dev belongs to the image until
// we have made it, so nothing here follows a symlink in the last component
// (CVE-2026-41579, CVE-2026-88264), and what is there already is checked.
#include "child.h"

// bind_node attaches the runtime's own node where mknod is refused.
static int bind_node(int dir, const char *base, int node)
{
	long r = sys(mknodat, dir, base, S_IFREG | 0644, 0);
	if (r && r != -EEXIST)
		return r;
	int dest = open_in(dir, base, O_PATH, RESOLVE_NO_SYMLINKS);
	if (dest < 0)
		return dest;
	r = attach(node, dest);
	sys(close, dest);
	return r;
}

// host_node gives the host's node of a device as a detached mount: the one
// that the runtime opened, or one that we open in the host's tree.
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

static int bind_host(const struct op *o, int dir, const char *base)
{
	int node = host_node(o);
	int r = node < 0 ? node : bind_node(dir, base, node);
	if (node >= 0 && o->a < 0)
		sys(close, node);
	return r;
}

// is_plain tells that base is an ordinary file, as an earlier bind has left it.
static int is_plain(int dir, const char *base)
{
	struct stat_ st;
	return !stat_of(dir, base, AT_SYMLINK_NOFOLLOW, &st) && (st.mode & S_IFMT) == S_IFREG;
}

// same tells whether what exists at base is the node that was asked for.
static int same(int dir, const char *base, const struct op *o)
{
	struct stat_ st;
	if (stat_of(dir, base, AT_SYMLINK_NOFOLLOW, &st))
		return 0;
	uint32_t type = o->n[0] & S_IFMT;
	return (st.mode & S_IFMT) == type &&
	       (type == S_IFIFO || (st.rdev_major == o->n[1] >> 32 && st.rdev_minor == (uint32_t)o->n[1]));
}

// mknod(2)'s device number, which is new_encode_dev of the kernel.
static uint32_t device(uint64_t n)
{
	uint32_t major = n >> 32, minor = n;
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

int op_mknod(const struct op *o)
{
	const char *base;
	int dir = parent_in(slot[o->b], str(o, 0), &base);
	if (dir < 0)
		return dir;
	int binds = o->a >= 0 || (o->flags & 1);
	long r = sys(mknodat, dir, base, o->n[0], device(o->n[1]));
	if (r == -EEXIST && same(dir, base, o))
		r = 0;
	else if (r == -EEXIST && !(binds && is_plain(dir, base)))
		r = detailed(D_OTHER_NODE, EEXIST);
	else if (r == -EEXIST || (r == -EPERM && binds))
		r = bind_host(o, dir, base);
	else if (!r && o->n[2])
		r = sys(fchownat, dir, base, o->n[2] >> 32, (uint32_t)o->n[2], AT_SYMLINK_NOFOLLOW);
	sys(close, dir);
	return r;
}

// B root, S0 target, S1 path, flags 1: replace what is there.
int op_symlink(const struct op *o)
{
	const char *base;
	int dir = parent_in(slot[o->b], str(o, 1), &base);
	if (dir < 0)
		return dir;
	if (o->flags & 1)
		sys(unlinkat, dir, base, 0);
	long r = sys(symlinkat, str(o, 0), dir, base);
	sys(close, dir);
	return r == -EEXIST ? 0 : r;
}

// open_ptmx opens the container's terminal multiplexer and makes sure that the
// kernel's own driver answers (CVE-2025-52565).
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
	if (r >= 0) {
		int dir = r;
		r = bind_node(dir, base, tree);
		sys(close, dir);
	}
	sys(close, tree);
	return r == -ELOOP ? detailed(D_SYMLINK, ELOOP) : r;
}

static int send_master(int master)
{
	long r = report(M_CONSOLE, master);
	return r < 0 ? r : answer(M_CONSOLE);
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
	if (!r && (o->flags & 1))
		r = bind_console(root, peer);
	for (int i = 0; !r && i < 3; i++) {
		r = sys(dup3, peer, i, 0);
		r = r < 0 ? r : 0;
	}
	sys(close, peer);
	if (!r)
		r = sys(ioctl, 0, TIOCSCTTY, 0);
	if (!r)
		r = send_master(master);
	sys(close, master);
	return r;
}

// Stdio that is the host's /dev/null becomes the container's, so that no node
// of the host stays open; only a real null is accepted on both sides, since
// pipes and files have device number 0 too (CVE-2026-88265).
int op_devnull(const struct op *o)
{
	int null = -1;
	for (int i = 0; i < 3; i++) {
		if (!is_node(i, S_IFCHR, 1, 3))
			continue;
		if (null < 0)
			null = open_in(slot[o->b], "/dev/null", O_RDWR | O_NOFOLLOW, 0);
		if (null < 0)
			return 0; // no /dev/null of its own: the host's will do
		if (!is_node(null, S_IFCHR, 1, 3)) {
			sys(close, null);
			return 0;
		}
		long r = sys(dup3, null, i, 0);
		if (r < 0)
			return r;
	}
	if (null >= 0)
		sys(close, null);
	return 0;
}
