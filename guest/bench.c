// SPDX-License-Identifier: GPL-2.0
/*
 * Does one thing between the two marks of bench/marks.h, for the plugin that
 * counts instructions. Prints "ok", or the name of the error, and fails then.
 *
 * As PID 1 (rdinit=/bin/bench) it marks the end of the boot and becomes init.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../bench/marks.h"

static int failed(const char *path)
{
	printf("%s %s\n", strerrorname_np(errno), path);
	return 1;
}

/* Write to files of sysfs or procfs, whose kernel side is what we count. */
static int write_files(int argc, char **argv)
{
	ssize_t n = 0;
	int fds[8], i;

	for (i = 0; i < argc / 2; i++) {
		fds[i] = open(argv[2 * i], O_WRONLY);
		if (fds[i] < 0)
			return failed(argv[2 * i]);
	}
	MARK(MARK_BEGIN);
	for (i = 0; i < argc / 2 && n >= 0; i++)
		n = write(fds[i], argv[2 * i + 1], strlen(argv[2 * i + 1]));
	MARK(MARK_END);
	if (n < 0)
		return failed(argv[2 * i - 2]);
	puts("ok");
	return 0;
}

int main(int argc, char **argv)
{
	if (getpid() == 1) {
		MARK(MARK_BEGIN);
		execv("/init", argv);
		return failed("/init");
	}
	if (argc >= 4 && argc <= 18 && argc % 2 == 0 && !strcmp(argv[1], "write"))
		return write_files(argc - 2, argv + 2);
	fputs("usage: bench write FILE TEXT [FILE TEXT]...\n", stderr);
	return 2;
}
