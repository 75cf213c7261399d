// SPDX-License-Identifier: GPL-2.0
/* Look at every page: /proc/kpageflags, beside it the list of offline pages. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

/* As in include/uapi/linux/kernel-page-flags.h */
#define BUDDY		(1ULL << 10)
#define HWPOISON	(1ULL << 19)
#define NOPAGE		(1ULL << 20)
#define IS_OFFLINE	(1ULL << 23)
#define INTERESTING	(BUDDY | HWPOISON | NOPAGE | IS_OFFLINE)
/* Ours, for a page of which nothing is known. */
#define UNSEEN		(1ULL << 63)

#define MAX_CELLS	65536		/* of the map; a block has one at least */
#define MIN_CELL	(2ULL << 20)
#define BUFFER		32768		/* pages; it stays in the CPU's cache */

struct scan {
	struct snapshot *s;
	const struct input *in;
	int flags;		/* file */
	struct offline_runs runs;
	struct mix *cells;	/* of one block */
	size_t max_cells;
	struct block *block;
	struct zone *zone;	/* or NULL */
	uint64_t zone_end;	/* up to which that is so */
	uint64_t matched;	/* offline pages that both sources have */
	uint64_t unlisted;	/* that only kpageflags has */
	uint64_t buf[BUFFER];
};

static void count(struct counts *c, int sort, bool poisoned, uint64_t nr)
{
	static const struct {
		bool counts;
		enum kind kind;
	} kinds[NR_SORTS] = {
		[SORT_FREE] = { true, FREE },
		[SORT_USED] = { true, USED },
		[SORT_OFFLINE] = { true, OFFLINE },
		[SORT_NEVER_ONLINED] = { true, OFFLINE },
		[SORT_SKIPPABLE] = { true, OFFLINE },
		[SORT_BOTH] = { true, OFFLINE },
		[SORT_MOVABLE] = { true, MOVABLE_OFFLINE },
		[SORT_ABSENT] = { true, ABSENT },
	};

	if (kinds[sort].counts)
		c->pages[kinds[sort].kind] += nr;
	if (sort == SORT_NEVER_ONLINED || sort == SORT_BOTH)
		c->pages[NEVER_ONLINED] += nr;
	if (sort == SORT_SKIPPABLE || sort == SORT_BOTH)
		c->pages[SKIPPABLE] += nr;
	if (poisoned)
		c->pages[POISONED] += nr;
}

/*
 * The zone of a page, and up to where that is so. A block that is of one zone
 * says so; else it is that whose span has the page, of the block's node first:
 * the spans of zones may overlap.
 */
static void find_zone(struct scan *scan, uint64_t pfn)
{
	struct snapshot *s = scan->s;
	const struct block *b = scan->block;
	size_t i;

	scan->zone = NULL;
	scan->zone_end = b->start_pfn + b->nr_pages;
	if (strcmp(b->zones, "-") && !strchr(b->zones, '+')) {
		scan->zone = zone_find(s, b->node, b->zones, true);
		return;
	}
	for (i = 0; i < s->nr_zones; i++) {
		struct zone *z = &s->zones[i];
		const uint64_t end = z->start_pfn + z->spanned;
		const uint64_t change = pfn < z->start_pfn ? z->start_pfn : end;
		const bool better = !scan->zone ||
			(scan->zone->node != b->node && z->node == b->node);

		if (pfn >= end || !z->spanned)
			continue;
		if (change < scan->zone_end)
			scan->zone_end = change;
		if (pfn >= z->start_pfn && better)
			scan->zone = z;
	}
}

/* A block of several zones is called after all of them. */
static void name_zone(struct scan *scan, char *names, size_t size)
{
	const char *name = scan->zone ? scan->zone->name : "";
	const size_t len = strlen(names), more = strlen(name);
	const char *found = names;

	if (!more)
		return;
	while ((found = strstr(found, name))) {
		if ((found == names || found[-1] == '+') &&
		    (found[more] == '+' || !found[more]))
			return;
		found++;
	}
	if (len + 1 + more < size) {
		strcpy(names + len, len ? "+" : "");
		strcat(names, name);
	}
}

/*
 * Of which sort an offline page is, by debugfs, and how many of @nr are so.
 * Without debugfs they are plain; without kpageflags, @sort stays for those not listed.
 */
static bool offline_sort(struct scan *scan, uint64_t pfn, uint64_t *nr,
			 enum sort *sort, bool *poisoned)
{
	struct offline_runs *runs = &scan->runs;

	while (runs->more && runs->end_pfn <= pfn)
		if (!runs_next(runs))
			return false;
	if (!runs->more || runs->start_pfn >= pfn + *nr) {
		scan->unlisted += *nr;
	} else if (runs->start_pfn > pfn) {
		*nr = runs->start_pfn - pfn;
		scan->unlisted += *nr;
	} else {
		if (*nr > runs->end_pfn - pfn)
			*nr = runs->end_pfn - pfn;
		*sort = runs->sort;
		*poisoned = *poisoned || runs->poisoned;
		scan->matched += *nr;
	}
	return true;
}

/* Pages that follow each other and have the same flags. */
static bool add_pages(struct scan *scan, uint64_t pfn, uint64_t nr,
		      uint64_t flags)
{
	const struct snapshot *s = scan->s;
	struct block *b = scan->block;

	while (nr) {
		const uint64_t cell = (pfn - b->start_pfn) / s->cell_pages;
		const uint64_t cell_end = b->start_pfn + (cell + 1) * s->cell_pages;
		bool poisoned = flags & HWPOISON;
		enum sort sort = SORT_USED;
		uint64_t n = nr;

		if (pfn >= scan->zone_end)
			find_zone(scan, pfn);
		if (n > scan->zone_end - pfn)
			n = scan->zone_end - pfn;
		if (n > cell_end - pfn)
			n = cell_end - pfn;
		if (flags & NOPAGE) {
			sort = SORT_ABSENT;
			poisoned = false;
		} else if (flags & (IS_OFFLINE | UNSEEN)) {
			sort = flags & UNSEEN ? SORT_UNKNOWN : SORT_OFFLINE;
			if (!offline_sort(scan, pfn, &n, &sort, &poisoned))
				return false;
		} else if (flags & BUDDY) {
			sort = SORT_FREE;
		}
		count(&b->counts, sort, poisoned, n);
		if (scan->zone)
			count(&scan->zone->counts, sort, poisoned, n);
		scan->cells[cell].pages[sort] += n;
		scan->cells[cell].poisoned += poisoned ? n : 0;
		pfn += n;
		nr -= n;
	}
	return true;
}

static bool read_flags(struct scan *scan, uint64_t pfn, size_t nr)
{
	const ssize_t size = nr * sizeof(scan->buf[0]);
	const ssize_t n = scan->in->read(scan->in, scan->flags, scan->buf, size,
					 pfn * sizeof(scan->buf[0]));

	if (n == size)
		return true;
	if (n < 0)
		return fail(scan->s, "%s: page 0x%" PRIx64 ": %s", KPAGEFLAGS,
			    pfn, strerror(errno));
	return fail(scan->s, "%s ends at page 0x%" PRIx64 ", within memory block %" PRIu64,
		    KPAGEFLAGS, pfn + n / sizeof(scan->buf[0]), scan->block->id);
}

static bool scan_flags(struct scan *scan, uint64_t pfn, uint64_t end)
{
	while (pfn < end) {
		const size_t nr = end - pfn < BUFFER ? end - pfn : BUFFER;
		size_t i = 0, next;

		if (!read_flags(scan, pfn, nr))
			return false;
		for (; i < nr; i = next) {
			const uint64_t flags = scan->buf[i] & INTERESTING;

			for (next = i + 1; next < nr; next++)
				if ((scan->buf[next] & INTERESTING) != flags)
					break;
			if (!add_pages(scan, pfn + i, next - i, flags))
				return false;
		}
		pfn += nr;
	}
	return true;
}

static bool scan_block(struct scan *scan, struct block *b)
{
	struct snapshot *s = scan->s;
	const uint64_t end = b->start_pfn + b->nr_pages;
	const size_t nr_cells = cells_of(s, b);
	char names[NAME_SIZE] = "";
	uint64_t pfn = b->start_pfn;
	size_t i;

	if (!b->online) {
		memset(s->cells + b->first_cell, LOOK_OFF, nr_cells);
		return true;
	}
	if (nr_cells > scan->max_cells) {
		scan->cells = xrealloc(scan->cells, nr_cells, sizeof(*scan->cells));
		scan->max_cells = nr_cells;
	}
	memset(scan->cells, 0, nr_cells * sizeof(*scan->cells));
	scan->block = b;
	while (pfn < end) {
		find_zone(scan, pfn);
		name_zone(scan, names, sizeof(names));
		if (!(scan->flags >= 0 ? scan_flags(scan, pfn, scan->zone_end) :
		      add_pages(scan, pfn, scan->zone_end - pfn, UNSEEN)))
			return false;
		pfn = scan->zone_end;
	}
	copy_name(b->zones, sizeof(b->zones), *names ? names : "-");
	for (i = 0; i < nr_cells; i++)
		s->cells[b->first_cell + i] = look_of(&scan->cells[i]);
	return true;
}

static uint64_t choose_cell(const struct snapshot *s)
{
	uint64_t cell = MIN_CELL / s->page_size, most = 1;
	size_t i;

	for (i = 0; i < s->nr_blocks; i++)
		if (s->blocks[i].nr_pages > most)
			most = s->blocks[i].nr_pages;
	if (!cell)
		cell = 1;
	while (cell < most && (most + cell - 1) / cell * s->nr_blocks > MAX_CELLS)
		cell *= 2;
	return cell;
}

bool scan_pages(struct snapshot *s, const struct input *in)
{
	struct scan *scan = xrealloc(NULL, 1, sizeof(*scan));
	bool good;
	size_t i;

	if (!snapshot_cells(s, choose_cell(s), MEMORY_DIR)) {
		free(scan);
		return false;
	}
	memset(scan, 0, offsetof(struct scan, buf));
	scan->s = s;
	scan->in = in;
	scan->flags = in->open(in, KPAGEFLAGS);
	if (scan->flags < 0)
		unseen(s, "/%s: %s: not what is free and what is used",
		       KPAGEFLAGS, strerror(errno));
	good = runs_open(&scan->runs, s, in);
	snapshot_sees(s, scan->flags >= 0, scan->runs.there);
	for (i = 0; good && i < s->nr_blocks; i++)
		good = scan_block(scan, &s->blocks[i]);
	while (good && scan->runs.more)
		good = runs_next(&scan->runs);

	if (good && scan->runs.there) {
		s->disagree = scan->runs.listed - scan->matched;
		if (scan->flags >= 0)
			s->disagree += scan->unlisted;
	}
	runs_close(&scan->runs);
	if (scan->flags >= 0)
		in->close(in, scan->flags);
	free(scan->cells);
	free(scan);
	return good;
}

/* By halves: no read is short but the last. */
uint64_t count_pages(const struct input *in)
{
	uint64_t low = 0, high = 1, entry;
	const int file = in->open(in, KPAGEFLAGS);

	if (file < 0)
		return 0;
	while (high < MAX_PFN &&
	       in->read(in, file, &entry, sizeof(entry), (high - 1) * sizeof(entry)) ==
	       sizeof(entry)) {
		low = high;
		high *= 2;
	}
	while (low + 1 < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (in->read(in, file, &entry, sizeof(entry),
			     (middle - 1) * sizeof(entry)) == sizeof(entry))
			low = middle;
		else
			high = middle;
	}
	in->close(in, file);
	return low;
}
