// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: ordinary memory is taken offline
 * and given back.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>
#include <linux/spinlock.h>

#include "../internal.h"
#include "../offline_page.h"
#include "offline_page_kunit.h"

static void page_round_trip(struct kunit *test)
{
	const unsigned long total = totalram_pages();
	struct page_counts before;
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	expect_offline(test, pfn, 1, PLAIN);

	before = count_pages();
	KUNIT_EXPECT_EQ(test, total, before.total + 1);
	free_offline_page(page);
	expect_freed(test, pfn, 1);
	expect_taken(test, pfn, before, -1);
}

static void pages_round_trip(struct kunit *test)
{
	const unsigned int order = *(const unsigned int *)test->param_value;
	const unsigned long nr_pages = 1UL << order;
	const unsigned long total = totalram_pages();
	struct page_counts before;
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	expect_offline(test, pfn, nr_pages, PLAIN);
	before = count_pages();
	KUNIT_EXPECT_EQ(test, total, before.total + nr_pages);

	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
}

/* The pages of one allocation are independent of each other. */
static void pages_freed_one_by_one(struct kunit *test)
{
	const unsigned int order = 4;
	struct page_counts before;
	struct page *page;
	unsigned long pfn, i;

	page = alloc_offline_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	before = count_pages();

	for (i = 1; i < 1 << order; i += 2)
		free_offline_page(pfn_to_page(pfn + i));
	for (i = 0; i < 1 << order; i += 2)
		expect_offline(test, pfn + i, 1, PLAIN);
	for (i = 1; i < 1 << order; i += 2)
		expect_freed(test, pfn + i, 1);
	expect_taken(test, pfn, before, -8);

	for (i = 0; i < 1 << order; i += 2)
		free_offline_page(pfn_to_page(pfn + i));
	expect_freed(test, pfn, 1 << order);
	expect_taken(test, pfn, before, -16);
}

static void range_round_trip(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, nr_pages);
	struct page_counts before = count_pages();

	expect_offline(test, pfn, nr_pages, PLAIN);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
}

/* Neither start nor end are aligned to anything, and it crosses pageblocks. */
static void range_unaligned(struct kunit *test)
{
	const unsigned long whole = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, whole) + 3;
	unsigned long nr_pages = whole - 3 - 5;
	unsigned long most = nr_pages - 121;
	struct page_counts before;

	free_offline_page_range(pfn - 3, whole);
	before = count_pages();
	retake_range(test, pfn, nr_pages);
	expect_offline(test, pfn, nr_pages, PLAIN);
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(pfn - 1)));
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(pfn + nr_pages)));
	expect_taken(test, pfn, before, nr_pages);

	/* Back in three parts, out of order. */
	free_offline_page_range(pfn + most, nr_pages - most);
	free_offline_page_range(pfn, 7);
	free_offline_page_range(pfn + 7, most - 7);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, 0);
}

/* Pages of several allocations may be freed as one range. */
static void range_of_several_allocations(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, nr_pages);
	struct page_counts before;
	unsigned long i;

	free_offline_page_range(pfn, nr_pages);
	before = count_pages();
	for (i = 0; i < nr_pages; i += pageblock_nr_pages)
		retake_range(test, pfn + i, pageblock_nr_pages);
	expect_taken(test, pfn, before, nr_pages);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, 0);
}

/* The owner gets what the flags ask for, whatever was there a moment ago. */
static void pages_zeroed(struct kunit *test)
{
	const unsigned int order = 3;
	struct page *page = alloc_pages(GFP_KERNEL, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page_address(page), 0x5a, PAGE_SIZE << order);
	__free_pages(page, order);

	page = alloc_offline_pages(GFP_KERNEL | __GFP_ZERO, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0,
					   PAGE_SIZE << order));
	free_offline_page_range(page_to_pfn(page), 1 << order);
}

/* More than the buddy has in one piece, wherever it is. */
static void contig_round_trip(struct kunit *test)
{
	const unsigned long nr_pages = 2 * MAX_ORDER_NR_PAGES;
	struct page_counts before = count_pages();
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL, numa_mem_id(),
					  NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(pfn, nr_pages));
	expect_offline(test, pfn, nr_pages, PLAIN);
	expect_taken(test, pfn, before, nr_pages);

	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, 0);
}

/* No power of 2, and not freed as it was allocated. */
static void contig_odd_size(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES + 5;
	struct page_counts before = count_pages();
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL, numa_mem_id(),
					  NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	expect_offline(test, pfn, nr_pages, PLAIN);
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(pfn - 1)));
	KUNIT_EXPECT_FALSE(test, PageOffline(pfn_to_page(pfn + nr_pages)));
	expect_taken(test, pfn, before, nr_pages);

	free_offline_page_range(pfn + 7, nr_pages - 7);
	expect_offline(test, pfn, 7, PLAIN);
	free_offline_page_range(pfn, 7);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, 0);
}

/* The search finds the same range again, or another one that is as good. */
static void contig_zeroed(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	struct page *page;
	unsigned long i;

	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL, numa_mem_id(),
					  NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	for (i = 0; i < nr_pages; i++)
		memset(page_address(page + i), 0x5a, PAGE_SIZE);
	free_offline_page_range(page_to_pfn(page), nr_pages);

	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL | __GFP_ZERO,
					  numa_mem_id(), NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0,
					   nr_pages << PAGE_SHIFT));
	free_offline_page_range(page_to_pfn(page), nr_pages);
}

static void contig_of_nodes(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	struct page_counts before = count_pages(), after;
	nodemask_t nodes = NODE_MASK_NONE;
	struct page *page;

	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL, numa_mem_id(),
					  &nodes);
	after = count_pages();
	KUNIT_EXPECT_NULL(test, page);
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
	if (page)
		free_offline_page_range(page_to_pfn(page), nr_pages);

	node_set(numa_mem_id(), nodes);
	page = alloc_offline_pages_contig(nr_pages, GFP_KERNEL | __GFP_THISNODE,
					  numa_mem_id(), &nodes);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, page_to_nid(page), numa_mem_id());
	free_offline_page_range(page_to_pfn(page), nr_pages);
}

static void free_under_spinlock(struct kunit *test)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long pfn = take_range(test, MAX_ORDER_NR_PAGES);
	struct page_counts before = count_pages();
	unsigned long flags;
	bool disabled;

	spin_lock_irqsave(&lock, flags);
	free_offline_page(pfn_to_page(pfn));
	free_offline_page_range(pfn + 1, MAX_ORDER_NR_PAGES - 1);
	disabled = irqs_disabled();
	spin_unlock_irqrestore(&lock, flags);

	KUNIT_EXPECT_TRUE(test, disabled);
	expect_freed(test, pfn, MAX_ORDER_NR_PAGES);
	expect_taken(test, pfn, before, -MAX_ORDER_NR_PAGES);
}

static unsigned long irq_pfn;
static bool irq_was_hard;

static void free_in_irq_work(struct irq_work *work)
{
	irq_was_hard = in_hardirq();
	free_offline_page_range(irq_pfn, 64);
}

static void free_in_interrupt(struct kunit *test)
{
	static struct irq_work work = IRQ_WORK_INIT(free_in_irq_work);
	struct page_counts before;

	irq_pfn = take_pages(test, 64);
	before = count_pages();
	irq_work_queue(&work);
	irq_work_sync(&work);

	KUNIT_EXPECT_TRUE(test, irq_was_hard || IS_ENABLED(CONFIG_PREEMPT_RT));
	expect_freed(test, irq_pfn, 64);
	expect_taken(test, irq_pfn, before, -64);
}

static void flags_are_independent(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = take_pages(test, nr_pages);
	unsigned long i;

	/* A part of the range, and nothing else. */
	set_offline_page_range_skippable(pfn + 16, 16);
	expect_offline(test, pfn, 16, PLAIN);
	expect_offline(test, pfn + 16, 16, SKIPPABLE);
	expect_offline(test, pfn + 32, 32, PLAIN);

	for (i = 24; i < 40; i++)
		set_bit(PG_offline_never_onlined, &pfn_to_page(pfn + i)->flags.f);
	expect_offline(test, pfn + 16, 8, SKIPPABLE);
	expect_offline(test, pfn + 24, 8, SKIPPABLE | NEVER_ONLINED);
	expect_offline(test, pfn + 32, 8, NEVER_ONLINED);

	clear_offline_page_range_skippable(pfn, nr_pages);
	expect_offline(test, pfn, 24, PLAIN);
	expect_offline(test, pfn + 24, 16, NEVER_ONLINED);
	expect_offline(test, pfn + 40, 24, PLAIN);

	/* They were allocated after all, and have to be freed that way. */
	for (i = 24; i < 40; i++)
		page_offline_clear_never_onlined(pfn_to_page(pfn + i));
	set_offline_page_range_skippable(pfn, nr_pages);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
}

/* page_is_unmovable(): nobody but memory offlining may skip, with consent. */
static void unmovable_truth_table(struct kunit *test)
{
	static const enum pb_isolate_mode modes[] = {
		PB_ISOLATE_MODE_MEM_OFFLINE,
		PB_ISOLATE_MODE_CMA_ALLOC,
		PB_ISOLATE_MODE_OTHER,
	};
	struct page *page = alloc_offline_page(GFP_KERNEL);
	struct zone *zones[2], *zone;
	int flags, poison, m, z;
	bool expected;

	KUNIT_ASSERT_NOT_NULL(test, page);
	zone = page_zone(page);
	zones[0] = zone;
	zones[1] = &zone->zone_pgdat->node_zones[ZONE_MOVABLE];

	for (flags = 0; flags < 4; flags++) {
		assign_bit(PG_offline_never_onlined, &page->flags.f,
			   flags & NEVER_ONLINED);
		assign_bit(PG_offline_skippable, &page->flags.f,
			   flags & SKIPPABLE);
		for (poison = 0; poison < 2; poison++) {
#ifdef CONFIG_MEMORY_FAILURE
			assign_bit(PG_hwpoison, &page->flags.f, poison);
#endif
			for (m = 0; m < ARRAY_SIZE(modes); m++)
				for (z = 0; z < ARRAY_SIZE(zones); z++) {
					unsigned long step = 1;

					expected = modes[m] != PB_ISOLATE_MODE_MEM_OFFLINE ||
						   !(flags & SKIPPABLE);
					KUNIT_EXPECT_EQ_MSG(test, expected,
							    page_is_unmovable(zones[z], page,
									      modes[m], &step),
							    "flags %d poison %d mode %d zone %d",
							    flags, poison, modes[m], z);
				}
		}
	}
#ifdef CONFIG_MEMORY_FAILURE
	ClearPageHWPoison(page);
#endif
	page_offline_clear_never_onlined(page);
	free_offline_page(page);

	/* Others are as they were. */
	page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		unsigned long step = 1;

		zone = page_zone(page);
		KUNIT_EXPECT_TRUE(test, page_is_unmovable(zone, page, modes[m],
							  &step));
		KUNIT_EXPECT_FALSE(test, page_is_unmovable(zones[1], page,
							   modes[m], &step));
		__SetPageReserved(page);
		KUNIT_EXPECT_TRUE(test, page_is_unmovable(zones[1], page,
							  modes[m], &step));
		__ClearPageReserved(page);
	}
	__free_page(page);
}

static const void *orders_gen_params(struct kunit *test, const void *prev,
				     char *desc)
{
	static unsigned int order;

	order = prev ? order + 1 : 0;
	if (order > MAX_PAGE_ORDER)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "order %u", order);
	return &order;
}

static struct kunit_case offline_page_cases[] = {
	KUNIT_CASE(page_round_trip),
	KUNIT_CASE_PARAM(pages_round_trip, orders_gen_params),
	KUNIT_CASE(pages_freed_one_by_one),
	KUNIT_CASE(pages_zeroed),
	KUNIT_CASE(range_round_trip),
	KUNIT_CASE(range_unaligned),
	KUNIT_CASE(range_of_several_allocations),
	KUNIT_CASE(contig_round_trip),
	KUNIT_CASE(contig_odd_size),
	KUNIT_CASE(contig_zeroed),
	KUNIT_CASE(contig_of_nodes),
	KUNIT_CASE(free_under_spinlock),
	KUNIT_CASE(free_in_interrupt),
	KUNIT_CASE(flags_are_independent),
	KUNIT_CASE(unmovable_truth_table),
	{}
};

static struct kunit_suite offline_page_suite = {
	.name = "offline_page",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_cases,
};

kunit_test_suite(offline_page_suite);
