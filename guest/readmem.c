// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the content of memory as a debugger does, through /proc/kcore: all of
 * it, all from a page on, counting pages that begin with a text, or a range, of
 * which it then tells what free pages contain.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common.h"

#define KCORE		"/proc/kcore"
#define KPAGEFLAGS	"/proc/kpageflags"
#define PAGE		4096UL
#define POISON		0xaa	/* PAGE_POISON */
#define KPF_BUDDY	10

static void read_at(int fd, const char *path, void *buf, size_t size, off_t pos)
{
	ssize_t n = pread(fd, buf, size, pos);

	if (n >= 0 && n != (ssize_t)size)
		errno = ENODATA;
	if (n != (ssize_t)size)
		die(path);
}

/* A segment of RAM; others are not at a physical address. */
static int is_ram(const Elf64_Phdr *phdr)
{
	return phdr->p_type == PT_LOAD && phdr->p_paddr != ~(Elf64_Addr)0;
}

static unsigned long count_text(const char *buf, size_t size, const char *text)
{
	unsigned long found = 0;
	size_t pos;

	for (pos = 0; pos < size; pos += PAGE)
		found += !memcmp(buf + pos, text, strlen(text));
	return found;
}

static void read_all(int kcore, const Elf64_Phdr *phdr, int nr,
		     unsigned long first_pfn, const char *text)
{
	unsigned long pages = 0, found = 0;
	static char buf[64 * PAGE];
	Elf64_Off pos;
	int i;

	for (i = 0; i < nr; i++) {
		if (!is_ram(&phdr[i]))
			continue;
		pos = 0;
		if (first_pfn * PAGE > phdr[i].p_paddr)
			pos = first_pfn * PAGE - phdr[i].p_paddr;
		for (; pos < phdr[i].p_filesz; pos += sizeof(buf)) {
			size_t size = phdr[i].p_filesz - pos;

			size = size < sizeof(buf) ? size : sizeof(buf);
			read_at(kcore, KCORE, buf, size, phdr[i].p_offset + pos);
			pages += size / PAGE;
			if (text)
				found += count_text(buf, size, text);
		}
	}
	printf("%lu pages read", pages);
	if (text)
		printf(", %lu of them with the text", found);
	putchar('\n');
}

static int all_bytes_are(const unsigned char *page, int byte)
{
	return page[0] == byte && !memcmp(page, page + 1, PAGE - 1);
}

static void tell_free_pages(int kcore, const Elf64_Phdr *phdr, int nr,
			    unsigned long start_pfn, unsigned long nr_pages)
{
	unsigned long zero = 0, poison = 0, other = 0, pfn;
	int kpageflags = xopen(KPAGEFLAGS, O_RDONLY);
	unsigned char page[PAGE];
	uint64_t flags;
	int i;

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		read_at(kpageflags, KPAGEFLAGS, &flags, sizeof(flags), pfn * sizeof(flags));
		if (!(flags >> KPF_BUDDY & 1))
			continue;
		for (i = 0; i < nr; i++)
			if (is_ram(&phdr[i]) && pfn * PAGE - phdr[i].p_paddr < phdr[i].p_filesz)
				break;
		if (i == nr) {
			errno = ENXIO;
			die("no segment has the page");
		}
		read_at(kcore, KCORE, page, PAGE, phdr[i].p_offset + pfn * PAGE - phdr[i].p_paddr);
		if (all_bytes_are(page, 0))
			zero++;
		else if (all_bytes_are(page, POISON))
			poison++;
		else
			other++;
	}
	printf("free: zero=%lu poison=%lu other=%lu\n", zero, poison, other);
}

int main(int argc, char **argv)
{
	const char *text = NULL;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdr;
	int kcore;

	if (argc == 3 && !strcmp(argv[1], "--find")) {
		text = argv[2];
		argc = 1;
	}
	if (argc > 3) {
		fputs("usage: readmem [FIRST_PFN | --find TEXT | START_PFN NR_PAGES]\n", stderr);
		return 2;
	}
	kcore = xopen(KCORE, O_RDONLY);
	read_at(kcore, KCORE, &ehdr, sizeof(ehdr), 0);
	phdr = calloc(ehdr.e_phnum, sizeof(*phdr));
	if (!phdr)
		die("calloc");
	read_at(kcore, KCORE, phdr, ehdr.e_phnum * sizeof(*phdr), ehdr.e_phoff);
	if (argc < 3)
		read_all(kcore, phdr, ehdr.e_phnum, argc > 1 ? strtoul(argv[1], NULL, 0) : 0, text);
	else
		tell_free_pages(kcore, phdr, ehdr.e_phnum, strtoul(argv[1], NULL, 0),
				strtoul(argv[2], NULL, 0));
	return 0;
}
