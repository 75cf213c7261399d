// SPDX-License-Identifier: GPL-2.0
/* What has changed between two snapshots. */
#include <inttypes.h>
#include <string.h>

#include "show.h"

/* Those that both snapshots know. */
static bool print_changes(FILE *out, const struct snapshot *a,
			  const struct snapshot *b, const struct counts *old,
			  const struct counts *new, const struct style *style)
{
	bool any = false;
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		const int64_t change = new->pages[kind] - old->pages[kind];
		char text[AMOUNT_SIZE];

		if (!change || !knows(a, kind) || !knows(b, kind))
			continue;
		if (out)
			fprintf(out, "%s%s %s", any ? ", " : "",
				amount(text, b, change, style, true), kind_key[kind]);
		any = true;
	}
	return any;
}

static bool same_but_counts(const struct block *a, const struct block *b)
{
	return a->node == b->node && !strcmp(a->zones, b->zones) &&
	       !strcmp(a->state, b->state);
}

static void print_block(FILE *out, const char *what, const struct block *b)
{
	fprintf(out, "%s block %" PRIu64 " (", what, b->id);
	print_place(out, b);
	fputs(")", out);
}

static bool diff_block(FILE *out, const struct snapshot *s,
		       const struct snapshot *t, const struct block *a,
		       const struct block *b, const struct style *style)
{
	static const struct counts none;
	const bool comparable = a->online && b->online;
	const bool same = same_but_counts(a, b);

	if (same && (!comparable ||
		     !print_changes(NULL, s, t, &a->counts, &b->counts, style)))
		return false;
	print_block(out, same ? " " : "!", a);
	if (!same) {
		fputs(" is now (", out);
		print_place(out, b);
		fputs(")", out);
	}
	fputs(": ", out);
	print_changes(out, s, t, a->online ? &a->counts : &none,
		      b->online ? &b->counts : &none, style);
	putc('\n', out);
	return true;
}

bool show_diff(FILE *out, const struct snapshot *a, const struct snapshot *b,
	       const struct style *style)
{
	static const struct counts none;
	size_t i = 0, k = 0;
	struct counts old, new;
	bool any = false;

	fputs("from ", out);
	show_heading(out, a);
	fputs("\nto   ", out);
	show_heading(out, b);
	putc('\n', out);
	while (i < a->nr_blocks || k < b->nr_blocks) {
		const struct block *x = i < a->nr_blocks ? &a->blocks[i] : NULL;
		const struct block *y = k < b->nr_blocks ? &b->blocks[k] : NULL;

		if (x && y && x->start_pfn == y->start_pfn &&
		    x->nr_pages == y->nr_pages) {
			any = diff_block(out, a, b, x, y, style) || any;
			i++;
			k++;
			continue;
		}
		any = true;
		if (x && (!y || x->start_pfn <= y->start_pfn)) {
			print_block(out, "-", x);
			fputs(": ", out);
			print_changes(out, a, b, &x->counts, &none, style);
			i++;
		} else {
			print_block(out, "+", y);
			fputs(": ", out);
			print_changes(out, a, b, &none, &y->counts, style);
			k++;
		}
		putc('\n', out);
	}
	counts_total(a, &old);
	counts_total(b, &new);
	fputs("all: ", out);
	if (!print_changes(out, a, b, &old, &new, style))
		fputs("no difference in sum", out);
	putc('\n', out);
	return any;
}
