// SPDX-License-Identifier: GPL-2.0
/* Life and death of a snapshot, and its sums. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"
#include "memory.h"

const char *const kind_key[NR_KINDS] = {
	[FREE] = "free",
	[USED] = "used",
	[OFFLINE] = "offline",
	[MOVABLE_OFFLINE] = "movable_offline",
	[ABSENT] = "absent",
	[NEVER_ONLINED] = "never_onlined",
	[SKIPPABLE] = "skippable",
	[POISONED] = "poisoned",
};

const char *const kind_title[NR_KINDS] = {
	[FREE] = "free",
	[USED] = "used",
	[OFFLINE] = "offline",
	[MOVABLE_OFFLINE] = "movable",
	[ABSENT] = "absent",
	[NEVER_ONLINED] = "never-onl",
	[SKIPPABLE] = "skippable",
	[POISONED] = "poisoned",
};

const char *const kind_name[NR_KINDS] = {
	[FREE] = "free",
	[USED] = "used",
	[OFFLINE] = "offline",
	[MOVABLE_OFFLINE] = "movable offline",
	[ABSENT] = "absent",
	[NEVER_ONLINED] = "never onlined",
	[SKIPPABLE] = "skippable",
	[POISONED] = "poisoned",
};

/* Names of zones, notes about files: no control characters for a terminal. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void complain(struct snapshot *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	make_plain(s->error);
}

void unseen(struct snapshot *s, const char *fmt, ...)
{
	char **note = grow(s->unseen, &s->nr_unseen, sizeof(*s->unseen));
	char text[256];
	va_list ap;

	s->unseen = note;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_plain(text);
	note[s->nr_unseen - 1] = xrealloc(NULL, strlen(text) + 1, 1);
	strcpy(note[s->nr_unseen - 1], text);
}

void snapshot_free(struct snapshot *s)
{
	while (s->nr_unseen)
		free(s->unseen[--s->nr_unseen]);
	free(s->unseen);
	free(s->zones);
	free(s->blocks);
	free(s->regions);
	free(s->cells);
	memset(s, 0, sizeof(*s));
}

void counts_add(struct counts *sum, const struct counts *c)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		sum->pages[kind] += c->pages[kind];
}

void counts_total(const struct snapshot *s, struct counts *sum)
{
	size_t i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < s->nr_blocks; i++)
		counts_add(sum, &s->blocks[i].counts);
}

void snapshot_sees(struct snapshot *s, bool flags, bool offline_pages)
{
	s->sees_flags = flags;
	s->sees_offline_pages = offline_pages;
	s->known = 0;
	if (flags)
		s->known |= 1 << FREE | 1 << USED | 1 << ABSENT |
			    1 << POISONED | 1 << OFFLINE;
	if (offline_pages)
		s->known |= 1 << OFFLINE | 1 << NEVER_ONLINED |
			    1 << SKIPPABLE | 1 << MOVABLE_OFFLINE;
}

bool snapshot_cells(struct snapshot *s, uint64_t cell_pages, const char *file)
{
	uint64_t end = 0;
	size_t i;

	s->cell_pages = cell_pages;
	s->nr_cells = 0;
	for (i = 0; i < s->nr_blocks; i++) {
		struct block *b = &s->blocks[i];

		if (b->start_pfn < end)
			return fail(s, "%s: memory block %" PRIu64 " overlaps another one",
				    file, b->id);
		end = b->start_pfn + b->nr_pages;
		b->first_cell = s->nr_cells;
		s->nr_cells += cells_of(s, b);
	}
	s->cells = xrealloc(s->cells, s->nr_cells, 1);
	memset(s->cells, LOOK_UNKNOWN, s->nr_cells);
	return true;
}

void *xrealloc(void *p, size_t nr, size_t size)
{
	void *new = reallocarray(p, nr ? nr : 1, size);

	if (!new) {
		fputs("offmap: out of memory\n", stderr);
		exit(2);
	}
	return new;
}

void *grow(void *array, size_t *nr, size_t size)
{
	/* In steps of powers of two. */
	if (!(*nr & (*nr - 1)))
		array = xrealloc(array, *nr ? 2 * *nr : 1, size);
	memset((char *)array + *nr * size, 0, size);
	++*nr;
	return array;
}

void copy_name(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
	make_plain(to);
}
