/* SPDX-License-Identifier: GPL-2.0 */
/* From a snapshot to something to look at. */
#ifndef OFFMAP_SHOW_H
#define OFFMAP_SHOW_H

#include <stdio.h>

#include "memory.h"

struct style {
	bool colour, utf8;
	bool pages;		/* exact numbers, not MiB */
	bool all;		/* every memory block on a line of its own */
	unsigned int width, height;	/* of the terminal; height 0: endless */
	uint64_t unit;		/* bytes per character of the map; 0: choose */
};

/* table.c */
void show_table(FILE *out, const struct snapshot *s, const struct style *style);
/* "Linux 7.3.4, 2026-11-24 10:00:00 UTC, ..." */
void show_heading(FILE *out, const struct snapshot *s);

/* map.c; @before: what has changed since is marked; may be NULL */
void show_map(FILE *out, const struct snapshot *s, const struct snapshot *before,
	      const struct style *style);

/* svg.c */
void show_svg(FILE *out, const struct snapshot *s);

/* json.c, and back: json_read.c; @name is for messages */
void show_json(FILE *out, const struct snapshot *s);
bool read_json(struct snapshot *s, char *text, size_t size, const char *name);
bool read_json_file(struct snapshot *s, const char *path);

/* diff.c; returns whether there is a difference */
bool show_diff(FILE *out, const struct snapshot *a, const struct snapshot *b,
	       const struct style *style);

/* text.c */
#define AMOUNT_SIZE 32
/* "448M", "1.5G" or, if @pages, their number. @sign: with "+" or "-". */
const char *amount(char buf[AMOUNT_SIZE], const struct snapshot *s,
		   int64_t pages, const struct style *style, bool sign);
/* Blocks that follow each other, are of the same node, zones and state. */
bool block_continues(const struct block *before, const struct block *b);
/* "Node 0, zone Movable, offline" */
void print_place(FILE *out, const struct block *b);

#endif
