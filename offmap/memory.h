/* SPDX-License-Identifier: GPL-2.0 */
/* What offmap knows about a machine's memory at one moment. */
#ifndef OFFMAP_MEMORY_H
#define OFFMAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What pages are counted as. The first five are each other's complement; never
 * onlined and skippable are among the offline ones, poisoned are among all.
 */
enum kind {
	FREE,
	USED,
	OFFLINE,
	MOVABLE_OFFLINE,
	ABSENT,			/* of a block, but Linux has no such page */
	NEVER_ONLINED,
	SKIPPABLE,
	POISONED,
	NR_KINDS
};

/* As in JSON, as the title of a column, and in words. */
extern const char *const kind_key[NR_KINDS], *const kind_title[NR_KINDS],
		  *const kind_name[NR_KINDS];

struct counts {
	uint64_t pages[NR_KINDS];
};

#define NAME_SIZE	32
#define NO_PFN		UINT64_MAX

struct zone {
	unsigned int node;
	char name[NAME_SIZE];
	bool in_zoneinfo;	/* which has told these: */
	uint64_t start_pfn, spanned, present, managed;
	uint64_t listed_free;	/* in the buddy */
	uint64_t cpu_free;	/* free, kept by CPUs: counted as used */
	struct counts counts;
};

struct block {
	uint64_t id;
	uint64_t start_pfn, nr_pages;
	bool online;		/* else nobody can tell what it holds */
	char state[NAME_SIZE];
	char zones[NAME_SIZE];	/* all that it belongs to, or "-" */
	char origin[NAME_SIZE];	/* name of its RAM in /proc/iomem, or "" */
	unsigned int node;
	size_t first_cell;
	struct counts counts;
};

/* What manages RAM of its own, such as a virtio-mem device. */
struct region {
	char name[NAME_SIZE];
	uint64_t start, size;	/* in bytes */
	uint64_t added;		/* of it, as RAM */
};

struct snapshot {
	char kernel[80];
	int64_t time;			/* seconds since 1970 */
	uint64_t page_size;
	uint64_t block_size;		/* in bytes; 0: there are no blocks */
	unsigned int known;		/* a bit per kind */
	bool sees_flags, sees_offline_pages;	/* kpageflags, debugfs */
	uint64_t disagree;		/* pages about which these two do */

	struct zone *zones;
	size_t nr_zones;
	struct block *blocks;		/* by address; they do not overlap */
	size_t nr_blocks;
	struct region *regions;
	size_t nr_regions;

	/* The map: a character, as look.h has them, for so many pages. */
	uint64_t cell_pages;
	char *cells;
	size_t nr_cells;

	char **unseen;			/* what could not be read, and why */
	size_t nr_unseen;
	char error[320];		/* if a function returned false */
};

static inline bool knows(const struct snapshot *s, enum kind kind)
{
	return s->known >> kind & 1;
}

/* In cells; the last one may be a part of one. */
static inline size_t cells_of(const struct snapshot *s, const struct block *b)
{
	return (b->nr_pages + s->cell_pages - 1) / s->cell_pages;
}

/* Says what is wrong. */
void complain(struct snapshot *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* And is false, which the compiler should know. */
#define fail(...) (complain(__VA_ARGS__), false)
/* Notes what cannot be seen. */
void unseen(struct snapshot *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void snapshot_free(struct snapshot *s);
void counts_add(struct counts *sum, const struct counts *c);
void counts_total(const struct snapshot *s, struct counts *sum);
/* What may be known: from which sources there are. */
void snapshot_sees(struct snapshot *s, bool flags, bool offline_pages);
/* Lays out the cells; the blocks of @file are there, in order. False: they overlap. */
bool snapshot_cells(struct snapshot *s, uint64_t cell_pages, const char *file);

void *xrealloc(void *p, size_t nr, size_t size);
/* One more element, zeroed, at the end of an array. */
void *grow(void *array, size_t *nr, size_t size);
/* Copies what fits; what is not printable ASCII becomes a "?". */
void copy_name(char *to, size_t size, const char *from);

#endif
