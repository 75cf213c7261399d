// SPDX-License-Identifier: GPL-2.0
/*
 * Poisons random pages of memory that is online, as an administrator may, and
 * a moment later takes the poison off them again:
 *
 *	poison COUNT SEED
 *
 * Any page may be soft-offlined: what uses it gets another one. A hard memory
 * error kills who uses the page, so that these are for pages of nobody: free or
 * logically offline ones. One may get a user in the moment between the look and
 * the error.
 *
 * A page that the kernel cannot do anything about, as an offline one, stays
 * poisoned; it would not be free memory again without its poison.
 *
 * Prints what it has done: "soft=3 free=1 offline=1 undone=3". With --count
 * alone, how many pages are poisoned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common.h"

#define MEMORY		"/sys/devices/system/memory/"
#define KPAGEFLAGS	"/proc/kpageflags"
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define PAGE		4096UL

#define KPF_BUDDY	10
#define KPF_NOPAGE	20
#define KPF_HWPOISON	19
#define KPF_OFFLINE	23

#define TRIES		200	/* pageblocks, to find a page that is free, or offline */
#define BLOCK		512UL	/* pages of one */

enum kind { SOFT, FREE, OFFLINE, NR_KINDS };

static unsigned long done[NR_KINDS], undone;
static int kpageflags;

/* The pages whose poison can be undone. */
static unsigned long *taken, nr_taken;

static int wanted(enum kind kind, uint64_t flags)
{
	if (flags >> KPF_NOPAGE & 1 || flags >> KPF_HWPOISON & 1)
		return 0;
	return kind == SOFT || flags >> (kind == FREE ? KPF_BUDDY : KPF_OFFLINE) & 1;
}

static unsigned long end_of_memory(void)
{
	unsigned long low = 0, high = 1UL << 30;

	/* After the last page, there is nothing to read. */
	while (low + 1 < high) {
		unsigned long middle = (low + high) / 2;
		uint64_t flags;

		if (pread(kpageflags, &flags, sizeof(flags), middle * sizeof(flags)) > 0)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static int write_number(const char *path, unsigned long number)
{
	char text[32];
	int fd = xopen(path, O_WRONLY);
	int length = snprintf(text, sizeof(text), "0x%lx", number);
	int ok = write(fd, text, length) == length;

	close(fd);
	return ok;
}

static int is_poisoned(unsigned long pfn)
{
	uint64_t flags;

	return pread(kpageflags, &flags, sizeof(flags), pfn * sizeof(flags)) == sizeof(flags) &&
	       flags >> KPF_HWPOISON & 1;
}

static void poison_page(enum kind kind, unsigned long pfn)
{
	/* If that fails, the page may be poisoned nevertheless. */
	if (write_number(kind == SOFT ? MEMORY "soft_offline_page" :
			 MEMORY "hard_offline_page", pfn * PAGE))
		taken[nr_taken++] = pfn;
	done[kind] += is_poisoned(pfn);
}

/* The first that will do, from a random page of a random pageblock on. */
static void poison_one(enum kind kind, unsigned long end_pfn)
{
	uint64_t flags[BLOCK];
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		const unsigned long pfn = random() % end_pfn / BLOCK * BLOCK;
		ssize_t nr = pread(kpageflags, flags, sizeof(flags), pfn * sizeof(*flags));
		ssize_t i;

		for (i = random() % BLOCK; i < nr / (ssize_t)sizeof(*flags); i++) {
			if (!wanted(kind, flags[i]))
				continue;
			poison_page(kind, pfn + i);
			return;
		}
	}
}

static enum kind random_kind(void)
{
	const unsigned int number = random() % 8;

	return number < 4 ? SOFT : number < 7 ? FREE : OFFLINE;
}

static void poison(unsigned long count, unsigned int seed)
{
	const unsigned long end_pfn = end_of_memory();

	taken = calloc(count, sizeof(*taken));
	if (!taken)
		die("calloc");
	srandom(seed);
	while (count--)
		poison_one(random_kind(), end_pfn);
	usleep(random() % 1000000);
	while (nr_taken--)
		undone += write_number(UNPOISON, taken[nr_taken]);
	printf("soft=%lu free=%lu offline=%lu undone=%lu\n", done[SOFT], done[FREE],
	       done[OFFLINE], undone);
}

static void count_poisoned(void)
{
	static uint64_t flags[65536];
	unsigned long pfn = 0, nr = 0;
	ssize_t size, i;

	while ((size = pread(kpageflags, flags, sizeof(flags), pfn * sizeof(*flags))) > 0) {
		size /= sizeof(*flags);
		for (i = 0; i < size; i++)
			nr += !(flags[i] >> KPF_NOPAGE & 1) && flags[i] >> KPF_HWPOISON & 1;
		pfn += size;
	}
	printf("%lu\n", nr);
}

int main(int argc, char **argv)
{
	kpageflags = xopen(KPAGEFLAGS, O_RDONLY);
	if (argc == 2 && !strcmp(argv[1], "--count")) {
		count_poisoned();
	} else if (argc == 3) {
		poison(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	} else {
		fputs("usage: poison COUNT SEED | --count\n", stderr);
		return 2;
	}
	return 0;
}
