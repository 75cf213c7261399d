// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: the order that skippable pages have
 * in common, when parts of them become something else.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/prandom.h>

#include "../internal.h"
#include "../offline_page.h"
#include "offline_page_kunit.h"

/*
 * Whoever walks the range gets past what is skippable, and not a page further,
 * wherever he starts. Orders are aligned, and nothing is left of others.
 */
static bool orders_are_right(unsigned long start_pfn, unsigned long end_pfn)
{
	const unsigned long stride = end_pfn - start_pfn > 64 ? 61 : 1;
	unsigned long covered_pfn = start_pfn, expected = end_pfn, pfn;

	for (pfn = end_pfn; pfn-- > start_pfn;) {
		if (!PageOfflineSkippable(pfn_to_page(pfn)))
			expected = pfn;
		if (!(pfn % stride) && skippable_run_end(pfn, end_pfn) != expected)
			return false;
	}
	for (pfn = start_pfn; pfn < end_pfn; pfn++) {
		const unsigned long order = page_private(pfn_to_page(pfn));

		if (!PageOffline(pfn_to_page(pfn)))
			continue;
		if (!PageOfflineSkippable(pfn_to_page(pfn)) || pfn < covered_pfn) {
			if (order)
				return false;
			continue;
		}
		if (order > pageblock_order || !IS_ALIGNED(pfn, 1UL << order))
			return false;
		covered_pfn = pfn + (1UL << order);
	}
	return true;
}

static void expect_orders(struct kunit *test, unsigned long pfn,
			  unsigned long nr_pages)
{
	if (!orders_are_right(pfn, pfn + nr_pages))
		KUNIT_FAIL(test, "the orders of %lu pages from PFN %#lx are wrong",
			   nr_pages, pfn);
}

/* One order, of which each part of any size goes. */
static void orders_are_split(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = take_pages(test, nr_pages), start, end;

	for (start = 0; start < nr_pages; start++) {
		for (end = start + 1; end <= nr_pages; end++) {
			set_offline_page_range_skippable(pfn, nr_pages);
			KUNIT_ASSERT_EQ(test, 6, page_private(pfn_to_page(pfn)));

			clear_offline_page_range_skippable(pfn + start, end - start);
			expect_orders(test, pfn, nr_pages);
			expect_offline(test, pfn + start, end - start, PLAIN);
			clear_offline_page_range_skippable(pfn, nr_pages);
			expect_offline(test, pfn, nr_pages, PLAIN);
		}
	}
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

/* The same, where the part is freed; or, of one page, freed by itself or lent. */
static void orders_are_split_by_users(struct kunit *test)
{
	static const struct { unsigned long start, nr; } parts[] = {
		{ 0, 1 }, { 1, 1 }, { 31, 1 }, { 32, 1 }, { 63, 1 }, { 0, 32 },
		{ 32, 32 }, { 0, 63 }, { 1, 63 }, { 1, 62 }, { 24, 17 },
	};
	const unsigned long nr_pages = 64;
	int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		const unsigned long pfn = take_pages(test, nr_pages);
		const unsigned long start = pfn + parts[i].start;
		const unsigned long nr = parts[i].nr;

		set_offline_page_range_skippable(pfn, nr_pages);
		if (nr == 1) {
			lend_offline_page(pfn_to_page(start));
			expect_orders(test, pfn, nr_pages);
			KUNIT_ASSERT_TRUE(test, take_back_offline_page(pfn_to_page(start)));
			expect_orders(test, pfn, nr_pages);
			set_offline_page_range_skippable(pfn, nr_pages);
		}
		if (nr == 1 && i % 2)
			free_offline_page(pfn_to_page(start));
		else
			free_offline_page_range(start, nr);
		expect_freed(test, start, nr);
		expect_orders(test, pfn, nr_pages);

		if (start > pfn)
			free_offline_page_range(pfn, start - pfn);
		if (start + nr < pfn + nr_pages)
			free_offline_page_range(start + nr, pfn + nr_pages - start - nr);
	}
}

struct freer {
	struct kthread_work work;
	unsigned long pfn;
};

/* Every second part of 4 pages is its own. */
static void free_parts(struct kthread_work *work)
{
	struct freer *freer = container_of(work, struct freer, work);
	unsigned long pfn;

	for (pfn = freer->pfn; pfn < freer->pfn + 64; pfn += 8)
		free_offline_page_range(pfn, 4);
}

KUNIT_DEFINE_ACTION_WRAPPER(destroy_worker, kthread_destroy_worker,
			    struct kthread_worker *);

/* Two free parts of the same order at once, and do not know of each other. */
static void orders_are_split_at_once(struct kunit *test)
{
	struct kthread_worker *workers[2];
	struct freer freers[2];
	int round, i, rc;

	/* A workqueue may create a thread meanwhile, from what was just freed. */
	for (i = 0; i < 2; i++) {
		workers[i] = kthread_run_worker(0, "kunit_freer/%d", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, workers[i]);
		rc = kunit_add_action_or_reset(test, destroy_worker,
					       workers[i]);
		KUNIT_ASSERT_EQ(test, rc, 0);
	}

	for (round = 0; round < 200; round++) {
		const unsigned long pfn = take_pages(test, 64);

		set_offline_page_range_skippable(pfn, 64);
		for (i = 0; i < 2; i++) {
			kthread_init_work(&freers[i].work, free_parts);
			freers[i].pfn = pfn + 4 * i;
			kthread_queue_work(workers[i], &freers[i].work);
		}
		for (i = 0; i < 2; i++)
			kthread_flush_work(&freers[i].work);
		expect_freed(test, pfn, 64);
	}
}

/* Parts of several pageblocks come and go, also twice. */
static void orders_of_random_parts(struct kunit *test)
{
	const unsigned long nr_pages = 2 * pageblock_nr_pages;
	unsigned long pfn = take_range(test, nr_pages);
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 200; i++) {
		unsigned long start = prandom_u32_state(&rnd) % nr_pages;
		unsigned long nr = 1 + prandom_u32_state(&rnd) % (nr_pages - start);

		if (prandom_u32_state(&rnd) % 2)
			nr = min(nr, 1 + prandom_u32_state(&rnd) % 20);
		if (prandom_u32_state(&rnd) % 2)
			set_offline_page_range_skippable(pfn + start, nr);
		else
			clear_offline_page_range_skippable(pfn + start, nr);
		expect_orders(test, pfn, nr_pages);
	}
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

/* No order reaches across a page that is not skippable, or a stranger. */
static void orders_end_at_strangers(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = take_pages(test, nr_pages);
	const unsigned long stranger = pfn + 37;
	struct saved_range *before;

	free_offline_page_range(stranger, 1);
	kunit_warning_suppress(test) {
		set_offline_page_range_skippable(pfn, nr_pages);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	expect_orders(test, pfn, nr_pages);

	/* Who is refused leaves the orders as they are. */
	set_offline_page_range_skippable(pfn, 32);
	before = save_range(test, pfn, nr_pages);
	expect_refused(test, pfn, nr_pages);
	expect_unchanged(test, before);
	expect_orders(test, pfn, nr_pages);
	expect_refused(test, pfn, max_pfn);

	free_offline_page_range(pfn, stranger - pfn);
	expect_freed(test, pfn, stranger - pfn);
	free_offline_page_range(stranger + 1, pfn + nr_pages - stranger - 1);
	expect_freed(test, stranger + 1, pfn + nr_pages - stranger - 1);
}

static struct kunit_case offline_page_order_cases[] = {
	KUNIT_CASE(orders_are_split),
	KUNIT_CASE(orders_are_split_by_users),
	KUNIT_CASE(orders_are_split_at_once),
	KUNIT_CASE_SLOW(orders_of_random_parts),
	KUNIT_CASE(orders_end_at_strangers),
	{}
};

static struct kunit_suite offline_page_order_suite = {
	.name = "offline_page_order",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_order_cases,
};

kunit_test_suite(offline_page_order_suite);

MODULE_DESCRIPTION("KUnit tests for the orders of skippable offline pages");
MODULE_LICENSE("GPL");
