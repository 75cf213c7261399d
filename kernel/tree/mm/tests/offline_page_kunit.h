/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit tests for logically offline memory share. They use the real
 * page allocator.
 */
#ifndef _MM_TESTS_OFFLINE_PAGE_KUNIT_H
#define _MM_TESTS_OFFLINE_PAGE_KUNIT_H

#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

/* What the system believes to have, in pages. */
struct page_counts {
	unsigned long managed[MAX_NR_ZONES];
	unsigned long total;
};

struct page_counts count_pages(void);

/* Expect @taken pages less than @before in the zone of @pfn. */
void expect_taken(struct kunit *test, unsigned long pfn,
		  struct page_counts before, long taken);

enum {
	PLAIN		= 0,
	NEVER_ONLINED	= 1,
	SKIPPABLE	= 2,
};

/* Expect all pages to be offline with these flags, and beyond reach. */
void expect_offline(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages, int flags);

/*
 * Expect all pages to be back, with nothing left that tells where they were.
 * They have to be freed just now: others will use them.
 */
void expect_freed(struct kunit *test, unsigned long pfn, unsigned long nr_pages);

/* A range, as it was when it was saved; for as long as the test runs. */
struct saved_range {
	unsigned long pfn;
	unsigned long nr_pages;
	struct page_counts counts;
	struct page *pages;
};

struct saved_range *save_range(struct kunit *test, unsigned long pfn,
			       unsigned long nr_pages);

/*
 * Expect that nothing has happened to the range: nothing at all to pages that
 * were offline or in use, where pages that were free still belong to the buddy
 * and whom it gives them to.
 */
void expect_unchanged(struct kunit *test, const struct saved_range *before);

/* Take a few pages offline: a power of 2. */
unsigned long take_pages(struct kunit *test, unsigned long nr_pages);

/* Take whole pageblocks offline, wherever: they may have been in use. */
unsigned long take_range(struct kunit *test, unsigned long nr_pages);

/* Take this range, which was free a moment ago. */
void retake_range(struct kunit *test, unsigned long pfn, unsigned long nr_pages);

/* Expect that freeing is refused with one warning and changes nothing. */
void expect_refused(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages);

/*
 * Hot-add memory blocks, @nr_blocks of 2, that are online with all of their
 * pages offline. They go at the end of the test at the latest.
 *
 * This needs RAM for two memory blocks that the kernel does not know of
 * (memmap=nn%ss-1 hides it on x86), with boot memory on both sides, whose
 * address is given as offline_page_kunit.hotadd=ADDRESS, and memory that is
 * onlined automatically (memhp_default_state=online_movable), with nothing else
 * in ZONE_MOVABLE. Skips the test if there is no such address.
 */
unsigned long add_blocks(struct kunit *test, unsigned long nr_blocks);
int try_remove_blocks(void);
void remove_blocks(struct kunit *test);

static inline unsigned long block_nr_pages(void)
{
	return PHYS_PFN(memory_block_size_bytes());
}

/* For all suites: nobody else allocates and frees much while they run. */
int offline_page_suite_init(struct kunit_suite *suite);

#endif /* _MM_TESTS_OFFLINE_PAGE_KUNIT_H */
