// SPDX-License-Identifier: GPL-2.0
/*
 * Loads the kernel that takes over when this one panics, into the memory that
 * crashkernel= has set aside: kdump KERNEL INITRAMFS COMMAND_LINE.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "kdump: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int xopen(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: kdump KERNEL INITRAMFS COMMAND_LINE\n", stderr);
		return 2;
	}
	if (syscall(SYS_kexec_file_load, xopen(argv[1]), xopen(argv[2]),
		    strlen(argv[3]) + 1, argv[3], KEXEC_FILE_ON_CRASH))
		die("kexec_file_load");
	return 0;
}
