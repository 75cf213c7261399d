// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: what makes no sense is refused,
 * with one warning, and changes nothing.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/offline_page.h>

#include "../internal.h"
#include "../offline_page.h"
#include "offline_page_kunit.h"

static void impossible_range_is_refused(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = take_pages(test, nr_pages);

	/* An empty range, one that wraps around, one beyond all memory. */
	expect_refused(test, pfn, 0);
	expect_refused(test, pfn, -1UL);
	expect_refused(test, 1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT), 1);
	expect_offline(test, pfn, nr_pages, PLAIN);

	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

static void page_in_use_is_refused(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	expect_refused(test, page_to_pfn(page), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	__free_page(page);
}

/* One page among offline ones is not: in use, or free in the buddy. */
static void stranger_is_refused(struct kunit *test)
{
	static const unsigned long at[] = { 0, 13, 63 };
	const unsigned long nr_pages = 64;
	unsigned long pfn, i;
	struct page *page;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		pfn = take_pages(test, nr_pages);
		page = pfn_to_page(pfn + at[i]);

		/* In use, as far as the interface can tell. */
		__ClearPageOffline(page);
		set_page_count(page, 1);
		expect_refused(test, pfn, nr_pages);
		set_page_count(page, 0);
		__SetPageOffline(page);

		free_offline_page(page);
		expect_refused(test, pfn, nr_pages);

		if (at[i])
			free_offline_page_range(pfn, at[i]);
		if (at[i] + 1 < nr_pages)
			free_offline_page_range(pfn + at[i] + 1,
						nr_pages - at[i] - 1);
	}
}

/* The same with memory that was never online: a large range, all alike. */
static void block_stranger_is_refused(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	const unsigned long at[] = { 0, nr_pages / 3, nr_pages - 1 };
	unsigned long pfn = add_blocks(test, 1), i;
	struct page_counts before = count_pages();

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct page *page = pfn_to_page(pfn + at[i]);

		set_page_count(page, 1);
		expect_refused(test, pfn, nr_pages);
		__ClearPageOffline(page);
		expect_refused(test, pfn, nr_pages);
		set_page_count(page, 0);
		expect_refused(test, pfn, nr_pages);
		__SetPageOffline(page);
	}

	/* Consent for a part of it is nothing strange. */
	set_offline_page_range_skippable(pfn + nr_pages / 2, nr_pages / 4);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
	remove_blocks(test);
}

static void double_free_is_refused(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, nr_pages);
	struct page_counts before = count_pages();

	free_offline_page_range(pfn, nr_pages);
	expect_refused(test, pfn, nr_pages);
	expect_refused(test, pfn, 1);
	expect_refused(test, pfn + nr_pages / 2 + 1, 1);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);

	/* The buddy still has each of the pages once. */
	retake_range(test, pfn, nr_pages);
	expect_offline(test, pfn, nr_pages, PLAIN);
	expect_taken(test, pfn, before, 0);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

/* An offline page that somebody gave a reference must not get into the buddy. */
static void reference_is_refused(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 4);

	set_page_count(pfn_to_page(pfn + 2), 1);
	expect_refused(test, pfn, 4);
	KUNIT_EXPECT_TRUE(test, PageOffline(pfn_to_page(pfn)));

	set_page_count(pfn_to_page(pfn + 2), 0);
	free_offline_page_range(pfn, 4);
	expect_freed(test, pfn, 4);
}

static void gfp_is_refused(struct kunit *test)
{
	static const gfp_t refused[] = {
		__GFP_COMP, __GFP_MOVABLE, __GFP_ACCOUNT,
	};
	struct page_counts before = count_pages(), after;
	int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		kunit_warning_suppress(test) {
			KUNIT_EXPECT_NULL(test, alloc_offline_page(GFP_KERNEL |
								   refused[i]));
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		kunit_warning_suppress(test) {
			KUNIT_EXPECT_NULL(test, alloc_offline_pages_contig(2, GFP_KERNEL |
									   refused[i],
									   numa_mem_id(),
									   NULL));
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

/* The flags mean something else for all other pages. */
static void flags_need_the_type(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	kunit_warning_suppress(test) {
		set_offline_page_range_skippable(page_to_pfn(page), 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_skippable, &page->flags.f));

	set_bit(PG_offline_skippable, &page->flags.f);
	set_bit(PG_offline_never_onlined, &page->flags.f);
	KUNIT_EXPECT_FALSE(test, PageOfflineSkippable(page));
	KUNIT_EXPECT_FALSE(test, PageOfflineNeverOnlined(page));
	kunit_warning_suppress(test) {
		clear_offline_page_range_skippable(page_to_pfn(page), 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_TRUE(test, test_bit(PG_offline_skippable, &page->flags.f));
	__free_page(page);
}

/* Expect that a range cannot be taken, and that this changes nothing. */
static void expect_not_taken(struct kunit *test, unsigned long pfn,
			     unsigned long nr_pages)
{
	struct saved_range *before = save_range(test, pfn, nr_pages);

	KUNIT_EXPECT_EQ(test, -EINVAL, alloc_offline_page_range(pfn, nr_pages,
								GFP_KERNEL));
	expect_unchanged(test, before);
}

/* A boundary of boot memory, in some kernel zone, and hot-added memory. */
static void range_across_zones_is_refused(struct kunit *test)
{
	unsigned long pfn = add_blocks(test, 1);

	KUNIT_ASSERT_TRUE(test, pfn_valid(pfn - 1));
	KUNIT_ASSERT_PTR_NE(test, page_zone(pfn_to_page(pfn - 1)),
			    page_zone(pfn_to_page(pfn)));

	/* Both sides offline, and both sides free. */
	retake_range(test, pfn - 8, 8);
	expect_refused(test, pfn - 8, 16);
	expect_not_taken(test, pfn - 8, 16);
	expect_offline(test, pfn - 8, 8, PLAIN);
	expect_offline(test, pfn, 8, NEVER_ONLINED);

	free_offline_page_range(pfn - 8, 8);
	free_offline_page_range(pfn, block_nr_pages());
	expect_not_taken(test, pfn - 8, 16);
	remove_blocks(test);
}

/* Where the second memory block could be, there is no memory. */
static void range_over_hole_is_refused(struct kunit *test)
{
	unsigned long pfn = add_blocks(test, 1);
	unsigned long hole = pfn + block_nr_pages();
	unsigned long end = hole + block_nr_pages();

	KUNIT_ASSERT_TRUE(test, pfn_valid(hole - 1));
	KUNIT_ASSERT_FALSE(test, pfn_valid(hole));
	KUNIT_ASSERT_FALSE(test, pfn_valid(end - 1));
	KUNIT_ASSERT_TRUE(test, pfn_valid(end));

	/* The hole is the end of the range, all of it, or its beginning. */
	expect_refused(test, hole - 8, 16);
	expect_refused(test, hole, 16);
	retake_range(test, end, 8);
	expect_refused(test, end - 8, 16);
	expect_not_taken(test, hole - 8, 16);
	expect_not_taken(test, hole, 16);
	expect_not_taken(test, end - 8, 16);
	expect_offline(test, hole - 8, 8, NEVER_ONLINED);
	expect_offline(test, end, 8, PLAIN);

	free_offline_page_range(end, 8);
	free_offline_page_range(pfn, block_nr_pages());
	expect_not_taken(test, hole - 8, 16);
	expect_not_taken(test, end - 8, 16);
	remove_blocks(test);
}

static struct kunit_case offline_page_misuse_cases[] = {
	KUNIT_CASE(impossible_range_is_refused),
	KUNIT_CASE(page_in_use_is_refused),
	KUNIT_CASE(stranger_is_refused),
	KUNIT_CASE(block_stranger_is_refused),
	KUNIT_CASE(double_free_is_refused),
	KUNIT_CASE(reference_is_refused),
	KUNIT_CASE(gfp_is_refused),
	KUNIT_CASE(flags_need_the_type),
	KUNIT_CASE(range_across_zones_is_refused),
	KUNIT_CASE(range_over_hole_is_refused),
	{}
};

static struct kunit_suite offline_page_misuse_suite = {
	.name = "offline_page_misuse",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_misuse_cases,
};

kunit_test_suite(offline_page_misuse_suite);
