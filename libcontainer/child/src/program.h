// SPDX-License-Identifier: Apache-2.0
// What the runtime and the child share: written by child/header from libcontainer/program
// and libcontainer/wire. DO NOT EDIT.
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>
#include <stdint.h>

// A program: a header, then its operations.
struct header { uint32_t magic, ops, slots, inherited; uint64_t timer_slack, traces; };
struct op {
	uint32_t kind, flags;
	int32_t a, b;
	uint64_t n[3];
	uint32_t strings, data, data_len, nstrings;
};
_Static_assert(sizeof(struct header) == 32, "header");
_Static_assert(sizeof(struct op) == 56, "operation");
_Static_assert(offsetof(struct op, kind) == 0, "kind");
_Static_assert(offsetof(struct op, flags) == 4, "flags");
_Static_assert(offsetof(struct op, a) == 8, "a");
_Static_assert(offsetof(struct op, b) == 12, "b");
_Static_assert(offsetof(struct op, n) == 16, "n");
_Static_assert(offsetof(struct op, strings) == 40, "strings");
_Static_assert(offsetof(struct op, data) == 44, "data");
_Static_assert(offsetof(struct op, data_len) == 48, "data_len");
_Static_assert(offsetof(struct op, nstrings) == 52, "nstrings");

// A message of the handshake.
struct message_ {
	uint32_t type, index;
	int32_t err;
	uint32_t detail;
	int64_t value;
	char text[488];
};
_Static_assert(offsetof(struct message_, text) == 24, "message");

// The operations.
enum {
	OP_NODUMP = 1,
	OP_UNSHARE = 2,
	OP_SETNS = 3,
	OP_TIMENS = 4,
	OP_FORK = 5,
	OP_SYNC = 6,
	OP_AWAIT = 7,
	OP_SETSID = 8,
	OP_KEYRING = 9,
	OP_SETHOSTNAME = 10,
	OP_SETDOMAINNAME = 11,
	OP_LINKUP = 12,
	OP_NETWORK = 13,
	OP_WRITE = 14,
	OP_OOMSCORE = 15,
	OP_CLOSE = 16,
	OP_BECOMEROOT = 17,
	OP_FILES = 18,
	OP_PROPAGATE = 19,
	OP_FSMOUNT = 20,
	OP_OPENTREE = 21,
	OP_AGAIN = 22,
	OP_SETATTR = 23,
	OP_IDMAP = 24,
	OP_ATTACH = 25,
	OP_COPYUP = 26,
	OP_MOUNT = 27,
	OP_REMOUNT = 28,
	OP_UNMOUNT = 29,
	OP_WORKDIR = 30,
	OP_PIVOT = 31,
	OP_MOVEROOT = 32,
	OP_CHROOT = 33,
	OP_MASK = 34,
	OP_READONLY = 35,
	OP_MKNOD = 36,
	OP_SYMLINK = 37,
	OP_CONSOLE = 38,
	OP_DEVNULL = 39,
	OP_HOOK = 40,
	OP_UMASK = 41,
	OP_SETGROUPS = 42,
	OP_SETID = 43,
	OP_STDIO = 44,
	OP_BOUNDING = 45,
	OP_KEEPCAPS = 46,
	OP_CAPSET = 47,
	OP_AMBIENT = 48,
	OP_NONEWPRIVS = 49,
	OP_SECCOMP = 50,
	OP_CHDIR = 51,
	OP_LOOKUP = 52,
	OP_HOME = 53,
	OP_RLIMIT = 54,
	OP_SCHED = 55,
	OP_IOPRIO = 56,
	OP_AFFINITY = 57,
	OP_PERSONALITY = 58,
	OP_MEMPOLICY = 59,
	OP_ATTR = 60,
	OP_LABEL = 61,
	OP_KEEPFDS = 62,
	OP_LISTEN = 63,
	OP_EXEC = 64,
};

// Their flags.
enum {
	SYNC_ENDS = 1,
	SYNC_EARLY = 2,
	KEYRING_NEW = 1,
	OPTIONAL = 1,
	PROPAGATE_TREE = 1,
	FSMOUNT_LABEL = 1,
	OPEN_IN_ROOT = 1,
	OPEN_FOUND = 2,
	OPEN_LATER = 4,
	SETATTR_TREE = 1,
	SETATTR_TRY = 2,
	SETATTR_KEEP = 4,
	ATTACH_ORDINARY = 1,
	ATTACH_ON_PROC = 2,
	ATTACH_NO_CREATE = 4,
	ATTACH_FROM_PROC = 8,
	ATTACH_MODE = 16,
	ATTACH_NO_LINK = 32,
	ATTACH_ON_LINK = 64,
	MKNOD_HOST = 1,
	MKNOD_OWN = 2,
	SYMLINK_REPLACE = 1,
	SYMLINK_SAME = 2,
	CONSOLE_BIND = 1,
	HOOK_CONFINED = 1,
	HOOK_HOME = 2,
	HOOK_UNTRACED = 4,
	CHDIR_MAKE = 1,
	CHDIR_TRY = 2,
	CHDIR_CHECK = 4,
	LOOKUP_PATH = 1,
	SECCOMP_LISTENER = 1,
	EXEC_LISTEN_PID = 1,
};

// The messages.
enum {
	M_GO = 1,
	M_MAPS = 2,
	M_FORKED = 3,
	M_CONSOLE = 4,
	M_MOUNTED = 5,
	M_LISTENER = 6,
	M_READY = 7,
	M_FAILED = 8,
	M_STARTED = 9,
	M_KEPT = 10,
	M_MOUNT = 11,
	M_IDMAP = 12,
	M_TRACE = 13,
	M_NETWORK = 14,
};

// What goes wrong beyond an errno.
enum detail {
	D_NONE = 0,
	D_SYMLINK = 1,
	D_ON_PROC = 2,
	D_ON_ROOT = 3,
	D_OTHER_NODE = 4,
	D_OUTSIDE = 5,
	D_NOT_FOUND = 6,
	D_IS_DIR = 7,
	D_HOOK_EXIT = 8,
	D_HOOK_SIGNAL = 9,
	D_HOOK_TIMEOUT = 10,
	D_NOT_PTMX = 11,
	D_NOT_NULL = 12,
	D_NOT_PROC = 13,
	D_FS_LOG = 14,
	D_WHERE = 16,
	D_OTHER_KIND = 17,
	D_NOT_HOST = 18,
	D_NOT_MADE = 19,
	D_REFUSED = 20,
};

enum { SLOT_PROGRAM = 3, SLOT_SOCKET = 4 };

#endif
