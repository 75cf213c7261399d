// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of offline pages, from the file in debugfs that a kernel with
 * CONFIG_DEBUG_OFFLINE_PAGES has. It may be long, and is not kept in memory.
 */
#include <errno.h>
#include <string.h>

#include "collect.h"

static const struct {
	const char *name;
	enum sort sort;		/* SORT_ABSENT: not a sort of its own */
} flags[] = {
	{ "never_onlined", SORT_NEVER_ONLINED },
	{ "skippable", SORT_SKIPPABLE },
	{ "hwpoison", SORT_ABSENT },
};

/* One of "a,b,c"; moves @list behind it. */
static size_t take_flag(const char **list)
{
	const size_t len = strcspn(*list, ", ");
	size_t i, found = sizeof(flags) / sizeof(flags[0]);

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strlen(flags[i].name) == len &&
		    !strncmp(*list, flags[i].name, len))
			found = i;
	*list += len + ((*list)[len] == ',');
	return found;
}

/* The word, if it is the next one of the line, and the blank behind it. */
static bool take(const char **text, const char *word)
{
	const size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	return true;
}

static bool parse(struct offline_runs *runs, const char *text)
{
	bool never_onlined = false, skippable = false, movable;
	uint64_t start, nr;

	if (!take_number(&text, 16, &start) || !take(&text, " ") ||
	    !take_number(&text, 10, &nr) || !take(&text, " ") ||
	    !nr || start >= MAX_PFN || nr >= MAX_PFN)
		return false;
	movable = take(&text, "movable_offline ");
	if (!movable && !take(&text, "offline "))
		return false;

	runs->poisoned = false;
	while (*text && *text != ' ') {
		switch (take_flag(&text)) {
		case 0:
			never_onlined = true;
			break;
		case 1:
			skippable = true;
			break;
		case 2:
			runs->poisoned = true;
			break;
		}
	}
	if (!take(&text, " "))
		return false;		/* the refcounts: cut short */

	if (start < runs->end_pfn)
		return false;		/* not in order */
	runs->start_pfn = start;
	runs->end_pfn = start + nr;
	runs->listed += nr;
	runs->sort = movable ? SORT_MOVABLE :
		     never_onlined && skippable ? SORT_BOTH :
		     never_onlined ? SORT_NEVER_ONLINED :
		     skippable ? SORT_SKIPPABLE : SORT_OFFLINE;
	return true;
}

bool runs_next(struct offline_runs *runs)
{
	struct lines *lines = &runs->lines;
	const char *line;

	if (!runs->there)
		return true;
	runs->more = false;
	do {
		line = next_line(lines);
	} while (line && *line == '#');
	if (lines->wrong)
		return fail(runs->s, "%s, line %lu: %s", OFFLINE_PAGES,
			    lines->number + 1, lines->wrong);
	if (!line)
		return true;
	if (!parse(runs, line))
		return fail(runs->s, "%s, line %lu: cannot understand it, or it is out of order",
			    OFFLINE_PAGES, lines->number);
	runs->more = true;
	return true;
}

bool runs_open(struct offline_runs *runs, struct snapshot *s,
	       const struct input *in)
{
	runs->s = s;
	runs->more = false;
	runs->start_pfn = 0;
	runs->end_pfn = 0;
	runs->listed = 0;
	runs->there = lines_open(&runs->lines, in, OFFLINE_PAGES);
	if (!runs->there)
		unseen(s, "/%s: %s: not which offline pages are never onlined, skippable or movable",
		       OFFLINE_PAGES, strerror(errno));
	return runs_next(runs);
}

void runs_close(struct offline_runs *runs)
{
	if (runs->there)
		lines_close(&runs->lines);
}
