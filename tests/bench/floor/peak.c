// SPDX-License-Identifier: Apache-2.0

// Prints the peak memory of a command's largest process, in KiB. The driver cannot ask for
// it itself: the kernel counts the memory of the process that calls execve(2), too, and the
// driver is larger than a runtime. Usage: peak COMMAND...
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage r;
	int status, pid = argc < 2 ? -1 : fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &r) < 0 || status)
		return 1;
	printf("%ld\n", r.ru_maxrss);
	return 0;
}
