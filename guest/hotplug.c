// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a memory block offline or online, and gives up after a while: a
 * signal ends the loop in the kernel, which would otherwise try for ever.
 * Prints "ok SECONDS" or the name of the error, and fails with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void on_alarm(int sig)
{
	(void)sig;	/* it is enough that the write is interrupted */
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm };	/* no SA_RESTART */
	unsigned int seconds = argc > 3 ? atoi(argv[3]) : 60;
	char path[128];
	double begin;
	ssize_t n;
	int fd;

	if (argc < 3 || argc > 4 || !seconds) {
		fputs("usage: hotplug offline|online|online_kernel|online_movable BLOCK [SECONDS]\n",
		      stderr);
		return 2;
	}
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%s/state",
		 argv[2]);
	fd = open(path, O_WRONLY);
	if (fd < 0) {
		printf("%s %s\n", strerrorname_np(errno), path);
		return 1;
	}
	sigaction(SIGALRM, &sa, NULL);
	begin = now();
	alarm(seconds);
	n = write(fd, argv[1], strlen(argv[1]));
	if (n < 0) {
		printf("%s after %.1f s\n", strerrorname_np(errno), now() - begin);
		return 1;
	}
	printf("ok %.1f s\n", now() - begin);
	return 0;
}
