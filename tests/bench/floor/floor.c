// SPDX-License-Identifier: Apache-2.0

// The floor: only the system calls that the default configuration needs, written by hand,
// without JSON, state or checks. No runtime can be faster than this. Usage: floor ROOTFS
// CGROUP PROGRAM
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int bad, const char *what)
{
	if (bad) {
		perror(what);
		_exit(111);
	}
}

static int tree(const char *path, int recursive)
{
	int fd = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
	check(fd < 0, path);
	return fd;
}

static void attach(int fd, int root, const char *path)
{
	check(syscall(SYS_move_mount, fd, "", root, path, MOVE_MOUNT_F_EMPTY_PATH), path);
}

static void fs(int root, const char *type, const char *path, int attr, ...)
{
	const char *opts[][2] = { { "mode", "755" }, { "size", "65536k" }, { "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" }, { "mode", "1777" }, { "size", "65536k" } };
	int first = 0, last = 0;
	if (!strcmp(path, "dev")) first = 0, last = 2;
	if (!strcmp(path, "dev/pts")) first = 2, last = 5;
	if (!strcmp(path, "dev/shm")) first = 5, last = 7;
	int f = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	check(f < 0, type);
	for (int i = first; i < last; i++)
		check(syscall(SYS_fsconfig, f, FSCONFIG_SET_STRING, opts[i][0], opts[i][1], 0), opts[i][0]);
	check(syscall(SYS_fsconfig, f, FSCONFIG_CMD_CREATE, 0, 0, 0), type);
	int m = syscall(SYS_fsmount, f, FSMOUNT_CLOEXEC, attr);
	check(m < 0, "fsmount");
	attach(m, root, path);
	close(m);
	close(f);
}

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(s, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
}

static void child(const char *rootfs, int root, int null, char *program)
{
	struct mount_attr slave = { .propagation = 1 << 19 /* MS_SLAVE */ }, ro = { .attr_set = MOUNT_ATTR_RDONLY };
	const char *masked[] = { "proc/kcore", "proc/keys", "proc/timer_list" }, *masked_dirs[] = { "proc/acpi", "proc/scsi", "sys/firmware" };
	const char *readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };
	struct { const char *name; int minor; } devs[] = { { "dev/null", 3 }, { "dev/zero", 5 }, { "dev/full", 7 }, { "dev/random", 8 }, { "dev/urandom", 9 }, { "dev/tty", 0 } };

	prctl(PR_SET_DUMPABLE, 0);
	check(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave), "slave");
	attach(root, AT_FDCWD, rootfs);
	setsid();
	sethostname("floor", 5);
	lo_up();
	umask(0);
	fs(root, "proc", "proc", 0);
	fs(root, "tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
	mkdirat(root, "dev/pts", 0755);
	fs(root, "devpts", "dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	mkdirat(root, "dev/shm", 0755);
	fs(root, "tmpfs", "dev/shm", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
	mkdirat(root, "dev/mqueue", 0755);
	fs(root, "mqueue", "dev/mqueue", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
	fs(root, "sysfs", "sys", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
	fs(root, "cgroup2", "sys/fs/cgroup", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
	for (unsigned i = 0; i < sizeof devs / sizeof *devs; i++)
		check(mknodat(root, devs[i].name, S_IFCHR | 0666, i == 5 ? makedev(5, 0) : makedev(1, devs[i].minor)), devs[i].name);
	symlinkat("/proc/self/fd", root, "dev/fd");
	symlinkat("/proc/self/fd/0", root, "dev/stdin");
	symlinkat("/proc/self/fd/1", root, "dev/stdout");
	symlinkat("/proc/self/fd/2", root, "dev/stderr");
	symlinkat("pts/ptmx", root, "dev/ptmx");
	check(fchdir(root) || syscall(SYS_pivot_root, ".", ".") || syscall(SYS_umount2, ".", 2) || chdir("/"), "pivot_root");
	for (unsigned i = 0; i < 5; i++) {
		int t = syscall(SYS_open_tree, root, readonly[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (t < 0)
			continue;
		syscall(SYS_mount_setattr, t, "", AT_EMPTY_PATH, &ro, sizeof ro);
		attach(t, root, readonly[i]);
		close(t);
	}
	for (unsigned i = 0; i < 3; i++) {
		int n = i ? syscall(SYS_open_tree, AT_FDCWD, masked[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) : null;
		syscall(SYS_move_mount, n, "", root, masked[i], MOVE_MOUNT_F_EMPTY_PATH);
	}
	for (unsigned i = 0; i < 3; i++)
		if (faccessat(root, masked_dirs[i], F_OK, 0) == 0)
			fs(root, "tmpfs", masked_dirs[i], MOUNT_ATTR_RDONLY);
	check(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &ro, sizeof ro), "read-only");
	for (int c = 0; c < 41; c++)
		if (c != 5 && c != 10 && c != 29)
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
	uint32_t bits = 1u << 5 | 1u << 10 | 1u << 29, caps[6] = { bits, bits, 0, 0, 0, 0 };
	syscall(SYS_setgroups, 0, 0);
	check(syscall(SYS_capset, &head, caps), "capset");
	umask(022);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	close_range(3, ~0u, 0);
	char *argv[] = { program, 0 }, *envp[] = { "PATH=/bin", 0 };
	execve(program, argv, envp);
	check(1, program);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	check(mkdir(argv[2], 0755), argv[2]);
	int root = tree(argv[1], 1), null = tree("/dev/null", 0);
	struct clone_args a = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_VFORK,
		.exit_signal = SIGCHLD,
		.cgroup = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	int pid = syscall(SYS_clone3, &a, sizeof a), status;
	check(pid < 0, "clone3");
	if (pid == 0)
		child(argv[1], root, null, argv[3]);
	check(waitpid(pid, &status, 0) < 0, "waitpid");
	check(rmdir(argv[2]), "rmdir");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
