// SPDX-License-Identifier: GPL-2.0
/* The map, drawn in a terminal. */
#include <inttypes.h>
#include <string.h>

#include "layout.h"
#include "look.h"
#include "show.h"

#define MIN_WIDTH	32
#define OTHER_LINES	14	/* headings and legend */
#define DEFAULT_ROWS	48	/* where the terminal has no height */

struct drawing {
	FILE *out;
	const struct snapshot *s;
	const struct style *style;
	int address_width;
	bool block_numbers;	/* there is room for them */
	bool seen[128];		/* characters */
	int pen;		/* what the terminal draws with; 0: as ever */
};

/* One string per change of colour, not per character. */
static void set_pen(struct drawing *d, int colour, bool part, bool changed)
{
	const int pen = colour | part << 8 | changed << 9;

	if (pen == d->pen)
		return;
	fputs("\033[0", d->out);
	if (colour)
		fprintf(d->out, ";38;5;%d", colour);
	if (part)
		fputs(";48;5;110", d->out);
	if (changed)
		fputs(";7", d->out);
	putc('m', d->out);
	d->pen = pen;
}

static void draw_cell(struct drawing *d, char c, bool changed)
{
	const struct look *look = look_find(c);
	const bool part = look_is_part(c);
	const struct style *style = d->style;

	if (c > 0)
		d->seen[(int)c] = true;
	if (style->colour)
		set_pen(d, look ? look->colour : 0, part && style->utf8, changed);
	if (!look || !style->utf8 || (part && !style->colour))
		putc(c, d->out);
	else if (!style->colour)
		fputs(look->utf8, d->out);
	else
		fputs(part ? "\u2584" : look->colour_utf8, d->out);
}

static void draw_group(void *arg, const struct block *first,
		       const struct block *end)
{
	struct drawing *d = arg;
	struct block place = *first;
	const struct block *b;
	struct counts sum = {};
	char text[AMOUNT_SIZE];
	uint64_t pages = 0;
	int kind;

	for (b = first; b < end; b++) {
		counts_add(&sum, &b->counts);
		pages += b->nr_pages;
		if (b->online)
			place = *b;
	}
	*place.origin = '\0';
	putc('\n', d->out);
	print_place(d->out, &place);
	fprintf(d->out, ": %s", amount(text, d->s, pages, d->style, false));
	for (kind = 0; kind < NR_KINDS; kind++)
		if (sum.pages[kind])
			fprintf(d->out, ", %s %s",
				amount(text, d->s, sum.pages[kind], d->style, false),
				kind_name[kind]);
	putc('\n', d->out);
}

static void draw_row(void *arg, const struct row *row)
{
	struct drawing *d = arg;
	unsigned int i;

	fprintf(d->out, "%#*" PRIx64 " ", d->address_width,
		row->start_pfn * d->s->page_size);
	for (i = 0; i < row->end; i++)
		draw_cell(d, row->cells[i], row->changed[i]);
	if (d->style->colour)
		set_pen(d, 0, false, false);
	if (d->block_numbers) {
		fprintf(d->out, " %" PRIu64, row->first->id);
		if (row->last != row->first)
			fprintf(d->out, "-%" PRIu64, row->last->id);
	}
	putc('\n', d->out);
}

static void draw_legend(struct drawing *d)
{
	bool any_part = false;
	unsigned int used = 0;
	size_t i;

	putc('\n', d->out);
	for (i = 0; i < nr_looks; i++) {
		const struct look *look = &looks[i];
		const char lower = look->c >= 'A' && look->c <= 'Z' ?
				   look->c - 'A' + 'a' : look->c;
		const unsigned int width = strlen(look->meaning) + 4;

		if (!d->seen[(int)look->c] && !d->seen[(int)lower])
			continue;
		any_part = any_part || (lower != look->c && d->seen[(int)lower]);
		if (used + width > d->style->width && used) {
			putc('\n', d->out);
			used = 0;
		}
		used += width;
		draw_cell(d, look->c, false);
		if (d->style->colour)
			set_pen(d, 0, false, false);
		fprintf(d->out, " %s  ", look->meaning);
	}
	if (any_part)
		fprintf(d->out, "\n%s: less than half of it is so",
			d->style->colour && d->style->utf8 ? "half height" :
							     "lower case");
	putc('\n', d->out);
}

static int digits(uint64_t number)
{
	char text[24];

	return snprintf(text, sizeof(text), "%#" PRIx64, number);
}

void show_map(FILE *out, const struct snapshot *s, const struct snapshot *before,
	      const struct style *style)
{
	const struct block *last = &s->blocks[s->nr_blocks - 1];
	struct drawing d = { .out = out, .s = s, .style = style };
	struct layout layout = { .s = s, .before = before };
	const unsigned int width = style->width > MIN_WIDTH ? style->width :
							      MIN_WIDTH;
	unsigned int room, rows = DEFAULT_ROWS;
	char unit[AMOUNT_SIZE];
	struct style sizes = {};

	d.address_width = digits(last->start_pfn * s->page_size);
	room = width - d.address_width - 1;
	layout.columns = 8;
	while (2 * layout.columns <= room && 2 * layout.columns <= MAX_COLUMNS)
		layout.columns *= 2;
	d.block_numbers = s->block_size && room - layout.columns >= 12;
	if (style->height)
		rows = style->height > OTHER_LINES + 4 ?
		       style->height - OTHER_LINES : 4;
	layout_choose(&layout, rows, style->unit / s->page_size);

	show_heading(out, s);
	fprintf(out, "; a character is %s\n",
		amount(unit, s, layout.unit_pages, &sizes, false));
	layout_walk(&layout, draw_group, draw_row, &d);
	draw_legend(&d);
}
