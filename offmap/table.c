// SPDX-License-Identifier: GPL-2.0
/* Tables: the zones, the memory blocks, who can bring more. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "show.h"

/* In the order of the columns. */
static const enum kind columns[] = {
	FREE, USED, OFFLINE, NEVER_ONLINED, SKIPPABLE, MOVABLE_OFFLINE,
	POISONED, ABSENT,
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

void show_heading(FILE *out, const struct snapshot *s)
{
	const time_t when = s->time;
	char text[40] = "", size[AMOUNT_SIZE];
	struct style style = {};
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(out, "Linux %s, %s, pages of %s", *s->kernel ? s->kernel : "?", text,
		amount(size, s, 1, &style, false));
	if (s->block_size)
		fprintf(out, ", memory blocks of %s",
			amount(size, s, s->block_size / s->page_size, &style, false));
}

static void print_titles(FILE *out)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		fprintf(out, " %10s", kind_title[columns[i]]);
	putc('\n', out);
}

static void print_counts(FILE *out, const struct snapshot *s,
			 const struct counts *c, bool known,
			 const struct style *style)
{
	char text[AMOUNT_SIZE];
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		fprintf(out, " %10s", known && knows(s, columns[i]) ?
			amount(text, s, c->pages[columns[i]], style, false) : "-");
	putc('\n', out);
}

static void print_zones(FILE *out, const struct snapshot *s,
			const struct style *style)
{
	char present[AMOUNT_SIZE], managed[AMOUNT_SIZE];
	struct counts total;
	const struct zone *z;

	fprintf(out, "%-4s %-8s %9s %9s", "node", "zone", "present", "managed");
	print_titles(out);
	for (z = s->zones; z < s->zones + s->nr_zones; z++) {
		if (z->in_zoneinfo && !z->spanned)
			continue;
		fprintf(out, "%-4u %-8s %9s %9s", z->node, z->name,
			!z->in_zoneinfo ? "-" :
			amount(present, s, z->present, style, false),
			!z->in_zoneinfo ? "-" :
			amount(managed, s, z->managed, style, false));
		print_counts(out, s, &z->counts, true, style);
	}
	counts_total(s, &total);
	fprintf(out, "%-33s", "all memory blocks");
	print_counts(out, s, &total, true, style);
}

/* So that nothing that is worth a look gets lost among others. */
static bool is_dull(const struct snapshot *s, const struct block *b)
{
	const uint64_t *pages = b->counts.pages;

	(void)s;
	return !pages[OFFLINE] && !pages[MOVABLE_OFFLINE] && !pages[POISONED];
}

static void print_blocks(FILE *out, const struct snapshot *s,
			 const struct style *style)
{
	size_t i, next;

	fprintf(out, "%-11s %14s %-14s", s->block_size ? "block" : "piece",
		"address", "zone");
	print_titles(out);
	for (i = 0; i < s->nr_blocks; i = next) {
		const struct block *b = &s->blocks[i];
		struct counts sum = b->counts;
		char name[48], place[80];

		for (next = i + 1; next < s->nr_blocks && !style->all; next++) {
			const struct block *other = &s->blocks[next];

			if (!is_dull(s, b) || !is_dull(s, other) ||
			    !block_continues(s, other - 1, other))
				break;
			counts_add(&sum, &other->counts);
		}
		snprintf(name, sizeof(name), next == i + 1 ? "%" PRIu64 :
			 "%" PRIu64 "-%" PRIu64, b->id, s->blocks[next - 1].id);
		snprintf(place, sizeof(place), "%u %s", b->node,
			 b->online ? b->zones : b->state);
		fprintf(out, "%-11s %#14" PRIx64 " %-14s", name,
			b->start_pfn * s->page_size, place);
		print_counts(out, s, &sum, b->online, style);
	}
}

static void print_regions(FILE *out, const struct snapshot *s,
			  const struct style *style)
{
	const struct region *r;
	char added[AMOUNT_SIZE], size[AMOUNT_SIZE];

	for (r = s->regions; r < s->regions + s->nr_regions; r++)
		fprintf(out, "%s at %#" PRIx64 ": %s of %s added\n", r->name, r->start,
			amount(added, s, r->added / s->page_size, style, false),
			amount(size, s, r->size / s->page_size, style, false));
}

void show_table(FILE *out, const struct snapshot *s, const struct style *style)
{
	show_heading(out, s);
	fprintf(out, "%s\n\n", style->pages ? "; numbers are pages" : "");
	print_zones(out, s, style);
	putc('\n', out);
	print_blocks(out, s, style);
	if (s->nr_regions)
		putc('\n', out);
	print_regions(out, s, style);
}
