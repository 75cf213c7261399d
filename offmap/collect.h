/* SPDX-License-Identifier: GPL-2.0 */
/* From files to a snapshot. What is not there is noted; what is wrong fails. */
#ifndef OFFMAP_COLLECT_H
#define OFFMAP_COLLECT_H

#include "input.h"
#include "look.h"
#include "memory.h"

/*
 * All of it. While it is read, the system goes on: where that shows, it is
 * read again, at most @attempts times. Have @s zeroed; free it afterwards.
 */
bool collect(struct snapshot *s, const struct input *in, unsigned int attempts);

#define MEMORY_DIR	"sys/devices/system/memory"
#define KPAGEFLAGS	"proc/kpageflags"
#define ZONEINFO	"proc/zoneinfo"
#define IOMEM		"proc/iomem"
#define OFFLINE_PAGES	"sys/kernel/debug/offline_pages"
#define OSRELEASE	"proc/sys/kernel/osrelease"

/* No machine has that much: sums of such numbers do not overflow. */
#define MAX_PFN		(1ULL << 52)

/* zones.c: the zones of all nodes */
bool read_zones(struct snapshot *s, const struct input *in);
/* NULL: none. Adds one if @add. */
struct zone *zone_find(struct snapshot *s, unsigned int node, const char *name,
		       bool add);

/* blocks.c: the memory blocks; without them, pieces of the zones */
bool read_blocks(struct snapshot *s, const struct input *in);

/* iomem.c: who has brought the blocks, and could bring more */
bool read_iomem(struct snapshot *s, const struct input *in);

/* scan.c: what all pages are */
bool scan_pages(struct snapshot *s, const struct input *in);
/* The pages that /proc/kpageflags tells of; 0 if there is no such file. */
uint64_t count_pages(const struct input *in);

/* offline_pages.c: runs of offline pages, as debugfs has them, one by one */
struct offline_runs {
	struct snapshot *s;
	struct lines lines;
	bool there;		/* there is such a file */
	bool more;		/* there is a run, and this is it: */
	uint64_t start_pfn, end_pfn;
	enum sort sort;
	bool poisoned;
	uint64_t listed;	/* pages of all runs so far */
};

bool runs_open(struct offline_runs *runs, struct snapshot *s,
	       const struct input *in);
/* Go on to the next one. */
bool runs_next(struct offline_runs *runs);
void runs_close(struct offline_runs *runs);

#endif
