// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: pages that have never been online,
 * and memory blocks that go offline with offline pages in them.
 */
#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/offline_page.h>

#include "../internal.h"
#include "offline_page_kunit.h"

/* Memory that is onlined starts offline, without a reference. */
static void block_starts_offline(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	const unsigned long total = totalram_pages();
	unsigned long pfn = add_blocks(test, 1);

	KUNIT_EXPECT_EQ(test, total, totalram_pages());
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED);

	set_offline_page_range_skippable(pfn, nr_pages);
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED | SKIPPABLE);
	remove_blocks(test);
	KUNIT_EXPECT_EQ(test, total, totalram_pages());
}

/* First exposure and freeing again, in ranges that mix both. */
static void block_round_trip(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	const unsigned long half = nr_pages / 2, quarter = nr_pages / 4;
	unsigned long pfn = add_blocks(test, 1);
	struct page_counts before = count_pages();

	set_offline_page_range_skippable(pfn, nr_pages);
	free_offline_page_range(pfn, half);
	expect_freed(test, pfn, half);
	expect_offline(test, pfn + half, half, NEVER_ONLINED | SKIPPABLE);
	expect_taken(test, pfn, before, -half);

	retake_range(test, pfn + quarter, quarter);
	expect_offline(test, pfn + quarter, quarter, PLAIN);
	expect_taken(test, pfn, before, -quarter);

	/* Allocated and never onlined ones at once. */
	free_offline_page_range(pfn + quarter + 1, half - 1);
	expect_offline(test, pfn + quarter, 1, PLAIN);
	expect_freed(test, pfn + quarter + 1, half - 1);
	expect_offline(test, pfn + 3 * quarter, quarter, NEVER_ONLINED | SKIPPABLE);
	free_offline_page_range(pfn + quarter, 1);
	free_offline_page_range(pfn + 3 * quarter, quarter);
	expect_freed(test, pfn + quarter, 1);
	expect_freed(test, pfn + 3 * quarter, quarter);
	expect_taken(test, pfn, before, -nr_pages);

	remove_blocks(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}

/* Neither start nor end are aligned to anything, and it crosses sections. */
static void blocks_range_unaligned(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 2);
	unsigned long border = pfn + nr_pages;
	unsigned long start = border - 3 * MAX_ORDER_NR_PAGES / 2 - 3;
	unsigned long end = border + 5 * MAX_ORDER_NR_PAGES / 2 + 5;
	struct page_counts before = count_pages();

	KUNIT_EXPECT_NE(test, pfn_to_section_nr(border - 1),
			pfn_to_section_nr(border));

	/* Never online before. */
	free_offline_page_range(start, end - start);
	expect_offline(test, pfn, start - pfn, NEVER_ONLINED);
	expect_freed(test, start, end - start);
	expect_offline(test, end, border + nr_pages - end, NEVER_ONLINED);
	expect_taken(test, start, before, start - end);

	/* Less than that, taken and given back in parts. */
	retake_range(test, start + 321, end - start - 654);
	expect_offline(test, start + 321, end - start - 654, PLAIN);
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(start + 320)));
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(end - 333)));
	set_offline_page_range_skippable(start + 321, end - start - 654);
	expect_offline(test, border - 7, 14, SKIPPABLE);
	clear_offline_page_range_skippable(border - 3, 5);
	expect_offline(test, border - 7, 4, SKIPPABLE);
	expect_offline(test, border - 3, 5, PLAIN);
	expect_offline(test, border + 2, 5, SKIPPABLE);

	free_offline_page_range(border - 3, 5);
	free_offline_page_range(start + 321, border - 3 - start - 321);
	free_offline_page_range(border + 2, end - 333 - border - 2);
	expect_freed(test, start + 321, end - start - 654);
	expect_taken(test, start, before, start - end);

	set_offline_page_range_skippable(pfn, start - pfn);
	set_offline_page_range_skippable(end, border + nr_pages - end);
	remove_blocks(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}

/* One offline page without consent keeps the block, be it poisoned or not. */
static void block_needs_consent(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 1);
	unsigned long stranger = pfn + nr_pages / 3;

	set_offline_page_range_skippable(pfn, nr_pages);
	clear_offline_page_range_skippable(stranger, 1);
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
#ifdef CONFIG_MEMORY_FAILURE
	SetPageHWPoison(pfn_to_page(stranger));
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
	ClearPageHWPoison(pfn_to_page(stranger));
#endif
	expect_offline(test, stranger, 1, NEVER_ONLINED);
	set_offline_page_range_skippable(stranger, 1);
	remove_blocks(test);
}

static unsigned long withdrawn_pfn;

static int withdraw_consent(struct notifier_block *nb, unsigned long action,
			    void *arg)
{
	if (action == MEM_GOING_OFFLINE)
		clear_offline_page_range_skippable(withdrawn_pfn, 1);
	return NOTIFY_OK;
}

static struct notifier_block withdraw_nb = {
	.notifier_call = withdraw_consent,
};

/*
 * A driver must not do this, but may take a page offline that late: offlining
 * has to find out, and give up rather than to try for ever.
 */
static void block_consent_is_asked_again(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 1);

	set_offline_page_range_skippable(pfn, nr_pages);
	withdrawn_pfn = pfn + nr_pages - 1;
	KUNIT_ASSERT_EQ(test, 0, register_memory_notifier(&withdraw_nb));
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
	unregister_memory_notifier(&withdraw_nb);

	expect_offline(test, pfn, nr_pages - 1, NEVER_ONLINED | SKIPPABLE);
	set_offline_page_range_skippable(withdrawn_pfn, 1);
	remove_blocks(test);
}

static int offline_block(struct memory_block *mem, void *unused)
{
	return device_offline(&mem->dev);
}

static int online_block(struct memory_block *mem, void *unused)
{
	return device_online(&mem->dev);
}

static int change_block(unsigned long pfn, walk_memory_blocks_func_t func)
{
	int rc;

	lock_device_hotplug();
	rc = walk_memory_blocks(PFN_PHYS(pfn), memory_block_size_bytes(), NULL,
				func);
	unlock_device_hotplug();
	return rc;
}

/*
 * What was skipped comes back offline, and nothing in between knows of it: all
 * of the block is never-onlined memory again, without anybody's consent.
 */
static void block_comes_back_offline(struct kunit *test)
{
	const unsigned long half = block_nr_pages() / 2;
	const unsigned long total = totalram_pages();
	unsigned long pfn = add_blocks(test, 1);

	free_offline_page_range(pfn, half);
	retake_range(test, pfn + half / 2, half / 2);
	set_offline_page_range_skippable(pfn + half / 2, half / 2 + half);
	KUNIT_EXPECT_EQ(test, total + half / 2, totalram_pages());

	KUNIT_EXPECT_EQ(test, 0, change_block(pfn, offline_block));
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(pfn));
	KUNIT_EXPECT_EQ(test, total, totalram_pages());

	KUNIT_EXPECT_EQ(test, 0, change_block(pfn, online_block));
	KUNIT_EXPECT_EQ(test, total, totalram_pages());
	expect_offline(test, pfn, 2 * half, NEVER_ONLINED);

	set_offline_page_range_skippable(pfn, 2 * half);
	remove_blocks(test);
}

static struct kunit_case offline_page_hotplug_cases[] = {
	KUNIT_CASE(block_starts_offline),
	KUNIT_CASE(block_round_trip),
	KUNIT_CASE(blocks_range_unaligned),
	KUNIT_CASE(block_needs_consent),
	KUNIT_CASE(block_consent_is_asked_again),
	KUNIT_CASE(block_comes_back_offline),
	{}
};

static struct kunit_suite offline_page_hotplug_suite = {
	.name = "offline_page_hotplug",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_hotplug_cases,
};

kunit_test_suite(offline_page_hotplug_suite);
