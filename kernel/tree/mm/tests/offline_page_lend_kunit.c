// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: reserved pages are adopted, and
 * offline pages are lent and taken back.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/pgalloc_tag.h>

#include "../internal.h"
#include "../offline_page.h"
#include "offline_page_kunit.h"

/* As those of boot memory that was never allocated: not managed, and no tag. */
static unsigned long reserve_pages(struct kunit *test, unsigned long nr_pages)
{
	unsigned long pfn = take_pages(test, nr_pages), i;

	for (i = 0; i < nr_pages; i++) {
		struct page *page = pfn_to_page(pfn + i);

		page_clear_offline(page);
		clear_page_tag_ref(page);
		page_ref_unfreeze(page, 1);
		SetPageReserved(page);
	}
	return pfn;
}

static void adopt_round_trip(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = reserve_pages(test, nr_pages);
	struct page_counts before = count_pages();

	KUNIT_ASSERT_EQ(test, 0, adopt_offline_page_range(pfn, nr_pages));
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED);
	expect_taken(test, pfn, before, 0);

	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
}

static void expect_not_adopted(struct kunit *test, unsigned long pfn,
			       unsigned long nr_pages)
{
	struct saved_range *before = save_range(test, pfn, nr_pages);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				adopt_offline_page_range(pfn, nr_pages));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	expect_unchanged(test, before);
}

/* One page of the range is not what it should be; all stay as they are. */
static void adopt_is_refused(struct kunit *test)
{
	const unsigned long nr_pages = 16;
	unsigned long pfn = reserve_pages(test, nr_pages);
	struct page *page = pfn_to_page(pfn + 11);

	ClearPageReserved(page);
	expect_not_adopted(test, pfn, nr_pages);
	SetPageReserved(page);

	get_page(page);
	expect_not_adopted(test, pfn, nr_pages);
	put_page(page);

	KUNIT_ASSERT_EQ(test, 0, adopt_offline_page_range(pfn + 11, 1));
	expect_not_adopted(test, pfn, nr_pages);
	expect_not_adopted(test, 1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT), 1);

	KUNIT_ASSERT_EQ(test, 0, adopt_offline_page_range(pfn, 11));
	KUNIT_ASSERT_EQ(test, 0, adopt_offline_page_range(pfn + 12, 4));
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

/* Nothing tells a lent page from any other that is in use. */
static void expect_lent(struct kunit *test, struct page *page, int references)
{
	KUNIT_EXPECT_FALSE(test, page_has_type(page));
	KUNIT_EXPECT_FALSE(test, PageReserved(page));
	KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_never_onlined, &page->flags.f));
	KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_skippable, &page->flags.f));
	KUNIT_EXPECT_EQ(test, page_ref_count(page), references);
}

static void lend_round_trip(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 4);
	struct page *page = pfn_to_page(pfn + 2);
	struct page_counts before = count_pages();

	lend_offline_page(page);
	expect_lent(test, page, 1);
	expect_offline(test, pfn, 2, PLAIN);
	expect_offline(test, pfn + 3, 1, PLAIN);
	expect_taken(test, pfn, before, 0);

	KUNIT_EXPECT_TRUE(test, take_back_offline_page(page));
	expect_offline(test, pfn, 4, PLAIN);
	expect_taken(test, pfn, before, 0);

	free_offline_page_range(pfn, 4);
	expect_freed(test, pfn, 4);
	expect_taken(test, pfn, before, -4);
}

/* Somebody else has a reference: the page stays as it is until that is gone. */
static void lent_page_is_in_use(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 1);
	struct page *page = pfn_to_page(pfn);
	int i;

	lend_offline_page(page);
	KUNIT_EXPECT_TRUE(test, folio_try_get(page_folio(page)));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_FALSE(test, take_back_offline_page(page));
		expect_lent(test, page, 2);
	}
	put_page(page);
	expect_lent(test, page, 1);

	KUNIT_EXPECT_TRUE(test, take_back_offline_page(page));
	expect_offline(test, pfn, 1, PLAIN);
	free_offline_page(page);
	expect_freed(test, pfn, 1);
}

/* What the one who had it left behind means nothing, or something else. */
static void lent_page_comes_back_dirty(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 1);
	struct page *page = pfn_to_page(pfn);
	int flag;

	lend_offline_page(page);
	for (flag = 0; flag < PG_head; flag++)
		if (!(PAGE_FLAGS_CHECK_AT_FREE & BIT(flag)) &&
		    (PAGE_FLAGS_CHECK_AT_PREP & BIT(flag)))
			set_bit(flag, &page->flags.f);
	set_bit(PG_offline_never_onlined, &page->flags.f);
	set_bit(PG_offline_skippable, &page->flags.f);
	set_page_private(page, 42);

	KUNIT_EXPECT_TRUE(test, take_back_offline_page(page));
	expect_offline(test, pfn, 1, PLAIN);
	KUNIT_EXPECT_EQ(test, page->flags.f & PAGE_FLAGS_CHECK_AT_PREP, 0);
	free_offline_page(page);
	expect_freed(test, pfn, 1);
}

/* Pages of all origins are freed alike, whether they were lent or not. */
static void never_onlined_page_is_lent(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 1);
	struct page_counts before = count_pages();
	unsigned long i;

	for (i = 0; i < 64; i++)
		lend_offline_page(pfn_to_page(pfn + i));
	expect_lent(test, pfn_to_page(pfn + 5), 1);
	for (i = 0; i < 32; i++)
		KUNIT_EXPECT_TRUE(test, take_back_offline_page(pfn_to_page(pfn + i)));
	expect_offline(test, pfn, 32, PLAIN);
	expect_offline(test, pfn + 64, nr_pages - 64, NEVER_ONLINED);
	expect_taken(test, pfn, before, 0);
	for (i = 32; i < 64; i++)
		KUNIT_EXPECT_TRUE(test, take_back_offline_page(pfn_to_page(pfn + i)));

	free_offline_page_range(pfn, 256);
	expect_freed(test, pfn, 256);
	expect_taken(test, pfn, before, -256);

	set_offline_page_range_skippable(pfn + 256, nr_pages - 256);
	remove_blocks(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}

static void lending_a_page_in_use_is_refused(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	kunit_warning_suppress(test) {
		lend_offline_page(page);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	__free_page(page);
}

/* Memory offlining takes a poisoned page for one that nobody uses. */
static void lent_page_keeps_block(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 1), lent = pfn + 7;
	struct page_counts before = count_pages();

	set_offline_page_range_skippable(pfn, nr_pages);
	lend_offline_page(pfn_to_page(lent));
#ifdef CONFIG_MEMORY_FAILURE
	SetPageHWPoison(pfn_to_page(lent));
	KUNIT_ASSERT_EQ(test, -EBUSY, try_remove_blocks());
	ClearPageHWPoison(pfn_to_page(lent));
#endif
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
	expect_lent(test, pfn_to_page(lent), 1);

	KUNIT_EXPECT_TRUE(test, take_back_offline_page(pfn_to_page(lent)));
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
	set_offline_page_range_skippable(lent, 1);
	remove_blocks(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}

#ifdef CONFIG_MEMORY_FAILURE
/* Poison is the one flag that stays, and keeps the page from the buddy. */
static void lent_page_is_poisoned(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 1);
	struct page *page = pfn_to_page(pfn);
	struct page_counts before = count_pages();

	lend_offline_page(page);
	SetPageHWPoison(page);
	KUNIT_EXPECT_TRUE(test, take_back_offline_page(page));
	expect_offline(test, pfn, 1, PLAIN);
	KUNIT_EXPECT_TRUE(test, PageHWPoison(page));

	free_offline_page(page);
	KUNIT_EXPECT_FALSE(test, page_has_type(page));
	KUNIT_EXPECT_FALSE(test, is_free_buddy_page(page));
	expect_taken(test, pfn, before, -1);
}
#endif

static struct kunit_case offline_page_lend_cases[] = {
	KUNIT_CASE(adopt_round_trip),
	KUNIT_CASE(adopt_is_refused),
	KUNIT_CASE(lend_round_trip),
	KUNIT_CASE(lent_page_is_in_use),
	KUNIT_CASE(lent_page_comes_back_dirty),
	KUNIT_CASE(never_onlined_page_is_lent),
	KUNIT_CASE(lent_page_keeps_block),
	KUNIT_CASE(lending_a_page_in_use_is_refused),
#ifdef CONFIG_MEMORY_FAILURE
	KUNIT_CASE(lent_page_is_poisoned),
#endif
	{}
};

static struct kunit_suite offline_page_lend_suite = {
	.name = "offline_page_lend",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_lend_cases,
};

kunit_test_suite(offline_page_lend_suite);
