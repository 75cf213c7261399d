// SPDX-License-Identifier: GPL-2.0
/* From what a piece of memory holds to one character, and to its colour. */
#include <ctype.h>

#include "look.h"

static const char offline_look[NR_SORTS] = {
	[SORT_OFFLINE] = 'O',
	[SORT_NEVER_ONLINED] = 'N',
	[SORT_SKIPPABLE] = 'S',
	[SORT_BOTH] = 'B',
	[SORT_MOVABLE] = 'M',
};

const struct look looks[] = {
	{ '.', "free",              "\u00b7", "\u2588", 151, "#cfe8cf" },
	{ '-', "less than half used", "\u2591", "\u2588", 153, "#b9cfea" },
	{ '+', "more than half used", "\u2592", "\u2588", 75, "#7ba6d8" },
	{ '#', "used",              "\u2593", "\u2588", 26, "#3b6fb0" },
	{ 'S', "offline, skippable", "S", "\u2588", 220, "#f2b134" },
	{ 'B', "offline, skippable, never onlined", "B", "\u2588", 208, "#e2711d" },
	{ 'N', "offline, never onlined", "N", "\u2588", 130, "#8c4a12" },
	{ 'O', "offline, neither",  "O", "\u2588", 228, "#d8c46a" },
	{ 'M', "movable offline (balloon)", "M", "\u2588", 135, "#8e5bb5" },
	{ LOOK_POISONED, "poisoned pages", "!", "!", 196, "#d3122a" },
	{ LOOK_OFF, "memory block offline", "/", "/", 244, "#9a9a9a" },
	{ LOOK_UNKNOWN, "cannot be seen", "?", "?", 244, "#e4e4e4" },
};

const size_t nr_looks = sizeof(looks) / sizeof(looks[0]);

const struct look *look_find(char c)
{
	size_t i;

	for (i = 0; i < nr_looks; i++)
		if (looks[i].c == c ||
		    (isupper((unsigned char)looks[i].c) && looks[i].c == toupper((unsigned char)c)))
			return &looks[i];
	return NULL;
}

bool look_is_part(char c)
{
	return islower((unsigned char)c);
}

char look_of(const struct mix *mix)
{
	const uint64_t free_pages = mix->pages[SORT_FREE];
	const uint64_t used = mix->pages[SORT_USED];
	uint64_t offline = 0, there = 0;
	int sort, most = SORT_OFFLINE;

	for (sort = 0; sort < NR_SORTS; sort++) {
		if (sort != SORT_ABSENT)
			there += mix->pages[sort];
		if (!offline_look[sort])
			continue;
		offline += mix->pages[sort];
		if (mix->pages[sort] > mix->pages[most])
			most = sort;
	}
	if (mix->poisoned)
		return LOOK_POISONED;
	if (offline)
		return 2 * offline < there ? tolower(offline_look[most]) :
					     offline_look[most];
	if (!there)
		return LOOK_ABSENT;
	if (2 * (uint64_t)mix->pages[SORT_OFF] >= there)
		return LOOK_OFF;
	if (!free_pages && !used)
		return LOOK_UNKNOWN;
	if (!used)
		return '.';
	if (!free_pages)
		return '#';
	return used < free_pages ? '-' : '+';
}

char look_merge(const char *cells, size_t nr)
{
	struct mix mix = {};
	size_t i;
	int sort;

	for (i = 0; i < nr; i++) {
		switch (cells[i]) {
		case LOOK_ABSENT:
			mix.pages[SORT_ABSENT] += 4;
			continue;
		case LOOK_UNKNOWN:
			mix.pages[SORT_UNKNOWN] += 4;
			continue;
		case LOOK_OFF:
			mix.pages[SORT_OFF] += 4;
			continue;
		case LOOK_POISONED:
			mix.poisoned++;
			continue;
		case '.':
			mix.pages[SORT_FREE] += 4;
			continue;
		case '-':
			mix.pages[SORT_FREE] += 3;
			mix.pages[SORT_USED] += 1;
			continue;
		case '+':
			mix.pages[SORT_FREE] += 1;
			mix.pages[SORT_USED] += 3;
			continue;
		case '#':
			mix.pages[SORT_USED] += 4;
			continue;
		}
		for (sort = 0; sort < NR_SORTS; sort++) {
			if (offline_look[sort] == cells[i]) {
				mix.pages[sort] += 4;
			} else if (offline_look[sort] &&
				   tolower(offline_look[sort]) == cells[i]) {
				mix.pages[sort] += 1;
				mix.pages[SORT_USED] += 3;
			}
		}
	}
	return look_of(&mix);
}
