// SPDX-License-Identifier: GPL-2.0
/*
 * Loads the kernel that takes over when this one panics, into the memory that
 * crashkernel= has set aside: kdump KERNEL INITRAMFS COMMAND_LINE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common.h"

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: kdump KERNEL INITRAMFS COMMAND_LINE\n", stderr);
		return 2;
	}
	if (syscall(SYS_kexec_file_load, xopen(argv[1], O_RDONLY), xopen(argv[2], O_RDONLY),
		    strlen(argv[3]) + 1, argv[3], KEXEC_FILE_ON_CRASH))
		die("kexec_file_load");
	return 0;
}
