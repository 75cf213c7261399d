/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where on a map each piece of memory is: groups of memory blocks of the same
 * node and zones, each with rows that begin at multiples of their size.
 */
#ifndef OFFMAP_LAYOUT_H
#define OFFMAP_LAYOUT_H

#include "memory.h"

#define MAX_COLUMNS 512

struct layout {
	const struct snapshot *s;
	const struct snapshot *before;	/* to compare with, or NULL */
	unsigned int columns;
	uint64_t unit_pages;		/* of one column */
};

struct row {
	uint64_t start_pfn;
	unsigned int end;		/* of the columns that are in use */
	char cells[MAX_COLUMNS];
	bool changed[MAX_COLUMNS];	/* since before */
	const struct block *first, *last;
};

/*
 * The smallest unit that has the map in @max_rows at most, 0: endless; or that
 * of @unit_pages, if it is not 0, as far as it is possible.
 */
void layout_choose(struct layout *layout, unsigned int max_rows,
		   uint64_t unit_pages);

/* Either function may be NULL. Returns the number of rows. */
size_t layout_walk(const struct layout *layout,
		   void (*group)(void *arg, const struct block *first,
				 const struct block *end),
		   void (*row)(void *arg, const struct row *row), void *arg);

#endif
