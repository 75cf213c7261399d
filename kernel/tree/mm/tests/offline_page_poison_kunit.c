// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: a poisoned page that is freed is
 * not offline any more, but stays out of the buddy and counts as managed.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/offline_page.h>

#include "../internal.h"
#include "offline_page_kunit.h"

/* Free offline pages, some of which are poisoned: in ascending order. */
static void free_poisoned(struct kunit *test, unsigned long pfn,
			  unsigned long nr_pages, const unsigned long *at,
			  unsigned int nr_poisoned)
{
	struct page_counts before = count_pages();
	unsigned long next = pfn;
	unsigned int i;

	set_offline_page_range_skippable(pfn, nr_pages);
	for (i = 0; i < nr_poisoned; i++)
		SetPageHWPoison(pfn_to_page(pfn + at[i]));

	free_offline_page_range(pfn, nr_pages);

	expect_taken(test, pfn, before, -nr_pages);
	for (i = 0; i < nr_poisoned; i++) {
		struct page *poisoned = pfn_to_page(pfn + at[i]);

		expect_freed(test, next, pfn + at[i] - next);
		next = pfn + at[i] + 1;

		KUNIT_EXPECT_TRUE(test, PageHWPoison(poisoned));
		KUNIT_EXPECT_FALSE(test, page_has_type(poisoned));
		KUNIT_EXPECT_FALSE(test, is_free_buddy_page(poisoned));
		KUNIT_EXPECT_EQ(test, page_ref_count(poisoned), 0);
		KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_skippable,
						  &poisoned->flags.f));
		KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_never_onlined,
						  &poisoned->flags.f));
	}
	expect_freed(test, next, pfn + nr_pages - next);
}

static const unsigned long first[] = { 0 };
static const unsigned long middle[] = { MAX_ORDER_NR_PAGES / 3 };
static const unsigned long last[] = { MAX_ORDER_NR_PAGES - 1 };
static const unsigned long several[] = {
	0, 1, MAX_ORDER_NR_PAGES / 2 - 1, MAX_ORDER_NR_PAGES / 2,
	MAX_ORDER_NR_PAGES - 2, MAX_ORDER_NR_PAGES - 1,
};

/* The poisoned pages stay that way: the allocator has given them up. */
static void take_and_free_poisoned(struct kunit *test, unsigned long nr_pages,
				   const unsigned long *at,
				   unsigned int nr_poisoned)
{
	free_poisoned(test, take_pages(test, nr_pages), nr_pages, at,
		      nr_poisoned);
}

static void poison_first_stays_out(struct kunit *test)
{
	take_and_free_poisoned(test, MAX_ORDER_NR_PAGES, first, 1);
}

static void poison_middle_stays_out(struct kunit *test)
{
	take_and_free_poisoned(test, MAX_ORDER_NR_PAGES, middle, 1);
}

static void poison_last_stays_out(struct kunit *test)
{
	take_and_free_poisoned(test, MAX_ORDER_NR_PAGES, last, 1);
}

static void poison_alone_stays_out(struct kunit *test)
{
	take_and_free_poisoned(test, 1, first, 1);
}

static void poison_several_stay_out(struct kunit *test)
{
	take_and_free_poisoned(test, MAX_ORDER_NR_PAGES, several,
			       ARRAY_SIZE(several));
}

/*
 * The same with pages that were never online. The memory block goes in the
 * end, which accounts for poisoned pages: nothing may be left of them.
 */
static void block_poison_stays_out(struct kunit *test)
{
	const struct page_counts before = count_pages();
	unsigned long pfn = add_blocks(test, 1);
	struct page_counts after;

	free_poisoned(test, pfn, MAX_ORDER_NR_PAGES, first, 1);
	pfn += MAX_ORDER_NR_PAGES;
	free_poisoned(test, pfn, MAX_ORDER_NR_PAGES, middle, 1);
	pfn += MAX_ORDER_NR_PAGES;
	free_poisoned(test, pfn, MAX_ORDER_NR_PAGES, last, 1);
	pfn += MAX_ORDER_NR_PAGES;
	free_poisoned(test, pfn, 1, first, 1);
	pfn += 1;
	free_poisoned(test, pfn, 2 * MAX_ORDER_NR_PAGES, several,
		      ARRAY_SIZE(several));
	pfn += 2 * MAX_ORDER_NR_PAGES;
	set_offline_page_range_skippable(pfn, block_nr_pages() - 1 -
					 5 * MAX_ORDER_NR_PAGES);
	remove_blocks(test);

	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

/* A poisoned page among both kinds of offline pages, at their border. */
static void block_poison_at_border_stays_out(struct kunit *test)
{
	static const unsigned long border[] = {
		MAX_ORDER_NR_PAGES - 1, MAX_ORDER_NR_PAGES,
	};
	const struct page_counts before = count_pages();
	unsigned long pfn = add_blocks(test, 1);
	struct page_counts after;

	free_offline_page_range(pfn, MAX_ORDER_NR_PAGES);
	retake_range(test, pfn, MAX_ORDER_NR_PAGES);
	expect_offline(test, pfn, MAX_ORDER_NR_PAGES, PLAIN);
	expect_offline(test, pfn + MAX_ORDER_NR_PAGES, 1, NEVER_ONLINED);

	free_poisoned(test, pfn, block_nr_pages(), border, ARRAY_SIZE(border));
	remove_blocks(test);

	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

/* An offline page is not managed, poisoned or not. */
static void block_poison_accounting(struct kunit *test)
{
	const struct page_counts before = count_pages();
	const unsigned long half = block_nr_pages() / 2;
	unsigned long pfn = add_blocks(test, 1);
	struct page_counts after;

	set_offline_page_range_skippable(pfn, 2 * half);
	SetPageHWPoison(pfn_to_page(pfn + 54));
	free_offline_page_range(pfn + half, half);
	expect_taken(test, pfn, before, -half);
	remove_blocks(test);

	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

static struct kunit_case offline_page_poison_cases[] = {
	KUNIT_CASE(poison_first_stays_out),
	KUNIT_CASE(poison_middle_stays_out),
	KUNIT_CASE(poison_last_stays_out),
	KUNIT_CASE(poison_alone_stays_out),
	KUNIT_CASE(poison_several_stay_out),
	KUNIT_CASE(block_poison_stays_out),
	KUNIT_CASE(block_poison_at_border_stays_out),
	KUNIT_CASE(block_poison_accounting),
	{}
};

static struct kunit_suite offline_page_poison_suite = {
	.name = "offline_page_poison",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_poison_cases,
};

kunit_test_suite(offline_page_poison_suite);
