// SPDX-License-Identifier: Apache-2.0

// All that the child needs from outside: system calls, and the few string functions
// that a program without a C library needs. Every system call returns the kernel's
// result, -errno on failure.
#ifndef SYS_H
#define SYS_H

#include <asm/unistd.h>
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long a7 __asm__("a7") = n, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;
	__asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
	return a0;
}
#else
#error "no system call interface for this architecture"
#endif

// trap ends the process by SIGILL. (__builtin_trap ends it by SIGTRAP on some
// architectures.)
static inline void __attribute__((noreturn)) trap(void)
{
#if defined(__x86_64__)
	__asm__ volatile("ud2");
#elif defined(__aarch64__)
	__asm__ volatile(".inst 0");
#else
	__asm__ volatile("unimp");
#endif
	__builtin_unreachable();
}

// sys_ is sys6, and remembers the number of a call that was refused.
long sys_(long n, long a, long b, long c, long d, long e, long f);

#define SYS_(n, a, b, c, d, e, f, ...) sys_(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(n, ...) SYS_(__NR_##n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

// Constants of the kernel's interface. The kernel's headers conflict with each other
// if several are included, so the few constants that are needed are defined here,
// under their usual names.
enum {
	AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_EACCESS = 0x200, AT_EMPTY_PATH = 0x1000, AT_RECURSIVE = 0x8000,
	O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_NOCTTY = 0400, O_NONBLOCK = 04000,
	O_CLOEXEC = 02000000, O_PATH = 010000000,
#if defined(__aarch64__)
	O_DIRECTORY = 040000, O_NOFOLLOW = 0100000,
#else
	O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000,
#endif
	RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16,
	S_IFMT = 0170000, S_IFSOCK = 0140000, S_IFLNK = 0120000, S_IFREG = 0100000, S_IFBLK = 060000, S_IFDIR = 040000,
	S_IFCHR = 020000, S_IFIFO = 010000,
	EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EBUSY = 16,
	EEXIST = 17, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENOTTY = 25, EROFS = 30, EPIPE = 32, ENAMETOOLONG = 36, ENOSYS = 38, ELOOP = 40,
	EPROTO = 71, EOPNOTSUPP = 95, ETIMEDOUT = 110,
	SIGHUP = 1, SIGINT = 2, SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIGCONT = 18, SIGTSTP = 20, SIGTTIN = 21, SIGTTOU = 22, SIG_SETMASK = 2,
	CLONE_PARENT = 0x8000, CLONE_NEWTIME = 0x80, CLONE_NEWNET = 0x40000000,
	MS_RDONLY = 1, MS_MOVE = 8192, MS_REC = 16384, MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MNT_DETACH = 2,
	OPEN_TREE_CLONE = 1, OPEN_TREE_CLOEXEC = O_CLOEXEC,
	MOVE_MOUNT_F_EMPTY_PATH = 4, MOVE_MOUNT_T_EMPTY_PATH = 0x40,
	MOUNT_ATTR_RDONLY = 1, MOUNT_ATTR_NOSUID = 2, MOUNT_ATTR_NODEV = 4, MOUNT_ATTR_NOEXEC = 8,
	FSOPEN_CLOEXEC = 1, FSMOUNT_CLOEXEC = 1, FSPICK_CLOEXEC = 1, FSPICK_EMPTY_PATH = 8,
	FSCONFIG_SET_FLAG = 0, FSCONFIG_SET_STRING = 1, FSCONFIG_CMD_CREATE = 6, FSCONFIG_CMD_RECONFIGURE = 7,
	PROC_SUPER_MAGIC = 0x9fa0, DEVPTS_SUPER_MAGIC = 0x1cd1,
	CAP_SYS_PTRACE = 19,
	PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_KEEPCAPS = 8, PR_SET_TIMERSLACK = 29, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24, PR_SET_NO_NEW_PRIVS = 38,
	PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_RAISE = 2, PR_CAP_AMBIENT_CLEAR_ALL = 4,
	KEYCTL_JOIN_SESSION_KEYRING = 1, KEYCTL_SETPERM = 5, KEYRING_FOR_EXEC = 0x3f1b0000,
	SECCOMP_SET_MODE_FILTER = 1,
	RLIMIT_NOFILE = 7, F_DUPFD_CLOEXEC = 1030, F_SETFD = 2,
	TIOCSCTTY = 0x540E, TIOCSWINSZ = 0x5414, TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441,
	SIOCGIFFLAGS = 0x8913, SIOCSIFFLAGS = 0x8914, IFF_UP = 1,
	AF_INET = 2, SOCK_DGRAM = 2, SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000, SOCK_CLOEXEC = O_CLOEXEC,
	POLLIN = 1, POLLOUT = 4, POLLHUP = 16,
	PATH_MAX = 4096, PAGE = 4096,
	DT_DIR = 4,
};

struct stat_ { // of statx(2), whose layout is the same on all architectures
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad0;
	uint64_t ino, size, blocks, attributes_mask;
	struct { int64_t sec; uint32_t nsec; int32_t pad; } atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id, spare[13];
};
struct open_how_ { uint64_t flags, mode, resolve; };
struct mount_attr_ { uint64_t set, clr, propagation, userns_fd; };
struct timespec_ { int64_t sec, nsec; };
struct pollfd_ { int fd; short events, revents; };
struct iovec_ { const void *base; size_t len; };
struct msghdr_ { void *name; int namelen; struct iovec_ *iov; size_t iovlen; void *control; size_t controllen; int flags; };

// LAST puts a large variable behind the small ones, so that those share a page (build.sh
// has the linker sort by section).
#define LAST __attribute__((section(".bss.last")))

static inline size_t len_(const char *s) { size_t n = 0; while (s[n]) n++; return n; }
static inline int eq(const char *a, const char *b) { while (*a && *a == *b) a++, b++; return *a == *b; }

// The compiler may generate calls of these four.
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

#endif
