// SPDX-License-Identifier: GPL-2.0
/* The memory blocks, from sysfs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

#define MAX_BLOCK_SIZE	(1ULL << 40)
#define MAX_BLOCKS	(1ULL << 22)
#define PIECE_SIZE	(128ULL << 20)	/* where there are no blocks */

/* One word, or a few, from a file of one line; false with errno set. */
static bool read_word(const struct input *in, const char *path, char *buf,
		      size_t size)
{
	int file = in->open(in, path);
	ssize_t n;

	if (file < 0)
		return false;
	n = in->read(in, file, buf, size - 1, 0);
	in->close(in, file);
	if (n < 0)
		return false;
	buf[n] = '\0';
	n = strcspn(buf, "\n");
	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
	return true;
}

/* "memory32" gives 32. */
static bool number_after(const char *prefix, const char *name, uint64_t *number)
{
	const size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) &&
	       only_number(name + len, 10, number) && *number <= UINT32_MAX;
}

static void add_block(void *arg, const char *name)
{
	struct snapshot *s = arg;
	uint64_t id;

	if (!number_after("memory", name, &id) || s->nr_blocks > MAX_BLOCKS)
		return;
	s->blocks = grow(s->blocks, &s->nr_blocks, sizeof(*s->blocks));
	s->blocks[s->nr_blocks - 1].id = id;
}

/* A block that spans nodes is counted with the first. */
static void add_node(void *arg, const char *name)
{
	uint64_t *lowest = arg, node;

	if (number_after("node", name, &node) && node < *lowest)
		*lowest = node;
}

/* False with errno ENOENT: the block has gone; else s->error says more. */
static bool read_block(struct snapshot *s, const struct input *in,
		       struct block *b)
{
	const uint64_t nr_pages = s->block_size / s->page_size;
	uint64_t index, node = UINT64_MAX;
	char path[80], word[NAME_SIZE];
	int len;

	len = snprintf(path, sizeof(path), MEMORY_DIR "/memory%llu",
		       (unsigned long long)b->id);
	if (!in->list(in, path, add_node, &node))
		return false;
	b->node = node == UINT64_MAX ? 0 : node;

	strcpy(path + len, "/phys_index");
	if (!read_word(in, path, word, sizeof(word)))
		return false;
	if (!only_number(word, 16, &index) || index >= MAX_PFN / nr_pages) {
		errno = 0;
		return fail(s, "%s: \"%s\" is no block number", path, word);
	}
	b->start_pfn = index * nr_pages;
	b->nr_pages = nr_pages;

	strcpy(path + len, "/state");
	if (!read_word(in, path, word, sizeof(word)))
		return false;
	if (!*word) {
		errno = 0;
		return fail(s, "%s is empty", path);
	}
	copy_name(b->state, sizeof(b->state), word);
	b->online = strcmp(b->state, "offline");

	strcpy(path + len, "/valid_zones");
	if (!b->online || !read_word(in, path, word, sizeof(word)) ||
	    !strcmp(word, "none") || strchr(word, ' '))
		copy_name(word, sizeof(word), "-");
	copy_name(b->zones, sizeof(b->zones), *word ? word : "-");
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->start_pfn < y->start_pfn ? -1 : x->start_pfn > y->start_pfn;
}

static bool read_each_block(struct snapshot *s, const struct input *in)
{
	size_t i, kept = 0;

	for (i = 0; i < s->nr_blocks; i++) {
		if (read_block(s, in, &s->blocks[i]))
			s->blocks[kept++] = s->blocks[i];
		else if (errno != ENOENT && errno != ENODEV)
			return errno ? fail(s, MEMORY_DIR "/memory%llu: %s",
					    (unsigned long long)s->blocks[i].id,
					    strerror(errno)) : false;
	}
	s->nr_blocks = kept;
	return true;
}

/* Pieces of a range of pages, in place of blocks. */
static void add_pieces(struct snapshot *s, uint64_t start, uint64_t end)
{
	const uint64_t piece = PIECE_SIZE / s->page_size;

	while (start < end && s->nr_blocks < MAX_BLOCKS) {
		const uint64_t next = start / piece * piece + piece;
		struct block *b;

		s->blocks = grow(s->blocks, &s->nr_blocks, sizeof(*s->blocks));
		b = &s->blocks[s->nr_blocks - 1];
		b->id = start / piece;
		b->start_pfn = start;
		b->nr_pages = (next < end ? next : end) - start;
		b->online = true;
		strcpy(b->state, "-");
		strcpy(b->zones, "-");
		start += b->nr_pages;
	}
}

static void blocks_of_zones(struct snapshot *s)
{
	uint64_t done = 0;

	/* Zones are in no order, and one may lie within another. */
	while (true) {
		uint64_t start = NO_PFN, end = 0;
		size_t i;

		for (i = 0; i < s->nr_zones; i++) {
			const struct zone *z = &s->zones[i];
			const uint64_t z_end = z->start_pfn + z->spanned;
			const uint64_t from = z->start_pfn > done ?
					      z->start_pfn : done;

			if (from < z_end && from < start) {
				start = from;
				end = z_end;
			}
		}
		if (start == NO_PFN || s->nr_blocks >= MAX_BLOCKS)
			return;
		add_pieces(s, start, end);
		done = end;
	}
}

bool read_blocks(struct snapshot *s, const struct input *in)
{
	char size[NAME_SIZE];

	if (!in->list(in, MEMORY_DIR, add_block, s) ||
	    !read_word(in, MEMORY_DIR "/block_size_bytes", size, sizeof(size))) {
		s->nr_blocks = 0;
		unseen(s, "/%s: %s: no memory blocks, pieces of %llu MiB instead",
		       MEMORY_DIR, strerror(errno), PIECE_SIZE >> 20);
		blocks_of_zones(s);
		if (!s->nr_blocks)
			add_pieces(s, 0, count_pages(in));
		return s->nr_blocks < MAX_BLOCKS ? true :
		       fail(s, "%s: more memory than there can be", ZONEINFO);
	}
	if (s->nr_blocks > MAX_BLOCKS)
		return fail(s, "%s: too many memory blocks", MEMORY_DIR);
	if (!only_number(size, 16, &s->block_size) ||
	    s->block_size < s->page_size || s->block_size > MAX_BLOCK_SIZE ||
	    s->block_size & (s->block_size - 1))
		return fail(s, "%s/block_size_bytes: \"%s\" makes no sense",
			    MEMORY_DIR, size);
	if (!read_each_block(s, in))
		return false;
	if (s->nr_blocks)
		qsort(s->blocks, s->nr_blocks, sizeof(*s->blocks), by_address);
	return true;
}
