// SPDX-License-Identifier: GPL-2.0
/*
 * Has a huge page of a range mapped and a reference on one of its pages, so
 * that nobody can split it. SIGUSR1 drops the reference; the huge page stays
 * mapped. Prints "pfn=0x... pid=..." (of that one page) and stays in the
 * background until it is killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "common.h"

#define PAGE	4096UL
#define NR	512UL
#define HELD	5	/* any page but the first */

static int pipefd[2];

static void drop(int sig)
{
	(void)sig;
	close(pipefd[0]);
	close(pipefd[1]);
}

static char *map_huge(void)
{
	char *huge = mmap(NULL, 2 * NR * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (huge == MAP_FAILED)
		die("mmap");
	huge += -(uintptr_t)huge % (NR * PAGE);
	if (madvise(huge, NR * PAGE, MADV_HUGEPAGE) ||
	    madvise(huge, NR * PAGE, MADV_POPULATE_WRITE))
		die("madvise");
	return huge;
}

/* Fails unless it is one huge page indeed. */
static unsigned long first_pfn(const char *huge)
{
	const uint64_t mask = (1ULL << 55) - 1;
	uint64_t entries[NR];
	unsigned long i;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, entries, sizeof(entries), (uintptr_t)huge / PAGE *
			    sizeof(*entries)) != sizeof(entries))
		die("/proc/self/pagemap");
	close(fd);
	for (i = 0; i < NR; i++) {
		entries[i] &= mask;
		if (entries[0] % NR || entries[i] != entries[0] + i) {
			fputs("thp: got no huge page\n", stderr);
			exit(1);
		}
	}
	return entries[0];
}

int main(int argc, char **argv)
{
	struct iovec iov = { .iov_len = PAGE };
	unsigned long start_pfn, nr_pages, pfn;
	int report[2], null;
	char line[64];
	ssize_t n;

	if (argc != 3) {
		fputs("usage: thp START_PFN NR_PAGES\n", stderr);
		return 2;
	}
	start_pfn = strtoul(argv[1], NULL, 0);
	nr_pages = strtoul(argv[2], NULL, 0);
	if (pipe(pipefd) || pipe(report))
		die("pipe");
	switch (fork()) {	/* before anything is mapped that it would copy */
	case -1:
		die("fork");
	case 0:
		break;
	default:
		close(report[1]);
		n = read(report[0], line, sizeof(line));
		if (n <= 0)
			return 1;
		fwrite(line, 1, n, stdout);
		return 0;
	}
	signal(SIGUSR1, drop);
	iov.iov_base = map_huge();
	pfn = first_pfn(iov.iov_base);
	if (pfn - start_pfn >= nr_pages) {
		fprintf(stderr, "thp: huge page at 0x%lx is not of the range\n", pfn);
		return 1;
	}
	iov.iov_base = (char *)iov.iov_base + HELD * PAGE;
	if (vmsplice(pipefd[1], &iov, 1, 0) != (ssize_t)PAGE)
		die("vmsplice");
	setsid();
	dprintf(report[1], "pfn=0x%lx pid=%d\n", pfn + HELD, getpid());
	close(report[1]);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	for (;;)
		pause();
}
