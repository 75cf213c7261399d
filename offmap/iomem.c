// SPDX-License-Identifier: GPL-2.0
/* Where RAM comes from, by /proc/iomem. */
#include <errno.h>
#include <string.h>

#include "collect.h"

#define MAX_DEPTH	16
#define RAM		"System RAM"

struct resource {
	uint64_t start, end;		/* in bytes; end is the last one */
	char name[NAME_SIZE];
};

/* The first block that ends behind a page. */
static size_t first_block(const struct snapshot *s, uint64_t pfn)
{
	size_t low = 0, high = s->nr_blocks;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		const struct block *b = &s->blocks[middle];

		if (b->start_pfn + b->nr_pages > pfn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void name_blocks(struct snapshot *s, const struct resource *ram)
{
	size_t i;

	for (i = first_block(s, ram->start / s->page_size); i < s->nr_blocks &&
	     s->blocks[i].start_pfn <= ram->end / s->page_size; i++)
		if (!*s->blocks[i].origin)
			copy_name(s->blocks[i].origin,
				  sizeof(s->blocks[i].origin), ram->name);
}

static struct region *add_region(struct snapshot *s, const struct resource *r)
{
	struct region *region = s->nr_regions ?
				&s->regions[s->nr_regions - 1] : NULL;

	if (region && region->start == r->start &&
	    !strcmp(region->name, r->name))
		return region;
	s->regions = grow(s->regions, &s->nr_regions, sizeof(*s->regions));
	region = &s->regions[s->nr_regions - 1];
	copy_name(region->name, sizeof(region->name), r->name);
	region->start = r->start;
	region->size = r->end - r->start + 1;
	return region;
}

/* "  100000000-107ffffff : System RAM (virtio_mem)" */
static bool parse(char *line, struct resource *r, unsigned int *depth)
{
	const char *text = line + strspn(line, " ");

	*depth = (text - line) / 2;
	if (*depth >= MAX_DEPTH || !take_number(&text, 16, &r->start) ||
	    *text++ != '-' || !take_number(&text, 16, &r->end) ||
	    strncmp(text, " : ", 3) || r->end < r->start ||
	    r->end >> 62)
		return false;
	copy_name(r->name, sizeof(r->name), text + 3);
	return true;
}

static bool is_virtio_device(const char *name)
{
	uint64_t number;

	return !strncmp(name, "virtio", 6) && only_number(name + 6, 10, &number);
}

bool read_iomem(struct snapshot *s, const struct input *in)
{
	struct resource parents[MAX_DEPTH] = {}, r = {};
	uint64_t ram_end = 0;
	bool any = false, addresses = false, good = true;
	struct lines lines;
	unsigned int depth;
	char *line;

	if (!lines_open(&lines, in, IOMEM)) {
		unseen(s, "/%s: %s: not who has brought which memory", IOMEM,
		       strerror(errno));
		return true;
	}
	while (good && (line = next_line(&lines))) {
		if (!parse(line, &r, &depth)) {
			good = fail(s, "%s, line %lu: cannot understand it", IOMEM,
				    lines.number);
			break;
		}
		any = true;
		addresses = addresses || r.end;
		parents[depth] = r;
		if (strncmp(r.name, RAM, strlen(RAM))) {
			/* Empty, it has no RAM by which to know it. */
			if (!depth && is_virtio_device(r.name))
				add_region(s, &r);
			continue;
		}
		if (!r.end)
			continue;	/* not for this user */
		if (ram_end && r.start <= ram_end) {
			good = fail(s, "%s, line %lu: RAM is not in order", IOMEM,
				    lines.number);
			break;
		}
		ram_end = r.end;
		name_blocks(s, &r);
		if (depth) {
			const struct resource *up = &parents[depth - 1];

			if (r.start < up->start || r.end > up->end) {
				good = fail(s, "%s, line %lu: RAM is not within its parent",
					    IOMEM, lines.number);
				break;
			}
			add_region(s, up)->added += r.end - r.start + 1;
		}
	}
	if (good && lines.wrong)
		good = fail(s, "%s, line %lu: %s", IOMEM, lines.number + 1,
			    lines.wrong);
	lines_close(&lines);
	if (any && !addresses) {
		s->nr_regions = 0;
		unseen(s, "/%s tells addresses to root only: not who has brought which memory",
		       IOMEM);
	}
	return good;
}
