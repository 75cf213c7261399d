// SPDX-License-Identifier: GPL-2.0
/*
 * What a user of Xen's grants does to the pages that the balloon lends.
 *
 *   xenlend map N       grant N pages to this very domain, map them, and verify
 *                       that both see the same data
 *   xenlend reserve N   have room for N grants, and map nothing
 *   xenlend fault N     ask for that, but where the answer cannot be written to
 *   xenlend splice N    map N pages of the test module xen_lend, give them to a
 *                       pipe, and unmap them: the pipe has the references then
 *
 * Each tells that it is ready and waits. On SIGTERM, "map" verifies once more
 * and gives everything back in order; the others just end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* The header of gntdev takes them from those of Xen. */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <xen/gntalloc.h>
#include <xen/gntdev.h>
#include "common.h"

#define PAGE	4096UL
#define WORDS	(PAGE / sizeof(uint64_t))

static void *xmalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("memory");
	return p;
}

static void *xmap(int fd, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* Pages of our own, and what others map them by. */
static struct ioctl_gntalloc_alloc_gref *grant_pages(unsigned long n, int *fd)
{
	struct ioctl_gntalloc_alloc_gref *own;

	*fd = xopen("/dev/xen/gntalloc", O_RDWR);
	own = xmalloc(sizeof(*own) + n * sizeof(own->gref_ids[0]));
	own->domid = 0;
	own->flags = GNTALLOC_FLAG_WRITABLE;
	own->count = n;
	if (ioctl(*fd, IOCTL_GNTALLOC_ALLOC_GREF, own))
		die("grant pages");
	return own;
}

/* Room for grants; here the balloon lends its pages. */
static struct ioctl_gntdev_map_grant_ref *reserve(unsigned long n,
						  const uint32_t *grefs, int *fd)
{
	struct ioctl_gntdev_map_grant_ref *room;

	*fd = xopen("/dev/xen/gntdev", O_RDWR);
	room = xmalloc(sizeof(*room) + n * sizeof(room->refs[0]));
	room->count = n;
	for (unsigned long i = 0; i < n; i++)
		room->refs[i].ref = grefs ? grefs[i] : i;
	if (ioctl(*fd, IOCTL_GNTDEV_MAP_GRANT_REF, room))
		die("room for grants");
	return room;
}

/* The same with the answer to a page that can be read only: there is no room. */
static void fail_to_reserve(unsigned long n)
{
	struct ioctl_gntdev_map_grant_ref *room;
	size_t size = sizeof(*room) + n * sizeof(room->refs[0]);
	int fd = xopen("/dev/xen/gntdev", O_RDWR);

	room = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		die("mmap");
	room->count = n;
	if (mprotect(room, size, PROT_READ))
		die("mprotect");
	if (!ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, room) || errno != EFAULT)
		die("room for grants is not refused");
}

static uint64_t word(unsigned long i, int round)
{
	return (i + 1) * 0x9e3779b97f4a7c15UL + round;
}

static void fill(uint64_t *p, unsigned long n, int round)
{
	for (unsigned long i = 0; i < n * WORDS; i++)
		p[i] = word(i, round);
}

static void verify(const uint64_t *p, unsigned long n, int round)
{
	for (unsigned long i = 0; i < n * WORDS; i++)
		if (p[i] != word(i, round)) {
			fprintf(stderr, "xenlend: page %lu: wrong data\n", i / WORDS);
			exit(1);
		}
}

static void tell_ready(void)
{
	printf("ready pid=%d\n", getpid());
	fflush(stdout);
}

static void wait_for_term(sigset_t *set)
{
	int signal;

	tell_ready();
	sigwait(set, &signal);
}

static void map(unsigned long n, sigset_t *set)
{
	struct ioctl_gntdev_unmap_grant_ref back;
	struct ioctl_gntdev_map_grant_ref *room;
	struct ioctl_gntalloc_alloc_gref *own;
	uint64_t *ours, *theirs;
	int alloc, dev;

	own = grant_pages(n, &alloc);
	ours = xmap(alloc, n * PAGE, own->index);
	room = reserve(n, own->gref_ids, &dev);
	theirs = xmap(dev, n * PAGE, room->index);

	fill(ours, n, 0);
	verify(theirs, n, 0);
	fill(theirs, n, 1);
	verify(ours, n, 1);
	wait_for_term(set);
	verify(theirs, n, 1);
	fill(theirs, n, 2);
	verify(ours, n, 2);

	munmap(theirs, n * PAGE);
	back = (struct ioctl_gntdev_unmap_grant_ref){
		.index = room->index, .count = n };
	if (ioctl(dev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &back))
		die("give room back");
	close(dev);
	verify(ours, n, 2);
	puts("verified");
}

static void splice_pages(unsigned long n, sigset_t *set)
{
	int fd = xopen("/dev/xen_lend", O_RDWR), ends[2];
	void *p = xmap(fd, n * PAGE, 0);
	struct iovec all = { .iov_base = p, .iov_len = n * PAGE };

	if (pipe(ends))
		die("pipe");
	if (vmsplice(ends[1], &all, 1, SPLICE_F_NONBLOCK) != (ssize_t)(n * PAGE))
		die("vmsplice");
	munmap(p, n * PAGE);
	close(fd);
	wait_for_term(set);
}

int main(int argc, char **argv)
{
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	sigset_t set;
	int fd;

	if (!n) {
		fputs("usage: xenlend map|reserve|fault|splice N\n", stderr);
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);

	if (!strcmp(argv[1], "map")) {
		map(n, &set);
	} else if (!strcmp(argv[1], "reserve")) {
		reserve(n, NULL, &fd);
		wait_for_term(&set);
	} else if (!strcmp(argv[1], "fault")) {
		fail_to_reserve(n);
		wait_for_term(&set);
	} else if (!strcmp(argv[1], "splice")) {
		splice_pages(n, &set);
	} else {
		return 2;
	}
	return 0;
}
