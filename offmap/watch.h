/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OFFMAP_WATCH_H
#define OFFMAP_WATCH_H

#include "collect.h"
#include "show.h"

/* How to look, and how to show what was seen. */
struct view {
	const struct input *in;
	unsigned int attempts;
	bool map;
	struct style style;
	bool terminal;		/* that can be cleared */
};

void show_view(FILE *out, const struct snapshot *s,
	       const struct snapshot *before, const struct view *view);
/* Look again and again: @count times, 0: until a signal comes. */
int watch(const struct view *view, double seconds, unsigned long count);
/* What is there: columns and lines of the terminal on stdout. */
void terminal_size(struct style *style);

#endif
