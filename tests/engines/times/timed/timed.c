// SPDX-License-Identifier: Apache-2.0

// Stands in for a runtime, whose path is TARGET: runs it, and adds a line to LOG with the
// microseconds that this took.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int child;

static void pass(int signal)
{
	kill(child, signal);
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	long start = now();
	int status = 0, log;
	char line[64];

	(void)argc;
	child = vfork();
	if (child == 0) {
		execv(TARGET, argv);
		_exit(127);
	}
	signal(SIGTERM, pass);
	signal(SIGINT, pass);
	while (waitpid(child, &status, 0) < 0)
		;
	log = open(LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (write(log, line, snprintf(line, sizeof line, "%ld\n", now() - start)) < 0)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
