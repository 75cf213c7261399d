/* SPDX-License-Identifier: GPL-2.0 */
/* What a piece of memory looks like on the map: one character. */
#ifndef OFFMAP_LOOK_H
#define OFFMAP_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each page is of one sort. */
enum sort {
	SORT_FREE,
	SORT_USED,
	SORT_OFFLINE,		/* offline, neither of the two flags */
	SORT_NEVER_ONLINED,
	SORT_SKIPPABLE,
	SORT_BOTH,		/* never onlined and skippable */
	SORT_MOVABLE,
	SORT_ABSENT,
	SORT_UNKNOWN,
	SORT_OFF,		/* of a memory block that is offline */
	NR_SORTS
};

struct mix {
	uint32_t pages[NR_SORTS];
	uint32_t poisoned;
};

#define LOOK_ABSENT	' '
#define LOOK_UNKNOWN	'?'
#define LOOK_OFF	'/'
#define LOOK_POISONED	'!'

/* All there are, in the order of a legend, and what they mean. */
struct look {
	char c;
	const char *meaning;
	const char *utf8;	/* drawn so, where there is no colour */
	const char *colour_utf8;	/* and so where there is */
	unsigned char colour;	/* of the 256 of a terminal */
	const char *rgb;
};

/* NULL: there is no such character. Lower case is known as upper case. */
const struct look *look_find(char c);
extern const struct look looks[];
extern const size_t nr_looks;

/* Of one piece. */
char look_of(const struct mix *mix);
/* Of several pieces of the same size that become one. */
char look_merge(const char *cells, size_t nr);
/* Less than half of the piece is so. */
bool look_is_part(char c);

#endif
