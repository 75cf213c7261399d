// SPDX-License-Identifier: GPL-2.0
/* A snapshot from the JSON that json.c has written, or from anything else. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect.h"
#include "json_value.h"
#include "show.h"

#define MAX_FILE	(64UL << 20)

struct reader {
	struct snapshot *s;
	const char *name;	/* of the file */
	const char *place;	/* in it */
	size_t size;
};

static void complain_about(struct reader *r, const char *key)
{
	complain(r->s, "%s: %s: \"%s\" is missing or makes no sense", r->name,
		 r->place, key);
}

#define lacks(r, key) (complain_about(r, key), false)

static bool get_number(struct reader *r, const struct json_value *object,
		       const char *key, uint64_t max, uint64_t *value)
{
	const struct json_value *v = json_get(object, key, JSON_NUMBER);

	if (!v || v->number > max)
		return lacks(r, key);
	*value = v->number;
	return true;
}

static bool get_name(struct reader *r, const struct json_value *object,
		     const char *key, char *to, size_t size)
{
	const struct json_value *v = json_get(object, key, JSON_STRING);

	if (!v || strlen(v->string) >= size)
		return lacks(r, key);
	copy_name(to, size, v->string);
	return true;
}

static bool get_counts(struct reader *r, const struct json_value *object,
		       struct counts *c, bool known)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		if (known && knows(r->s, kind) &&
		    !get_number(r, object, kind_key[kind], MAX_PFN,
				&c->pages[kind]))
			return false;
	return true;
}

static bool get_bool(struct reader *r, const struct json_value *object,
		     const char *key, bool *value)
{
	const struct json_value *v = json_get(object, key, JSON_BOOL);

	if (!v)
		return lacks(r, key);
	*value = v->number;
	return true;
}

static bool read_zone(struct reader *r, const struct json_value *v)
{
	struct snapshot *s = r->s;
	uint64_t node;
	struct zone *z;

	s->zones = grow(s->zones, &s->nr_zones, sizeof(*s->zones));
	z = &s->zones[s->nr_zones - 1];
	if (!get_number(r, v, "node", UINT16_MAX, &node) ||
	    !get_name(r, v, "zone", z->name, sizeof(z->name)) ||
	    !get_counts(r, v, &z->counts, true))
		return false;
	z->node = node;
	z->in_zoneinfo = json_get(v, "spanned", JSON_NUMBER);
	return !z->in_zoneinfo ||
	       (get_number(r, v, "start_pfn", MAX_PFN, &z->start_pfn) &&
		get_number(r, v, "spanned", MAX_PFN, &z->spanned) &&
		get_number(r, v, "present", MAX_PFN, &z->present) &&
		get_number(r, v, "managed", MAX_PFN, &z->managed) &&
		get_number(r, v, "listed_free", MAX_PFN, &z->listed_free) &&
		get_number(r, v, "cpu_free", MAX_PFN, &z->cpu_free));
}

static bool read_block(struct reader *r, const struct json_value *v)
{
	struct snapshot *s = r->s;
	uint64_t node;
	struct block *b;

	s->blocks = grow(s->blocks, &s->nr_blocks, sizeof(*s->blocks));
	b = &s->blocks[s->nr_blocks - 1];
	if (!get_number(r, v, "block", UINT64_MAX, &b->id) ||
	    !get_number(r, v, "start_pfn", MAX_PFN, &b->start_pfn) ||
	    !get_number(r, v, "pages", MAX_PFN, &b->nr_pages) ||
	    !get_bool(r, v, "online", &b->online) ||
	    !get_number(r, v, "node", UINT16_MAX, &node) ||
	    !get_name(r, v, "state", b->state, sizeof(b->state)) ||
	    !get_name(r, v, "zone", b->zones, sizeof(b->zones)) ||
	    !get_name(r, v, "origin", b->origin, sizeof(b->origin)) ||
	    !get_counts(r, v, &b->counts, b->online))
		return false;
	b->node = node;
	return b->nr_pages ? true : lacks(r, "pages");
}

static bool read_region(struct reader *r, const struct json_value *v)
{
	struct snapshot *s = r->s;
	struct region *region;

	s->regions = grow(s->regions, &s->nr_regions, sizeof(*s->regions));
	region = &s->regions[s->nr_regions - 1];
	return get_name(r, v, "name", region->name, sizeof(region->name)) &&
	       get_number(r, v, "start", UINT64_MAX, &region->start) &&
	       get_number(r, v, "size", UINT64_MAX, &region->size) &&
	       get_number(r, v, "added", UINT64_MAX, &region->added);
}

static bool read_unseen(struct reader *r, const struct json_value *v)
{
	if (v->type != JSON_STRING)
		return lacks(r, "unseen");
	unseen(r->s, "%s", v->string);
	return true;
}

static bool read_array(struct reader *r, const struct json_value *top,
		       const char *key,
		       bool (*each)(struct reader *, const struct json_value *))
{
	const struct json_value *v = json_get(top, key, JSON_ARRAY);

	r->place = key;
	if (!v)
		return lacks(r, key);
	for (v = v->first; v; v = v->next)
		if (!each(r, v))
			return false;
	return true;
}

/* Each block has a string of so many characters. */
static bool read_cells(struct reader *r, const struct json_value *top)
{
	const struct json_value *v = json_get(top, "blocks", JSON_ARRAY)->first;
	struct snapshot *s = r->s;
	uint64_t cell_pages, cells = 0;
	size_t i, k;

	if (!get_number(r, top, "cell_pages", MAX_PFN, &cell_pages) || !cell_pages)
		return lacks(r, "cell_pages");
	s->cell_pages = cell_pages;
	for (i = 0; i < s->nr_blocks; i++) {
		cells += cells_of(s, &s->blocks[i]);
		if (cells > r->size)
			return lacks(r, "cell_pages");
	}
	if (!snapshot_cells(s, cell_pages, r->name))
		return false;
	for (i = 0; i < s->nr_blocks; i++, v = v->next) {
		const struct json_value *map = json_get(v, "map", JSON_STRING);
		const size_t nr = cells_of(s, &s->blocks[i]);

		if (!map || strlen(map->string) != nr)
			return lacks(r, "map");
		for (k = 0; k < nr; k++)
			if (map->string[k] != LOOK_ABSENT &&
			    !look_find(map->string[k]))
				return lacks(r, "map");
		memcpy(s->cells + s->blocks[i].first_cell, map->string, nr);
	}
	return true;
}

static bool read_snapshot(struct reader *r, const struct json_value *top)
{
	struct snapshot *s = r->s;
	const struct json_value *sees = json_get(top, "sees", JSON_OBJECT);
	uint64_t time, version;
	bool flags, offline_pages;

	r->place = "top";
	if (!get_number(r, top, "offmap", 1, &version) || version != 1)
		return fail(s, "%s is no snapshot of this offmap", r->name);
	if (!get_name(r, top, "kernel", s->kernel, sizeof(s->kernel)) ||
	    !get_number(r, top, "time", 1ULL << 40, &time) ||
	    !get_number(r, top, "page_size", 1ULL << 24, &s->page_size) ||
	    !get_number(r, top, "block_size", 1ULL << 40, &s->block_size) ||
	    !get_number(r, top, "disagree", UINT64_MAX, &s->disagree) ||
	    !get_bool(r, sees, "kpageflags", &flags) ||
	    !get_bool(r, sees, "offline_pages", &offline_pages))
		return false;
	if (s->page_size < 1024 || s->page_size & (s->page_size - 1))
		return lacks(r, "page_size");
	s->time = time;
	snapshot_sees(s, flags, offline_pages);
	return read_array(r, top, "unseen", read_unseen) &&
	       read_array(r, top, "regions", read_region) &&
	       read_array(r, top, "zones", read_zone) &&
	       read_array(r, top, "blocks", read_block) &&
	       read_cells(r, top);
}

bool read_json(struct snapshot *s, char *text, size_t size, const char *name)
{
	struct reader r = { .s = s, .name = name, .size = size };
	struct json_value *top;
	const char *wrong;
	unsigned long line;
	bool good;

	top = json_parse(text, size, &wrong, &line);
	if (!top)
		return fail(s, "%s, line %lu: %s", name, line, wrong);
	good = read_snapshot(&r, top);
	json_free(top);
	if (good && !s->nr_blocks)
		good = fail(s, "%s: there is nothing to see", name);
	return good;
}

bool read_json_file(struct snapshot *s, const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) :
				     STDIN_FILENO;
	size_t size = 0, space = 0;
	char *text = NULL;
	ssize_t n = 0;
	bool good;

	if (fd < 0)
		return fail(s, "%s: %s", path, strerror(errno));
	do {
		size += n;
		if (size + 1 >= space) {
			space = space ? 2 * space : 65536;
			text = xrealloc(text, space, 1);
		}
		n = read(fd, text + size, space - size - 1);
	} while (n > 0 && size <= MAX_FILE);
	if (fd != STDIN_FILENO)
		close(fd);
	text[size] = '\0';
	if (n < 0)
		good = fail(s, "%s: %s", path, strerror(errno));
	else if (n > 0)
		good = fail(s, "%s: too large for a snapshot", path);
	else
		good = read_json(s, text, size, path);
	free(text);
	return good;
}
