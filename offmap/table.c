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

struct table {
	FILE *out;
	const struct snapshot *s;
	const struct style *style;
	struct counts total;
};

/* What is rare has a column where there is some of it. */
static bool has_column(const struct table *t, enum kind kind)
{
	return (kind != POISONED && kind != ABSENT) || t->total.pages[kind];
}

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

static void print_titles(const struct table *t)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		if (has_column(t, columns[i]))
			fprintf(t->out, " %9s", kind_title[columns[i]]);
	putc('\n', t->out);
}

static const char *cell(char text[AMOUNT_SIZE], const struct table *t,
			bool known, uint64_t pages)
{
	return known ? amount(text, t->s, pages, t->style, false) : "-";
}

static void print_counts(const struct table *t, const struct counts *c, bool known)
{
	char text[AMOUNT_SIZE];
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		if (has_column(t, columns[i]))
			fprintf(t->out, " %9s",
				cell(text, t, known && knows(t->s, columns[i]),
				     c->pages[columns[i]]));
	putc('\n', t->out);
}

static void print_zones(const struct table *t)
{
	const struct snapshot *s = t->s;
	char present[AMOUNT_SIZE], managed[AMOUNT_SIZE];
	size_t i;

	fprintf(t->out, "%-4s %-8s %9s %9s", "node", "zone", "present", "managed");
	print_titles(t);
	for (i = 0; i < s->nr_zones; i++) {
		const struct zone *z = &s->zones[i];

		if (z->in_zoneinfo && !z->spanned)
			continue;
		fprintf(t->out, "%-4u %-8s %9s %9s", z->node, z->name,
			cell(present, t, z->in_zoneinfo, z->present),
			cell(managed, t, z->in_zoneinfo, z->managed));
		print_counts(t, &z->counts, true);
	}
	fprintf(t->out, "%-33s", "all memory blocks");
	print_counts(t, &t->total, true);
}

/* So that nothing that is worth a look gets lost among others. */
static bool is_dull(const struct block *b)
{
	const uint64_t *pages = b->counts.pages;

	return !pages[OFFLINE] && !pages[MOVABLE_OFFLINE] && !pages[POISONED];
}

static void print_blocks(const struct table *t)
{
	const struct snapshot *s = t->s;
	size_t i, next;

	fprintf(t->out, "%-9s %12s %-10s", s->block_size ? "block" : "piece",
		"address", "zone");
	print_titles(t);
	for (i = 0; i < s->nr_blocks; i = next) {
		const struct block *b = &s->blocks[i];
		struct counts sum = b->counts;
		char name[48], place[80];

		for (next = i + 1; next < s->nr_blocks && !t->style->all; next++) {
			const struct block *other = &s->blocks[next];

			if (!is_dull(b) || !is_dull(other) ||
			    !block_continues(other - 1, other))
				break;
			counts_add(&sum, &other->counts);
		}
		snprintf(name, sizeof(name), next == i + 1 ? "%" PRIu64 :
			 "%" PRIu64 "-%" PRIu64, b->id, s->blocks[next - 1].id);
		snprintf(place, sizeof(place), "%u %s", b->node,
			 b->online ? b->zones : b->state);
		fprintf(t->out, "%-9s %#12" PRIx64 " %-10s", name,
			b->start_pfn * s->page_size, place);
		print_counts(t, &sum, b->online);
	}
}

static void print_regions(const struct table *t)
{
	const struct snapshot *s = t->s;
	char added[AMOUNT_SIZE], size[AMOUNT_SIZE];
	size_t i;

	for (i = 0; i < s->nr_regions; i++) {
		const struct region *r = &s->regions[i];

		fprintf(t->out, "%s at %#" PRIx64 ": %s of %s added\n", r->name, r->start,
			cell(added, t, true, r->added / s->page_size),
			cell(size, t, true, r->size / s->page_size));
	}
}

void show_table(FILE *out, const struct snapshot *s, const struct style *style)
{
	struct table t = { .out = out, .s = s, .style = style };

	counts_total(s, &t.total);
	show_heading(out, s);
	fprintf(out, "%s\n\n", style->pages ? "; numbers are pages" : "");
	print_zones(&t);
	putc('\n', out);
	print_blocks(&t);
	if (s->nr_regions)
		putc('\n', out);
	print_regions(&t);
}
