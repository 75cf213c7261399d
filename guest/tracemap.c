// SPDX-License-Identifier: GPL-2.0
/*
 * Uses a trace file of powerpc's memtrace as a tool that reads traces does:
 *
 *	tracemap zero FILE BYTES	read() it: all of it is zero
 *	tracemap fill FILE BYTES	write to a mapping, see it by read() and
 *					by another mapping; no more is mapped
 *	tracemap hold FILE BYTES	keep it mapped until killed
 *	tracemap open FILE BYTES	keep it open until killed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *path;
static size_t size, page;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "tracemap: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

/* What is mapped is cache-inhibited: memset() may use what only caches can. */
static volatile uint64_t *map(int fd, off_t offset, size_t length)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static uint64_t pattern(size_t pos)
{
	return pos * 0x9e3779b97f4a7c15ULL + 1;
}

static void expect_read(int fd, uint64_t (*expected)(size_t pos), size_t step)
{
	static uint64_t buf[8192];
	size_t pos, i;

	for (pos = 0; pos < size; pos += sizeof(buf)) {
		if (pread(fd, buf, sizeof(buf), pos) != sizeof(buf))
			die("read");
		for (i = 0; i < sizeof(buf); i += step) {
			if (buf[i / sizeof(*buf)] == expected(pos + i))
				continue;
			fprintf(stderr, "tracemap: %s: wrong at %#zx\n", path, pos + i);
			exit(1);
		}
	}
	if (pread(fd, buf, sizeof(buf), size))
		die("read behind the end");
}

static uint64_t zero(size_t pos)
{
	(void)pos;
	return 0;
}

static void fill(int fd)
{
	volatile uint64_t *all = map(fd, 0, size), *last;
	size_t pos;

	for (pos = 0; pos < size; pos += 4096)
		all[pos / sizeof(*all)] = pattern(pos);
	expect_read(fd, pattern, 4096);

	last = map(fd, size - page, page);
	if (last[0] != pattern(size - page))
		die("another mapping");
	if (mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, size - page) != MAP_FAILED ||
	    mmap(NULL, page, PROT_READ, MAP_SHARED, fd, size) != MAP_FAILED)
		die("maps more than there is");
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 4)
		return 2;
	path = argv[2];
	size = strtoull(argv[3], NULL, 0);
	page = sysconf(_SC_PAGESIZE);
	fd = open(path, O_RDWR);
	if (fd < 0)
		die("open");

	if (!strcmp(argv[1], "zero")) {
		expect_read(fd, zero, sizeof(uint64_t));
		return 0;
	}
	if (!strcmp(argv[1], "fill")) {
		fill(fd);
		return 0;
	}
	if (!strcmp(argv[1], "hold")) {
		map(fd, 0, size);
		close(fd);
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
