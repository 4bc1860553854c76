// SPDX-License-Identifier: Apache-2.0

// Mounts. A mount is detached at first: a new file system (fsopen, fsmount), or the
// clone of a source (open_tree), made here or by the runtime. move_mount attaches it
// to a descriptor of its destination, so no name is resolved twice.
#include "child.h"

// new_fs makes a detached mount of a new file system without source and options.
int new_fs(const char *type)
{
	int fs = sys(fsopen, type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	long r = sys(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (!r)
		r = sys(fsmount, fs, FSMOUNT_CLOEXEC, 0);
	sys(close, fs);
	return r;
}

int attach(int mount, int dest)
{
	return sys(move_mount, mount, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// fs_log stores the kernel's message about a file system context for the report: it
// names the parameter that was refused, which an errno cannot.
static int fs_log(int fs, int err)
{
	char buf[256];
	long n = sys(read, fs, buf, sizeof buf - 1);
	if (n > 2) {
		buf[n] = 0;
		if (buf[n - 1] == '\n')
			buf[n - 1] = 0;
		say(buf + 2); // the message begins with "e ", "w " or "i "
		failed_detail = D_FS_LOG;
	}
	sys(close, fs);
	return err;
}

// fs_params sets the options S[first] to S[end-1] in a file system context.
static int fs_params(int fs, const struct op *o, uint32_t first, uint32_t end)
{
	char key[256];
	for (uint32_t i = first; i < end; i++) {
		const char *s = str(o, i);
		size_t n = 0;
		while (s[n] && s[n] != '=')
			n++;
		if (n >= sizeof key)
			return -EINVAL;
		memcpy(key, s, n);
		key[n] = 0;
		long r = s[n] ? sys(fsconfig, fs, FSCONFIG_SET_STRING, key, s + n + 1, 0) : sys(fsconfig, fs, FSCONFIG_SET_FLAG, key, 0, 0);
		if (r)
			return r;
	}
	return 0;
}

// host_tree clones the host's tree of a file system that a user namespace may not
// mount anew, and sets the attributes and the propagation of all its mounts.
static int host_tree(const struct op *o)
{
	struct mount_attr_ m = { .set = o->n[1], .propagation = o->n[2] };
	int fd = sys(open_tree, AT_FDCWD, data(o), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd == -ENOENT)
		return -EPERM;
	if (fd < 0)
		return fd;
	long r = sys(mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &m, sizeof m);
	if (r)
		sys(close, fd);
	else
		slot[o->a] = fd;
	return r;
}

// label_root sets the SELinux label of the root of a new file system.
static int label_root(int mount, const char *label)
{
	int dir = sys(openat, mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return dir;
	int r = sys(fsetxattr, dir, "security.selinux", label, len_(label) + 1, 0);
	sys(close, dir);
	return r;
}

// A out, S0 type, S1 source, S2... options, N0 attributes. FSMOUNT_LABEL: the last
// string is the label of the root. Data, N1, N2: see host_tree.
int op_fsmount(const struct op *o)
{
	uint32_t labelled = o->flags & FSMOUNT_LABEL;
	int fs = sys(fsopen, str(o, 0), FSOPEN_CLOEXEC);
	if (fs == -EPERM && o->data_len)
		return host_tree(o);
	if (fs < 0)
		return fs;
	long r = *str(o, 1) ? sys(fsconfig, fs, FSCONFIG_SET_STRING, "source", str(o, 1), 0) : 0;
	if (!r)
		r = fs_params(fs, o, 2, o->nstrings - labelled);
	if (!r)
		r = sys(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (!r)
		r = sys(fsmount, fs, FSMOUNT_CLOEXEC, o->n[0]);
	if (r == -EPERM && o->data_len) {
		sys(close, fs);
		return host_tree(o);
	}
	if (r < 0)
		return fs_log(fs, r);
	slot[o->a] = r;
	sys(close, fs);
	return labelled ? label_root(r, str(o, o->nstrings - 1)) : 0;
}

// open_tree_in clones what is at path, which is resolved inside root; with
// AT_SYMLINK_NOFOLLOW, a symlink at path itself.
int open_tree_in(int root, const char *path, uint64_t flags)
{
	int fd = open_in(root, path, flags & AT_SYMLINK_NOFOLLOW ? O_PATH | O_NOFOLLOW : O_PATH, 0);
	if (fd < 0)
		return fd;
	long r = sys(open_tree, fd, "", flags | AT_EMPTY_PATH);
	sys(close, fd);
	return r;
}

// open_tree_at opens the path S0, relative to B.
int open_tree_at(const struct op *o)
{
	long fd = sys(open_tree, fd_of(o->b), str(o, 0), o->n[0]);
	if (fd < 0)
		return fd;
	slot[o->a] = fd;
	return 0;
}

// put_off marks the slot of a source on an unbindable mount, which again() opens later.
static int put_off(const struct op *o, int r)
{
	if (r != -EINVAL || !(o->flags & OPEN_LATER))
		return r;
	slot[o->a] = PUT_OFF;
	return 0;
}

// A out, B directory, S0 path, N0 flags. With OPEN_FOUND there is no path: B itself is
// cloned, and closed, since it gives access to the host's tree.
int op_opentree(const struct op *o)
{
	long fd;
	if (o->flags & OPEN_IN_ROOT)
		fd = open_tree_in(slot[o->b], str(o, 0), o->n[0]);
	else if (o->flags & OPEN_FOUND)
		fd = sys(open_tree, slot[o->b], "", o->n[0] | AT_EMPTY_PATH);
	else
		return put_off(o, open_tree_at(o));
	if (o->flags & OPEN_FOUND)
		sys(close, slot[o->b]);
	if (fd < 0)
		return fd;
	slot[o->a] = fd;
	return 0;
}

static int set_attr(int fd, const struct op *o, uint64_t keep)
{
	struct mount_attr_ m = { .set = o->n[0], .clr = o->n[1] & ~keep, .propagation = o->n[2] };
	if (o->b >= 0 && (m.set & 0x100000 /* MOUNT_ATTR_IDMAP */))
		m.userns_fd = slot[o->b];
	return sys(mount_setattr, fd, "", AT_EMPTY_PATH | (o->flags & SETATTR_TREE ? AT_RECURSIVE : 0), &m, sizeof m);
}

int op_setattr(const struct op *o)
{
	if (slot[o->a] == PUT_OFF)
		return 0;
	int r = set_attr(slot[o->a], o, 0);
	if (r == -EPERM && o->flags & SETATTR_KEEP) {
		r = set_attr(slot[o->a], o, MOUNT_ATTR_RDONLY);
		if (!r)
			r = tell_kept(o);
	}
	return r == -EPERM && o->flags & SETATTR_TRY ? 0 : r;
}

// The identity of the root that mounts are attached in.
static struct { int known, root; uint64_t ino, mnt_id; } top;

void forget_top(void) { top.known = 0; }

// is_top returns whether a file is root itself.
static int is_top(int root, const struct stat_ *st)
{
	struct stat_ r;
	if (!top.known || top.root != root) {
		if (stat_of(root, "", AT_EMPTY_PATH, &r))
			return 0;
		top.known = 1;
		top.root = root;
		top.ino = r.ino;
		top.mnt_id = r.mnt_id;
	}
	return st->ino == top.ino && st->mnt_id == top.mnt_id;
}

// destination opens the place where a mount of the given kind goes, and asks for its
// status. It makes it if need be, and refuses places where a mount would weaken the
// container's isolation.
static int destination(int root, const char *path, uint32_t kind, uint32_t flags, int *existed, struct stat_ *st)
{
	uint64_t strict = flags & (ATTACH_ORDINARY | ATTACH_NO_LINK) ? RESOLVE_NO_SYMLINKS : 0;
	uint64_t open = flags & ATTACH_ON_LINK ? O_PATH | O_NOFOLLOW : O_PATH;
	int fd = open_in(root, path, open, strict);
	*existed = fd >= 0;
	if (fd == -ENOENT && !(flags & ATTACH_NO_CREATE)) {
		fd = make_missing(root, path, kind);
		if (fd >= 0 && (strict || open != O_PATH)) {
			sys(close, fd);
			fd = open_in(root, path, open, strict);
		}
	}
	if (fd == -ELOOP && strict)
		return detailed(D_SYMLINK, ELOOP); // CVE-2019-19921
	if (fd < 0)
		return fd;
	if (!(flags & ATTACH_ON_PROC) && fs_magic(fd) == PROC_SUPER_MAGIC)
		return detailed(D_ON_PROC, EPERM); // CVE-2019-16884: writes to /proc must reach the kernel
	long r = stat_of(fd, "", AT_EMPTY_PATH, st);
	if (r)
		return r;
	return is_top(root, st) ? detailed(D_ON_ROOT, EINVAL) : fd;
}

static int is_dir(const struct stat_ *st) { return (st->mode & S_IFMT) == S_IFDIR; }

// inherit_mode sets the mode of a tmpfs to that of the directory that it hides,
// unless the file system is read-only.
static int inherit_mode(int mount, uint32_t mode)
{
	int dir = sys(openat, mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return dir;
	long r = sys(fchmod, dir, mode & 07777);
	sys(close, dir);
	return r == -EROFS ? 0 : r;
}

// A mount, B root, S0 destination. Without B, S0 is a path on the host, or empty for
// the working directory.
int op_attach(const struct op *o)
{
	struct stat_ of, at; // the mount, and its place
	int mount = slot[o->a], dest, existed = 1;
	if (o->b < 0 && !*str(o, 0)) // this needs no permission, as no name is looked up
		return attach(mount, AT_FDCWD);
	if (o->b < 0) {
		dest = sys(openat, AT_FDCWD, str(o, 0), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	} else {
		long r = stat_of(mount, "", AT_EMPTY_PATH, &of);
		if (r)
			return r;
		if ((o->flags & ATTACH_FROM_PROC) && fs_magic(mount) != PROC_SUPER_MAGIC)
			return detailed(D_NOT_PROC, EPERM);
		dest = destination(slot[o->b], str(o, 0), is_dir(&of) ? S_IFDIR : S_IFREG, o->flags, &existed, &at);
	}
	if (dest < 0)
		return dest;
	int r = 0;
	if (existed && o->b >= 0 && is_dir(&of) != is_dir(&at))
		r = detailed(D_OTHER_KIND, ENOTDIR); // move_mount(2) would only return EINVAL
	if (!r && existed && o->kind == OP_COPYUP)
		r = copy_up(dest, mount);
	if (!r && existed && (o->flags & ATTACH_MODE))
		r = inherit_mode(mount, at.mode);
	if (!r)
		r = attach(mount, dest);
	sys(close, dest);
	return r;
}

// reconfigure changes the options of the file system of a mount.
static int reconfigure(int mount, const struct op *o)
{
	int fs = sys(fspick, mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs < 0)
		return fs;
	long r = fs_params(fs, o, 1, o->nstrings);
	if (!r)
		r = sys(fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0);
	if (r)
		return fs_log(fs, r);
	sys(close, fs);
	return 0;
}

// With B, a root: opens what is mounted at S0 into A. Else A is the mount already.
// S1... options of its file system, N0, N1, N2 attributes.
int op_remount(const struct op *o)
{
	long r = o->b < 0 ? 0 : open_in(slot[o->b], str(o, 0), O_PATH, 0);
	if (r < 0)
		return r;
	if (o->b >= 0)
		slot[o->a] = r;
	r = o->nstrings > 1 ? reconfigure(slot[o->a], o) : 0;
	if (!r && (o->n[0] | o->n[1] | o->n[2]))
		r = set_attr(slot[o->a], o, 0);
	return r;
}

// clone_of clones one attached mount, to attach it at a second place.
static int clone_of(int mount)
{
	return sys(open_tree, mount, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

// cover attaches the mount itself the first time, and a clone of it after that: one
// mount serves all masks of its kind.
static int cover(int mount, int dest, int *attached)
{
	int m = *attached ? clone_of(mount) : mount;
	int r = m < 0 ? m : attach(m, dest);
	if (*attached && m >= 0)
		sys(close, m);
	*attached |= !r;
	return r;
}

// empty_dir makes the read-only tmpfs that covers directories.
static int empty_dir(const struct op *o)
{
	int fs = sys(fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	long r = fs_params(fs, o, 1, o->nstrings);
	if (!r)
		r = sys(fsconfig, fs, FSCONFIG_SET_STRING, "nr_blocks", "1", 0);
	if (!r)
		r = sys(fsconfig, fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0);
	if (!r)
		r = sys(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (!r)
		r = sys(fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	sys(close, fs);
	return r;
}

static int mask_dir(const struct op *o, int dest)
{
	static int dir, attached; // no descriptor of ours is 0
	if (!dir)
		dir = empty_dir(o);
	return dir < 0 ? dir : cover(dir, dest, &attached);
}

// seal makes a detached mount of a host's device node read-only: the device can still
// be read and written, but not the attributes of its inode, which is the host's. The
// mount also becomes private, so that a mount on it does not propagate to the host.
int seal(int mount)
{
	struct mount_attr_ m = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, .propagation = MS_PRIVATE };
	return sys(mount_setattr, mount, "", AT_EMPTY_PATH, &m, sizeof m);
}

// mask_file covers a file with a null device.
static int mask_file(int null, int dest)
{
	static int attached;
	long r = 0;
	if (!attached && !is_node(null, S_IFCHR, 1, 3))
		r = detailed(D_NOT_NULL, EINVAL);
	else if (!attached)
		r = seal(null);
	return r ? r : cover(null, dest, &attached);
}

// A detached mount of a null device, B root, S0 path, S1... options of the tmpfs over
// a directory. A path that does not exist needs no mask.
int op_mask(const struct op *o)
{
	struct stat_ st;
	int dest = open_in(slot[o->b], str(o, 0), O_PATH, 0);
	if (dest == -ENOENT || dest == -ENOTDIR)
		return 0;
	if (dest < 0)
		return dest;
	long r = stat_of(dest, "", AT_EMPTY_PATH, &st);
	if (!r)
		r = (st.mode & S_IFMT) == S_IFDIR ? mask_dir(o, dest) : mask_file(slot[o->a], dest);
	sys(close, dest);
	return r;
}

// B root, S0 path: bind it on itself, read-only.
int op_readonly(const struct op *o)
{
	struct mount_attr_ m = { .set = MOUNT_ATTR_RDONLY };
	int dest = open_in(slot[o->b], str(o, 0), O_PATH, 0);
	if (dest == -ENOENT || dest == -ENOTDIR)
		return 0;
	if (dest < 0)
		return dest;
	long r, tree = sys(open_tree, dest, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree >= 0) {
		r = sys(mount_setattr, tree, "", AT_EMPTY_PATH, &m, sizeof m);
		if (!r)
			r = attach(tree, dest);
		sys(close, tree);
	} else {
		r = tree;
	}
	sys(close, dest);
	return r;
}
