// SPDX-License-Identifier: Apache-2.0

// mount(2), for flags and option strings that fsconfig(2) cannot express. It takes a
// path, and the mount that it makes can be found only by the path again. So the path
// is one that nobody else can redirect: a directory in a new file system of our own.
// From there, the mount is cloned, and is then detached like any other.
#include "child.h"

// The name of the directory.
static const char *const name = "m";

// fd_path writes the path of a descriptor in the host's /proc.
static const char *fd_path(char path[32], int fd)
{
	char *p = path + 31;
	*p = 0;
	do
		*--p = '0' + fd % 10;
	while (fd /= 10);
	p -= 14;
	memcpy(p, "/proc/self/fd/", 14);
	return p;
}

// leave unmounts what enter has attached to the root, with all mounts below it.
static int leave(int mount)
{
	char path[32];
	return sys(umount2, fd_path(path, mount), MNT_DETACH);
}

// enter attaches a new file system with one directory to the root, since nothing can
// be mounted on a detached mount. It covers that with a clone of the root, so that
// sources below the path of the rootfs are found there as before.
static int enter(int root, int *top)
{
	int place = new_fs("tmpfs");
	if (place < 0)
		return place;
	*top = sys(open_tree, root, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	long r = *top < 0 ? *top : sys(mkdirat, place, name, 0700);
	if (!r)
		r = attach(place, root);
	if (!r) {
		r = attach(*top, place);
		if (r)
			leave(place);
	}
	if (r) {
		if (*top >= 0)
			sys(close, *top);
		sys(close, place);
	}
	return r ? r : place;
}

static int mount_in(int place, const struct op *o)
{
	char path[32];
	int dir = open_in(place, name, O_PATH, 0);
	if (dir < 0)
		return dir;
	long r = sys(mount, str(o, 1), fd_path(path, dir), str(o, 0), o->n[0], *str(o, 2) ? str(o, 2) : 0);
	sys(close, dir);
	return r ? r : open_tree_in(place, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

// A out, B root, S0 type, S1 source, S2 options, N0 flags.
int op_mount(const struct op *o)
{
	int top, place = enter(slot[o->b], &top);
	if (place < 0)
		return place;
	int mount = mount_in(place, o);
	long r = leave(top);
	if (!r)
		r = leave(place);
	sys(close, top);
	sys(close, place);
	if (mount >= 0)
		slot[o->a] = mount;
	return mount < 0 ? mount : r;
}

// A mount, B the host's /proc. OPTIONAL: it is not an error if the mount is not
// attached. It is unmounted by its descriptor: a path in the container could lead
// elsewhere.
int op_unmount(const struct op *o)
{
	char path[32];
	long r = sys(fchdir, slot[o->b]);
	if (!r)
		r = sys(umount2, fd_path(path, slot[o->a]) + sizeof "/proc", MNT_DETACH);
	return r == -EINVAL && o->flags & OPTIONAL ? 0 : r;
}
