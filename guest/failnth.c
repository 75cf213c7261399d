// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a value to a file, while one allocation of the kernel fails:
 *
 *	failnth FILE VALUE N
 *
 * The Nth one, counted from the beginning of the write. Prints the error, or 0,
 * and whether there was such an allocation at all: "ENOMEM failed", "0 unused".
 * See Documentation/fault-injection/fault-injection.rst.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common.h"

int main(int argc, char **argv)
{
	char left[16] = "";
	int fd, nth, error = 0;

	if (argc != 4)
		return 2;
	fd = xopen(argv[1], O_WRONLY);
	nth = xopen("/proc/self/fail-nth", O_RDWR);

	if (pwrite(nth, argv[3], strlen(argv[3]), 0) < 0)
		return 1;
	if (write(fd, argv[2], strlen(argv[2])) < 0)
		error = errno;
	if (pread(nth, left, sizeof(left) - 1, 0) < 0 || pwrite(nth, "0", 1, 0) < 0)
		return 1;

	printf("%s %s\n", error ? strerrorname_np(error) : "0", atoi(left) ? "unused" : "failed");
	return 0;
}
