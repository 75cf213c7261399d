// SPDX-License-Identifier: GPL-2.0
/* The layout of a map. */
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "look.h"

/* A block that is offline is shown among its neighbours. */
static const struct block *group_end(const struct snapshot *s,
				     const struct block *first)
{
	const struct block *b, *online = first->online ? first : NULL;

	for (b = first + 1; b < s->blocks + s->nr_blocks; b++) {
		if (b->node != first->node)
			break;
		if (!b->online)
			continue;
		if (online && strcmp(b->zones, online->zones))
			break;
		online = b;
	}
	return b;
}

/* The cells of a block in an older snapshot; NULL: it was not there. */
static const char *older_cells(const struct layout *layout,
			       const struct block *b)
{
	const struct snapshot *old = layout->before;
	size_t i;

	if (!old || old->cell_pages != layout->s->cell_pages)
		return NULL;
	for (i = 0; i < old->nr_blocks; i++)
		if (old->blocks[i].start_pfn == b->start_pfn &&
		    old->blocks[i].nr_pages == b->nr_pages)
			return old->cells + old->blocks[i].first_cell;
	return NULL;
}

/* What is collected while the cells of a group go by. */
struct walk {
	const struct layout *layout;
	void (*show)(void *arg, const struct row *row);
	void *arg;
	struct row row;
	size_t nr_rows;
	uint64_t unit;			/* of the whole memory */
	const char *cells;		/* that are in it */
	size_t nr_cells;
	bool changed;
};

static void end_unit(struct walk *walk)
{
	const unsigned int column = walk->unit % walk->layout->columns;
	char look;

	if (!walk->nr_cells)
		return;
	look = walk->nr_cells == 1 ? *walk->cells :
	       look_merge(walk->cells, walk->nr_cells);
	walk->row.cells[column] = look;
	walk->row.changed[column] = walk->changed;
	walk->row.end = column + 1;
	walk->nr_cells = 0;
	walk->changed = false;
}

static void end_row(struct walk *walk)
{
	end_unit(walk);
	if (!walk->row.first)
		return;
	walk->nr_rows++;
	if (walk->show)
		walk->show(walk->arg, &walk->row);
	walk->row.first = NULL;
}

static void add_cell(struct walk *walk, const struct block *b, uint64_t pfn,
		     const char *cell, bool changed)
{
	const struct layout *layout = walk->layout;
	const uint64_t unit = pfn / layout->unit_pages;
	const uint64_t start_pfn = unit / layout->columns * layout->columns *
				   layout->unit_pages;

	if (!walk->row.first || walk->row.start_pfn != start_pfn) {
		end_row(walk);
		memset(walk->row.cells, LOOK_ABSENT, sizeof(walk->row.cells));
		memset(walk->row.changed, 0, sizeof(walk->row.changed));
		walk->row.start_pfn = start_pfn;
		walk->row.first = b;
	} else if (unit != walk->unit) {
		end_unit(walk);
	}
	if (!walk->nr_cells)
		walk->cells = cell;
	walk->unit = unit;
	walk->nr_cells++;
	walk->changed = walk->changed || changed;
	walk->row.last = b;
}

size_t layout_walk(const struct layout *layout,
		   void (*group)(void *arg, const struct block *first,
				 const struct block *end),
		   void (*row)(void *arg, const struct row *row), void *arg)
{
	const struct snapshot *s = layout->s;
	struct walk walk = { .layout = layout, .show = row, .arg = arg };
	const struct block *b, *end = NULL;
	size_t i;

	for (b = s->blocks; b < s->blocks + s->nr_blocks; b++) {
		const char *cells = s->cells + b->first_cell;
		const char *old = row ? older_cells(layout, b) : NULL;

		if (!end || b == end) {
			end_row(&walk);
			end = group_end(s, b);
			if (group)
				group(arg, b, end);
		}
		for (i = 0; i < cells_of(s, b); i++)
			add_cell(&walk, b, b->start_pfn + i * s->cell_pages,
				 cells + i, layout->before &&
				 (!old || old[i] != cells[i]));
	}
	end_row(&walk);
	return walk.nr_rows;
}

void layout_choose(struct layout *layout, unsigned int max_rows,
		   uint64_t unit_pages)
{
	const uint64_t cell = layout->s->cell_pages;

	layout->unit_pages = cell;
	while (unit_pages ? 2 * layout->unit_pages <= unit_pages :
	       max_rows && layout->unit_pages < 1ULL << 48 &&
	       layout_walk(layout, NULL, NULL, NULL) > max_rows)
		layout->unit_pages *= 2;
}
