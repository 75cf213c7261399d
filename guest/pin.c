// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a reference on one page of a range, so that the page cannot be
 * migrated and its memory block cannot be emptied. A pipe does that, in
 * ZONE_MOVABLE too: pages that were spliced into it have one reference more.
 * Prints "pfn=0x... pid=..." and stays in the background until it is killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "common.h"

#define PAGE	4096UL
#define CHUNK	(4096 * PAGE)

static int pagemap;

static unsigned long pfn_of(uint64_t entry)
{
	return entry & ((1ULL << 55) - 1);
}

/* Looks for a page of the range among newly allocated ones; NULL if none is. */
static char *search(char *chunk, unsigned long start_pfn, unsigned long nr_pages,
		    unsigned long *pfn)
{
	static uint64_t entries[CHUNK / PAGE];
	unsigned long i;

	if (pread(pagemap, entries, sizeof(entries), (uintptr_t)chunk / PAGE *
		  sizeof(*entries)) != sizeof(entries))
		die("/proc/self/pagemap");
	for (i = 0; i < CHUNK / PAGE; i++) {
		*pfn = pfn_of(entries[i]);
		if (*pfn - start_pfn < nr_pages)
			return chunk + i * PAGE;
	}
	return NULL;
}

/* Allocates until a page lies in the range, then gives all others back. */
static char *find_page(unsigned long start_pfn, unsigned long nr_pages,
		       unsigned long max_chunks, unsigned long *pfn)
{
	char **chunks = calloc(max_chunks, sizeof(*chunks));
	char *found = NULL, *chunk = NULL;
	unsigned long nr = 0;

	if (!chunks)
		die("calloc");
	while (!found && nr < max_chunks) {
		chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED || madvise(chunk, CHUNK, MADV_NOHUGEPAGE) ||
		    madvise(chunk, CHUNK, MADV_POPULATE_WRITE))
			die("allocating");
		found = search(chunk, start_pfn, nr_pages, pfn);
		if (!found)
			chunks[nr] = chunk;
		nr++;
	}
	while (nr--)
		if (chunks[nr])
			munmap(chunks[nr], CHUNK);
	free(chunks);
	if (found) {
		if (found > chunk)
			munmap(chunk, found - chunk);
		if (found + PAGE < chunk + CHUNK)
			munmap(found + PAGE, chunk + CHUNK - found - PAGE);
	}
	return found;
}

int main(int argc, char **argv)
{
	struct iovec iov = { .iov_len = PAGE };
	unsigned long start_pfn, nr_pages, mib, pfn;
	int pipefd[2], null;
	pid_t pid;

	if (argc != 4) {
		fputs("usage: pin START_PFN NR_PAGES MIB\n"
		      "MIB: how much memory to allocate at most in the search\n",
		      stderr);
		return 2;
	}
	start_pfn = strtoul(argv[1], NULL, 0);
	nr_pages = strtoul(argv[2], NULL, 0);
	mib = strtoul(argv[3], NULL, 0);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0 || pipe(pipefd))
		die("pagemap, pipe");
	iov.iov_base = find_page(start_pfn, nr_pages, (mib << 20) / CHUNK, &pfn);
	if (!iov.iov_base) {
		fprintf(stderr, "pin: no page of the range among %lu MiB\n", mib);
		return 1;
	}
	if (vmsplice(pipefd[1], &iov, 1, 0) != (ssize_t)PAGE)
		die("vmsplice");
	/* A fork would copy the page on the next write; nobody writes it. */
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		printf("pfn=0x%lx pid=%d\n", pfn, pid);
		return 0;
	}
	setsid();
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	for (;;)
		pause();
}
