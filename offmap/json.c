// SPDX-License-Identifier: GPL-2.0
/* A snapshot as JSON; json_read.c is the way back. */
#include <inttypes.h>

#include "look.h"
#include "show.h"

static void print_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc((unsigned char)*text < ' ' ? '?' : *text, out);
	}
	putc('"', out);
}

static void print_counts(FILE *out, const struct snapshot *s,
			 const struct counts *c, bool known)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		fprintf(out, ", \"%s\": ", kind_key[kind]);
		if (known && knows(s, kind))
			fprintf(out, "%" PRIu64, c->pages[kind]);
		else
			fputs("null", out);
	}
}

static void print_zones(FILE *out, const struct snapshot *s)
{
	const char *separator = "\n";
	size_t i;

	fputs("\"zones\": [", out);
	for (i = 0; i < s->nr_zones; i++) {
		const struct zone *z = &s->zones[i];

		if (z->in_zoneinfo && !z->spanned)
			continue;
		fprintf(out, "%s{\"node\": %u, \"zone\": ", separator, z->node);
		print_string(out, z->name);
		if (z->in_zoneinfo)
			fprintf(out, ", \"start_pfn\": %" PRIu64 ", \"spanned\": %" PRIu64
				", \"present\": %" PRIu64 ", \"managed\": %" PRIu64
				", \"listed_free\": %" PRIu64 ", \"cpu_free\": %" PRIu64,
				z->start_pfn, z->spanned, z->present, z->managed,
				z->listed_free, z->cpu_free);
		print_counts(out, s, &z->counts, true);
		putc('}', out);
		separator = ",\n";
	}
	fputs("],\n", out);
}

static void print_blocks(FILE *out, const struct snapshot *s)
{
	const struct block *b;

	fputs("\"blocks\": [", out);
	for (b = s->blocks; b < s->blocks + s->nr_blocks; b++) {
		fprintf(out, "%s\n{\"block\": %" PRIu64 ", \"start_pfn\": %" PRIu64
			", \"pages\": %" PRIu64 ", \"online\": %s, \"state\": ",
			b == s->blocks ? "" : ",", b->id, b->start_pfn,
			b->nr_pages, b->online ? "true" : "false");
		print_string(out, b->state);
		fprintf(out, ", \"node\": %u, \"zone\": ", b->node);
		print_string(out, b->zones);
		fputs(", \"origin\": ", out);
		print_string(out, b->origin);
		print_counts(out, s, &b->counts, b->online);
		fprintf(out, ", \"map\": \"%.*s\"}", (int)cells_of(s, b),
			s->cells + b->first_cell);
	}
	fputs("]\n", out);
}

/* So that whoever draws the "map" of blocks uses the same words and colours. */
static void print_legend(FILE *out)
{
	size_t i;

	fputs("\"legend\": [", out);
	for (i = 0; i < nr_looks; i++) {
		fprintf(out, "%s{\"char\": \"%c\", \"rgb\": \"%s\"",
			i ? ",\n" : "\n", looks[i].c, looks[i].rgb);
		fprintf(out, ", \"meaning\": \"%s\"}", looks[i].meaning);
	}
	fputs("],\n", out);
}

void show_json(FILE *out, const struct snapshot *s)
{
	struct counts total;
	size_t i;

	fputs("{\"offmap\": 1, \"kernel\": ", out);
	print_string(out, s->kernel);
	fprintf(out, ", \"time\": %" PRId64 ", \"page_size\": %" PRIu64
		", \"block_size\": %" PRIu64 ", \"cell_pages\": %" PRIu64 ",\n",
		s->time, s->page_size, s->block_size, s->cell_pages);
	fprintf(out, "\"sees\": {\"kpageflags\": %s, \"offline_pages\": %s}",
		s->sees_flags ? "true" : "false",
		s->sees_offline_pages ? "true" : "false");
	fprintf(out, ", \"disagree\": %" PRIu64 ",\n", s->disagree);
	fputs("\"unseen\": [", out);
	for (i = 0; i < s->nr_unseen; i++) {
		fputs(i ? ",\n" : "\n", out);
		print_string(out, s->unseen[i]);
	}
	fputs("],\n\"total\": {\"blocks\": ", out);
	counts_total(s, &total);
	fprintf(out, "%zu", s->nr_blocks);
	print_counts(out, s, &total, true);
	fputs("},\n\"regions\": [", out);
	for (i = 0; i < s->nr_regions; i++) {
		const struct region *r = &s->regions[i];

		fprintf(out, "%s{\"name\": ", i ? ",\n" : "\n");
		print_string(out, r->name);
		fprintf(out, ", \"start\": %" PRIu64 ", \"size\": %" PRIu64
			", \"added\": %" PRIu64 "}", r->start, r->size, r->added);
	}
	fputs("],\n", out);
	print_legend(out);
	print_zones(out, s);
	print_blocks(out, s);
	fputs("}\n", out);
}
