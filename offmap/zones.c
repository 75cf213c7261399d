// SPDX-License-Identifier: GPL-2.0
/* The zones, from /proc/zoneinfo. */
#include <errno.h>
#include <string.h>

#include "collect.h"

#define MAX_NODES	65536
#define MAX_ZONES	16		/* of a node */

struct zone *zone_find(struct snapshot *s, unsigned int node, const char *name,
		       bool add)
{
	struct zone *z;
	size_t i;

	for (i = 0; i < s->nr_zones; i++)
		if (s->zones[i].node == node && !strcmp(s->zones[i].name, name))
			return &s->zones[i];
	if (!add)
		return NULL;
	s->zones = grow(s->zones, &s->nr_zones, sizeof(*s->zones));
	z = &s->zones[s->nr_zones - 1];
	z->node = node;
	copy_name(z->name, sizeof(z->name), name);
	return z;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static bool take_word(const char **text, const char *word)
{
	const size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text = skip_blanks(*text + len);
	return true;
}

/* "Node 0, zone   Normal" */
static bool take_zone(struct snapshot *s, const char *text, const char *line)
{
	uint64_t node;
	struct zone *z;
	size_t i, of_node = 0;

	if (!take_number(&text, 10, &node) || node >= MAX_NODES ||
	    !take_word(&text, ",") || !take_word(&text, "zone") || !*text ||
	    text[strcspn(text, " \t")] || strlen(text) >= NAME_SIZE)
		return fail(s, "%s: cannot understand \"%.80s\"", ZONEINFO, line);
	if (s->nr_zones && s->zones[s->nr_zones - 1].node > node)
		return fail(s, "%s: node %u comes too late", ZONEINFO,
			    (unsigned int)node);
	for (i = s->nr_zones; i && s->zones[i - 1].node == node; i--) {
		of_node++;
		if (!strcmp(s->zones[i - 1].name, text))
			return fail(s, "%s: node %u has zone %s twice", ZONEINFO,
				    (unsigned int)node, text);
	}
	if (of_node == MAX_ZONES)
		return fail(s, "%s: node %u has too many zones", ZONEINFO,
			    (unsigned int)node);
	s->zones = grow(s->zones, &s->nr_zones, sizeof(*s->zones));
	z = &s->zones[s->nr_zones - 1];
	z->node = node;
	z->in_zoneinfo = true;
	copy_name(z->name, sizeof(z->name), text);
	return true;
}

static bool take_field(struct snapshot *s, struct zone *z, const char *line)
{
	const struct {
		const char *name;
		uint64_t *value;
		bool sum;
	} fields[] = {
		{ "pages free ", &z->listed_free, false },
		{ "spanned ", &z->spanned, false },
		{ "present ", &z->present, false },
		{ "managed ", &z->managed, false },
		{ "start_pfn:", &z->start_pfn, false },
		{ "count:", &z->cpu_free, true },
	};
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *text = skip_blanks(line);
		uint64_t value;

		if (!take_word(&text, fields[i].name))
			continue;
		if (!only_number(text, 10, &value) || value >= MAX_PFN)
			return fail(s, "%s: cannot understand \"%.80s\"",
				    ZONEINFO, line);
		*fields[i].value = fields[i].sum ?
				   *fields[i].value + value : value;
		if (*fields[i].value >= MAX_PFN)
			return fail(s, "%s: too many pages", ZONEINFO);
		break;
	}
	return true;
}

bool read_zones(struct snapshot *s, const struct input *in)
{
	struct lines lines;
	bool good = true;
	char *line;

	if (!lines_open(&lines, in, ZONEINFO)) {
		unseen(s, "/%s: %s: no sizes of zones", ZONEINFO, strerror(errno));
		return true;
	}
	while (good && (line = next_line(&lines))) {
		const char *text = line;

		if (take_word(&text, "Node"))
			good = take_zone(s, text, line);
		else if (s->nr_zones)
			good = take_field(s, &s->zones[s->nr_zones - 1], line);
	}
	if (good && lines.wrong)
		good = fail(s, "%s, line %lu: %s", ZONEINFO, lines.number,
			    lines.wrong);
	lines_close(&lines);
	if (good && !s->nr_zones)
		good = fail(s, "%s: no zones in it", ZONEINFO);
	return good;
}
