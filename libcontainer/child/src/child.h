// SPDX-License-Identifier: Apache-2.0

// Declarations shared by the interpreter's files: its state and its functions.
// program.h has what the interpreter shares with the runtime.
#ifndef CHILD_H
#define CHILD_H

#include "program.h"
#include "sys.h"

// Operations pass descriptors to later operations in slots. The only other state
// between operations is:
//   - hook: the hook that this process is to become;
//   - home, and `chosen` in process.c: strings for execve(2) that are found in the
//     container with the user's privileges;
//   - `chdir_as_root` in process.c: one of two attempts has to succeed;
//   - stdio_owner: the owners of the streams, see op_devnull;
//   - `files` in process.c: the caller's limit, to be restored;
//   - traces;
//   - `dir` and `attached` in mount.c: one detached mount serves several masks;
//   - `parent` in path.c and `top` in mount.c, see forget in child.c.
extern const char *image;          // the program, mapped
extern int *slot;                  // slot number to descriptor
extern const struct op *hook;      // the hook that this process becomes instead of the program; 0: none
extern int traces;                 // each operation is reported, see trace
extern uint32_t failed_detail;     // for the report of a failing operation
extern long failed_value;
extern char failed_text[488];
extern char scratch[PATH_MAX];     // for one function at a time: on the stack it would take pages of its own

static inline const char *str(const struct op *o, uint32_t i)
{
	const char *s = image + o->strings;
	while (i--)
		s += len_(s) + 1;
	return s;
}
static inline const void *data(const struct op *o) { return image + o->data; }
static inline const struct op *ops(void) { return (const struct op *)((const struct header *)image + 1); }
static inline int fd_of(int32_t s) { return s < 0 ? AT_FDCWD : slot[s]; }
static inline int detailed(enum detail d, int err) { failed_detail = d; return -err; }

// child.c
int report(uint32_t type, int fd);
int tell_kept(const struct op *o);
long answer(uint32_t type);
long take(uint32_t type, int *fd);
long ask(uint32_t type, int fd);
void keep_on(void);
long say(const char *text);
void fail(uint32_t index, int err) __attribute__((noreturn));

// path.c: paths inside a root, never outside it
int open_in(int root, const char *path, uint64_t flags, uint64_t resolve);
int make_in(int root, const char *path, uint32_t kind);
int make_missing(int root, const char *path, uint32_t kind);
void forget_parent(void);
int parent_in(int root, const char *path, const char **base);
int stat_of(int dir, const char *path, int flags, struct stat_ *st);
int is_node(int fd, uint32_t type, uint32_t major, uint32_t minor);
long fs_magic(int fd);

// mount.c
int new_fs(const char *type);
int seal(int mount);
int op_fsmount(const struct op *);
int op_setattr(const struct op *);
enum { PUT_OFF = -2 }; // in a slot: the source is opened later, see op_opentree
int op_opentree(const struct op *);
int open_tree_at(const struct op *);
int open_tree_in(int root, const char *path, uint64_t flags);
int op_attach(const struct op *);
void forget_top(void);
int op_remount(const struct op *);
int op_mask(const struct op *);
int op_readonly(const struct op *);
int attach(int mount, int dest);

// oldmount.c
int op_mount(const struct op *);
int op_unmount(const struct op *);

// moveroot.c
int op_pivot(const struct op *);
int op_moveroot(const struct op *);

// dev.c
enum { EVERYBODY = 0xffffffff };
extern uint32_t stdio_owner[3]; // set by op_devnull
int op_mknod(const struct op *);
int op_symlink(const struct op *);
int op_console(const struct op *);
int op_devnull(const struct op *);

// copyup.c
int copy_up(int dir, int mount);

// process.c
extern char home[300]; // "HOME=..." if the environment has none; else empty
int op_fork(const struct op *);
int op_linkup(const struct op *);
int op_network(const struct op *);
int op_write(const struct op *);
int op_oomscore(const struct op *);
int op_timens(const struct op *);
int op_stdio(const struct op *);
int op_bounding(const struct op *);
int op_caps(const struct op *);
int op_ambient(const struct op *);
int op_chdir(const struct op *);
int op_lookup(const struct op *);
int op_home(const struct op *);
int op_attr(const struct op *);
int op_label(const struct op *);
int op_keepfds(const struct op *);
int op_listen(const struct op *);
int op_exec(const struct op *);
int op_files(const struct op *);
int files_as_before(void);
int write_file(int dir, const char *path, const char *value, uint64_t resolve);

// seccomp.c
int op_seccomp(const struct op *);

// hook.c
int op_hook(const struct op *);
void exec_hook(void) __attribute__((noreturn));
uint32_t hook_caps(void);
char **vector(const char **s, uint64_t n, const char *extra);

#endif
