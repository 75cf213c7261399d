// SPDX-License-Identifier: GPL-2.0
/* The map as a picture, with a table of its zones. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "look.h"
#include "show.h"

#define WIDTH		1000
#define MARGIN		20
#define LEFT		150	/* of the cells; the addresses are beside it */
#define COLUMNS		64
#define CELL		12
#define CELL_HEIGHT	12
#define ROW		14
#define GROUP		34	/* above the name of a group */
#define UNDER_GROUP	8
#define ROWS		96	/* at most, or so */

struct picture {
	FILE *out;		/* NULL: only measure */
	const struct snapshot *s;
	unsigned int y;
	bool seen[128];
};

/* What a text may be made of; the rest has been kept out. */
static void print_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else
			putc((unsigned char)*text < ' ' ? '?' : *text, out);
	}
}

/* What a function prints, as text. */
static void print_heading(FILE *out, const struct snapshot *s)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	show_heading(memory, s);
	fclose(memory);
	print_text(out, text);
	free(text);
}

static void print_escaped_place(FILE *out, const struct block *b)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	print_place(memory, b);
	fclose(memory);
	print_text(out, text);
	free(text);
}

static void begin_text(struct picture *p, unsigned int x, const char *class)
{
	fprintf(p->out, "<text x=\"%u\" y=\"%u\"%s%s%s>", x, p->y,
		*class ? " class=\"" : "", class, *class ? "\"" : "");
}

static void end_text(struct picture *p)
{
	fputs("</text>\n", p->out);
}

static void fill_rect(struct picture *p, unsigned int x, unsigned int y,
		      unsigned int width, unsigned int height, const char *fill)
{
	fprintf(p->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\"/>\n",
		x, y, width, height, fill);
}

static void cells(struct picture *p, unsigned int x, unsigned int y,
		  unsigned int nr, char c)
{
	const struct look *look = look_find(c);
	const unsigned int width = nr * CELL;

	if (!look)
		return;
	if (c == LOOK_OFF) {
		fill_rect(p, x, y, width, CELL_HEIGHT, "url(#off)");
	} else if (look_is_part(c)) {
		fill_rect(p, x, y, width, CELL_HEIGHT, look_find('+')->rgb);
		fill_rect(p, x, y + CELL_HEIGHT / 2, width, CELL_HEIGHT / 2, look->rgb);
	} else {
		fill_rect(p, x, y, width, CELL_HEIGHT, look->rgb);
	}
}

static void group(void *arg, const struct block *first, const struct block *end)
{
	struct picture *p = arg;
	const struct block *b;
	struct counts sum = {};
	struct block place = *first;
	struct style style = {};
	char text[AMOUNT_SIZE];
	uint64_t pages = 0;
	int kind;

	p->y += GROUP;
	if (!p->out) {
		p->y += UNDER_GROUP;
		return;
	}
	for (b = first; b < end; b++) {
		counts_add(&sum, &b->counts);
		pages += b->nr_pages;
		if (b->online)
			place = *b;
	}
	*place.origin = '\0';
	begin_text(p, MARGIN, "group");
	print_escaped_place(p->out, &place);
	fprintf(p->out, ": %s<tspan class=\"small\">",
		amount(text, p->s, pages, &style, false));
	for (kind = 0; kind < NR_KINDS; kind++)
		if (sum.pages[kind])
			fprintf(p->out, " \u00b7 %s %s",
				amount(text, p->s, sum.pages[kind], &style, false),
				kind_name[kind]);
	fputs("</tspan>", p->out);
	end_text(p);
	p->y += UNDER_GROUP;
}

static void row(void *arg, const struct row *row)
{
	struct picture *p = arg;
	unsigned int i, next;

	if (!p->out) {
		p->y += ROW;
		return;
	}
	for (i = 0; i < row->end; i = next) {
		next = i + 1;
		while (next < row->end && row->cells[next] == row->cells[i])
			next++;
		p->seen[(int)row->cells[i] & 127] = true;
		cells(p, LEFT + i * CELL, p->y, next - i, row->cells[i]);
	}
	p->y += ROW - 3;
	begin_text(p, MARGIN, "small");
	fprintf(p->out, "%#" PRIx64, row->start_pfn * p->s->page_size);
	end_text(p);
	p->y += 3;
}

static const char *const preamble[] = {
	"<style>text { font: 14px \"DejaVu Sans\", sans-serif; fill: #222 }",
	".title { font-size: 18px } .group { font-weight: bold }",
	".small { font-size: 12px; font-weight: normal; fill: #555 }</style>",
	"<defs><pattern id=\"off\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">",
	"<rect width=\"6\" height=\"6\" fill=\"#e4e4e4\"/>",
	"<path d=\"M0 6L6 0\" stroke=\"#9a9a9a\" stroke-width=\"2\"/></pattern></defs>",
};

static void legend(struct picture *p)
{
	unsigned int x = MARGIN;
	bool any_part = false;
	size_t i;

	p->y += 30;
	for (i = 0; i < nr_looks; i++) {
		const struct look *look = &looks[i];
		const char lower = look->c >= 'A' && look->c <= 'Z' ?
				   look->c - 'A' + 'a' : look->c;
		const unsigned int width = 32 + 7 * strlen(look->meaning);

		if (!p->seen[(int)look->c] && !p->seen[(int)lower])
			continue;
		any_part = any_part || (lower != look->c && p->seen[(int)lower]);
		if (x + width > WIDTH - MARGIN) {
			x = MARGIN;
			p->y += 20;
		}
		cells(p, x, p->y - 10, 1, look->c);
		begin_text(p, x + CELL + 5, "small");
		print_text(p->out, look->meaning);
		end_text(p);
		x += width;
	}
	if (any_part) {
		p->y += 20;
		begin_text(p, MARGIN, "small");
		fputs("half height: less than half of it is so", p->out);
		end_text(p);
	}
}

static void notes(struct picture *p)
{
	size_t i;

	for (i = 0; i < p->s->nr_unseen; i++) {
		p->y += 18;
		begin_text(p, MARGIN, "small");
		fputs("cannot see: ", p->out);
		print_text(p->out, p->s->unseen[i]);
		end_text(p);
	}
}

void show_svg(FILE *out, const struct snapshot *s)
{
	struct layout layout = { .s = s, .columns = COLUMNS };
	struct picture p = { .s = s };
	struct style style = {};
	char text[AMOUNT_SIZE];
	unsigned int height;
	size_t i;

	layout_choose(&layout, ROWS, 0);
	layout_walk(&layout, group, row, &p);
	/* Headings, legend and notes. */
	height = p.y + 60 + 110 + 18 * s->nr_unseen + MARGIN;

	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\">\n",
		WIDTH, height, WIDTH, height);
	for (i = 0; i < sizeof(preamble) / sizeof(preamble[0]); i++)
		fprintf(out, "%s\n", preamble[i]);
	fill_rect(&(struct picture){ .out = out }, 0, 0, WIDTH, height, "#ffffff");
	p.out = out;
	p.y = MARGIN + 14;
	begin_text(&p, MARGIN, "title");
	fputs("Memory: ", out);
	print_heading(out, s);
	end_text(&p);
	p.y += 20;
	begin_text(&p, MARGIN, "small");
	fprintf(out, "each square is %s", amount(text, s, layout.unit_pages, &style, false));
	end_text(&p);
	layout_walk(&layout, group, row, &p);
	legend(&p);
	notes(&p);
	fputs("</svg>\n", out);
}
