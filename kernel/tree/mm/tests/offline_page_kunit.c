// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory, with the real page allocator.
 *
 * The suite offline_page takes ordinary memory offline. The suite
 * offline_page_hotplug needs memory to hot-add: a memory block of RAM that the
 * kernel does not know of (memmap=nn%ss-1 hides it on x86), whose address is
 * given as offline_page_kunit.hotadd=ADDRESS, and memory that is onlined
 * automatically (memhp_default_state=online_movable).
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/initrd.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>

#include "../internal.h"
#include "../offline_page.h"

static unsigned long hotadd;
module_param(hotadd, ulong, 0);
MODULE_PARM_DESC(hotadd, "Physical address of a memory block to hot-add");

/* What the system believes to have, in pages. */
struct counts {
	unsigned long managed;
	unsigned long total;
};

static struct counts count(unsigned long pfn)
{
	return (struct counts) {
		.managed = zone_managed_pages(page_zone(pfn_to_page(pfn))),
		.total = totalram_pages(),
	};
}

/* Expect @taken pages less than @before. */
static void expect_taken(struct kunit *test, unsigned long pfn,
			 struct counts before, unsigned long taken)
{
	const struct counts now = count(pfn);

	KUNIT_EXPECT_EQ(test, before.managed, now.managed + taken);
	KUNIT_EXPECT_EQ(test, before.total, now.total + taken);
}

enum {
	PLAIN		= 0,
	NEVER_ONLINED	= 1,
	SKIPPABLE	= 2,
};

/* Expect all pages to be offline with these flags, and beyond reach. */
static void expect_offline(struct kunit *test, unsigned long pfn,
			   unsigned long nr_pages, int flags)
{
	const unsigned long end_pfn = pfn + nr_pages;

	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (PageOffline(page) && !page_ref_count(page) &&
		    !page_private(page) && !PageReserved(page) &&
		    !folio_try_get(page_folio(page)) &&
		    PageOfflineNeverOnlined(page) == !!(flags & NEVER_ONLINED) &&
		    PageOfflineSkippable(page) == !!(flags & SKIPPABLE))
			continue;

		dump_page(page, "unexpected offline page");
		KUNIT_FAIL(test, "page %#lx is not as it should be", pfn);
		return;
	}
}

/* Expect all pages to be back, with nothing left that tells where they were. */
static void expect_freed(struct kunit *test, unsigned long pfn,
			 unsigned long nr_pages)
{
	const unsigned long end_pfn = pfn + nr_pages;

	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!PageOffline(page) &&
		    !test_bit(PG_offline_never_onlined, &page->flags.f) &&
		    !test_bit(PG_offline_skippable, &page->flags.f) &&
		    is_free_buddy_page(page) && !page_ref_count(page) &&
		    (PageBuddy(page) || !page_has_type(page)))
			continue;

		dump_page(page, "unexpected free page");
		KUNIT_FAIL(test, "page %#lx is not as it should be", pfn);
		return;
	}
}

/* A PFN from where on 2^order pages were free a moment ago. */
static unsigned long free_range(struct kunit *test, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	__free_pages(page, order);
	return page_to_pfn(page);
}

/* Take a few pages offline: a power of 2. */
static unsigned long take_pages(struct kunit *test, unsigned long nr_pages)
{
	struct page *page = alloc_offline_pages(GFP_KERNEL, ilog2(nr_pages));

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page_to_pfn(page);
}

/* Take whole pageblocks offline: they may have been in use. */
static unsigned long take_range(struct kunit *test, unsigned long nr_pages)
{
	unsigned long pfn = 0;
	int tries, rc = -EBUSY;

	for (tries = 0; rc == -EBUSY && tries < 10; tries++) {
		pfn = free_range(test, order_base_2(nr_pages));
		rc = alloc_offline_page_range(pfn, nr_pages, GFP_KERNEL);
	}
	KUNIT_ASSERT_EQ(test, rc, 0);
	return pfn;
}

static void page_round_trip(struct kunit *test)
{
	const unsigned long total = totalram_pages();
	struct counts before;
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	expect_offline(test, pfn, 1, PLAIN);

	before = count(pfn);
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
	struct counts before;
	struct page *page;
	unsigned long pfn;

	page = alloc_offline_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	expect_offline(test, pfn, nr_pages, PLAIN);
	before = count(pfn);
	KUNIT_EXPECT_EQ(test, total, before.total + nr_pages);

	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
}

/* The pages of one allocation are independent of each other. */
static void pages_freed_one_by_one(struct kunit *test)
{
	const unsigned int order = 4;
	struct counts before;
	struct page *page;
	unsigned long pfn, i;

	page = alloc_offline_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	before = count(pfn);

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
	struct counts before = count(pfn);

	expect_offline(test, pfn, nr_pages, PLAIN);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);
}

/* Take a range that was free a moment ago. */
static void retake_range(struct kunit *test, unsigned long pfn,
			 unsigned long nr_pages)
{
	int tries, rc = -EBUSY;

	for (tries = 0; rc == -EBUSY && tries < 10; tries++)
		rc = alloc_offline_page_range(pfn, nr_pages, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, rc, 0);
}

/* Neither start nor end are aligned to anything, and it crosses pageblocks. */
static void range_unaligned(struct kunit *test)
{
	const unsigned long whole = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, whole) + 3;
	unsigned long nr_pages = whole - 3 - 5;
	unsigned long most = nr_pages - 321;
	struct counts before;

	free_offline_page_range(pfn - 3, whole);
	before = count(pfn);
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
	struct counts before;
	unsigned long i;

	free_offline_page_range(pfn, nr_pages);
	before = count(pfn);
	for (i = 0; i < nr_pages; i += pageblock_nr_pages)
		retake_range(test, pfn + i, pageblock_nr_pages);
	expect_taken(test, pfn, before, nr_pages);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, 0);
}

static void range_errors(struct kunit *test)
{
	const unsigned long nr_pages = pageblock_nr_pages;
	unsigned long pfn = take_range(test, nr_pages);
	struct counts before = count(pfn);
	struct page *page;

	/* Already offline, in part or as a whole, in any way. */
	KUNIT_EXPECT_EQ(test, -EBUSY, alloc_offline_page_range(pfn, nr_pages,
							       GFP_KERNEL));
	set_offline_page_range_skippable(pfn, nr_pages);
	KUNIT_EXPECT_EQ(test, -EBUSY, alloc_offline_page_range(pfn, 1,
							       GFP_KERNEL));
	expect_offline(test, pfn, nr_pages, SKIPPABLE);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			alloc_offline_page_range(pfn, 0, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			alloc_offline_page_range(pfn, -1UL, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			alloc_offline_page_range(pfn, nr_pages,
						 GFP_KERNEL | __GFP_COMP));
	/* Beyond all memory. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			alloc_offline_page_range(1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT),
						 1, GFP_KERNEL));
	expect_taken(test, pfn, before, 0);
	free_offline_page_range(pfn, nr_pages);

	/* In use, and not to be moved. */
	page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	before = count(page_to_pfn(page));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			alloc_offline_page_range(page_to_pfn(page), 1,
						 GFP_KERNEL));
	KUNIT_EXPECT_FALSE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	expect_taken(test, page_to_pfn(page), before, 0);
	__free_page(page);
}

static void gfp_refused(struct kunit *test)
{
	static const gfp_t refused[] = {
		__GFP_COMP, __GFP_MOVABLE, __GFP_ACCOUNT,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		kunit_warning_suppress(test) {
			KUNIT_EXPECT_NULL(test, alloc_offline_page(GFP_KERNEL |
								   refused[i]));
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
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

/* Expect that freeing is refused with one warning and changes nothing. */
static void expect_refused(struct kunit *test, unsigned long pfn,
			   unsigned long nr_pages, unsigned long counted_pfn)
{
	struct counts before = count(counted_pfn);

	kunit_warning_suppress(test) {
		free_offline_page_range(pfn, nr_pages);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	expect_taken(test, counted_pfn, before, 0);
}

static void misuse_is_refused(struct kunit *test)
{
	const unsigned long nr_pages = 64;
	unsigned long pfn = take_pages(test, nr_pages);
	struct page *page;

	/* An empty range, one that wraps around, one beyond all memory. */
	expect_refused(test, pfn, 0, pfn);
	expect_refused(test, pfn, -1UL, pfn);
	expect_refused(test, 1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT), 1, pfn);
	expect_offline(test, pfn, nr_pages, PLAIN);

	/* A page in use. */
	page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	expect_refused(test, page_to_pfn(page), 1, pfn);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	__free_page(page);

	/* A stranger among offline pages: free in the buddy. */
	free_offline_page(pfn_to_page(pfn + 13));
	expect_refused(test, pfn, nr_pages, pfn);
	expect_offline(test, pfn, 13, PLAIN);
	expect_offline(test, pfn + 14, nr_pages - 14, PLAIN);

	/* Twice. */
	free_offline_page_range(pfn, 13);
	free_offline_page_range(pfn + 14, nr_pages - 14);
	expect_freed(test, pfn, nr_pages);
	expect_refused(test, pfn, nr_pages, pfn);
	expect_refused(test, pfn, 1, pfn);
	expect_freed(test, pfn, nr_pages);
}

/* An offline page that somebody gave a reference must not get into the buddy. */
static void reference_is_refused(struct kunit *test)
{
	unsigned long pfn = take_pages(test, 4);

	set_page_count(pfn_to_page(pfn + 2), 1);
	expect_refused(test, pfn, 4, pfn);
	KUNIT_EXPECT_TRUE(test, PageOffline(pfn_to_page(pfn)));

	set_page_count(pfn_to_page(pfn + 2), 0);
	free_offline_page_range(pfn, 4);
	expect_freed(test, pfn, 4);
}

#ifdef CONFIG_MEMORY_FAILURE
/* Free @nr_pages pages of which one is poisoned. */
static void free_poisoned_at(struct kunit *test, unsigned long nr_pages,
			     unsigned long at)
{
	unsigned long pfn = take_pages(test, nr_pages);
	struct page *poisoned = pfn_to_page(pfn + at);
	struct counts before = count(pfn);

	set_offline_page_range_skippable(pfn, nr_pages);
	SetPageHWPoison(poisoned);
	free_offline_page_range(pfn, nr_pages);

	expect_freed(test, pfn, at);
	expect_freed(test, pfn + at + 1, nr_pages - at - 1);
	expect_taken(test, pfn, before, -nr_pages);

	KUNIT_EXPECT_TRUE(test, PageHWPoison(poisoned));
	KUNIT_EXPECT_FALSE(test, page_has_type(poisoned));
	KUNIT_EXPECT_FALSE(test, is_free_buddy_page(poisoned));
	KUNIT_EXPECT_EQ(test, page_ref_count(poisoned), 0);
	KUNIT_EXPECT_FALSE(test, test_bit(PG_offline_skippable,
					  &poisoned->flags.f));

	/* As unpoison_memory() would. */
	ClearPageHWPoison(poisoned);
	init_page_count(poisoned);
	__free_page(poisoned);
}

static void poison_stays_out(struct kunit *test)
{
	free_poisoned_at(test, MAX_ORDER_NR_PAGES, 0);
	free_poisoned_at(test, MAX_ORDER_NR_PAGES, MAX_ORDER_NR_PAGES / 3);
	free_poisoned_at(test, MAX_ORDER_NR_PAGES, MAX_ORDER_NR_PAGES - 1);
	free_poisoned_at(test, 1, 0);
}
#endif

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

/* Nobody else allocates and frees much while the tests run. */
static int offline_page_suite_init(struct kunit_suite *suite)
{
	wait_for_initramfs();
	return 0;
}

static struct kunit_case offline_page_cases[] = {
	KUNIT_CASE(page_round_trip),
	KUNIT_CASE_PARAM(pages_round_trip, orders_gen_params),
	KUNIT_CASE(pages_freed_one_by_one),
	KUNIT_CASE(range_round_trip),
	KUNIT_CASE(range_unaligned),
	KUNIT_CASE(range_of_several_allocations),
	KUNIT_CASE(range_errors),
	KUNIT_CASE(gfp_refused),
	KUNIT_CASE(flags_are_independent),
	KUNIT_CASE(flags_need_the_type),
	KUNIT_CASE(misuse_is_refused),
	KUNIT_CASE(reference_is_refused),
#ifdef CONFIG_MEMORY_FAILURE
	KUNIT_CASE(poison_stays_out),
#endif
	KUNIT_CASE(unmovable_truth_table),
	{}
};

static struct kunit_suite offline_page_suite = {
	.name = "offline_page",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_cases,
};

/* Keep all pages of the block from the buddy while it is onlined. */
static void keep_offline(struct page *page, unsigned int order)
{
}

static void restore_online_page(void *unused)
{
	restore_online_page_callback(keep_offline);
}

/* A memory block that is online, with all of its pages offline. */
static unsigned long add_block(struct kunit *test)
{
	if (!hotadd)
		kunit_skip(test, "no memory to hot-add: offline_page_kunit.hotadd=");

	KUNIT_ASSERT_EQ(test, 0, set_online_page_callback(keep_offline));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   restore_online_page,
							   NULL));
	KUNIT_ASSERT_EQ(test, 0, add_memory(0, hotadd, memory_block_size_bytes(),
					    MHP_NONE));
	KUNIT_ASSERT_NOT_NULL_MSG(test, pfn_to_online_page(PHYS_PFN(hotadd)),
				  "memory is not onlined automatically");
	return PHYS_PFN(hotadd);
}

static int try_remove_block(void)
{
	return offline_and_remove_memory(hotadd, memory_block_size_bytes());
}

static void remove_block(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, try_remove_block());
}

/* Memory that is onlined starts offline, without a reference. */
static void block_starts_offline(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	const unsigned long total = totalram_pages();
	unsigned long pfn = add_block(test);

	KUNIT_EXPECT_EQ(test, total, totalram_pages());
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED);

	set_offline_page_range_skippable(pfn, nr_pages);
	expect_offline(test, pfn, nr_pages, NEVER_ONLINED | SKIPPABLE);
	remove_block(test);
	KUNIT_EXPECT_EQ(test, total, totalram_pages());
}

/* First exposure and freeing again, in ranges that mix both. */
static void block_round_trip(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	const unsigned long half = nr_pages / 2, quarter = nr_pages / 4;
	unsigned long pfn = add_block(test);
	struct counts before = count(pfn);

	set_offline_page_range_skippable(pfn, nr_pages);
	free_offline_page_range(pfn, half);
	expect_freed(test, pfn, half);
	expect_offline(test, pfn + half, half, NEVER_ONLINED | SKIPPABLE);
	expect_taken(test, pfn, before, -half);

	KUNIT_EXPECT_EQ(test, 0, alloc_offline_page_range(pfn + quarter, quarter,
							  GFP_KERNEL));
	expect_offline(test, pfn + quarter, quarter, PLAIN);
	expect_taken(test, pfn, before, -quarter);

	/* Allocated and never onlined ones at once. */
	free_offline_page_range(pfn + quarter + 1, half - 1);
	expect_offline(test, pfn + quarter, 1, PLAIN);
	expect_freed(test, pfn + quarter + 1, half - 1);
	expect_offline(test, pfn + 3 * quarter, quarter, NEVER_ONLINED | SKIPPABLE);
	free_offline_page_range(pfn + quarter, 1);
	free_offline_page_range(pfn + 3 * quarter, quarter);
	expect_freed(test, pfn, nr_pages);
	expect_taken(test, pfn, before, -nr_pages);

	remove_block(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}

/* One offline page without consent keeps the block, be it poisoned or not. */
static void block_needs_consent(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn = add_block(test);
	unsigned long stranger = pfn + nr_pages / 3;

	set_offline_page_range_skippable(pfn, nr_pages);
	clear_offline_page_range_skippable(stranger, 1);
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_block());
#ifdef CONFIG_MEMORY_FAILURE
	SetPageHWPoison(pfn_to_page(stranger));
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_block());
	ClearPageHWPoison(pfn_to_page(stranger));
#endif
	expect_offline(test, stranger, 1, NEVER_ONLINED);
	set_offline_page_range_skippable(stranger, 1);
	remove_block(test);
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
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn = add_block(test);

	set_offline_page_range_skippable(pfn, nr_pages);
	withdrawn_pfn = pfn + nr_pages - 1;
	KUNIT_ASSERT_EQ(test, 0, register_memory_notifier(&withdraw_nb));
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_block());
	unregister_memory_notifier(&withdraw_nb);

	expect_offline(test, pfn, nr_pages - 1, NEVER_ONLINED | SKIPPABLE);
	set_offline_page_range_skippable(withdrawn_pfn, 1);
	remove_block(test);
}

#ifdef CONFIG_MEMORY_FAILURE
/* An offline page is not managed, poisoned or not. */
static void block_poison_accounting(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	const unsigned long total = totalram_pages();
	unsigned long pfn = add_block(test);

	set_offline_page_range_skippable(pfn, nr_pages);
	SetPageHWPoison(pfn_to_page(pfn + 54));
	free_offline_page_range(pfn + nr_pages / 2, nr_pages / 2);
	KUNIT_EXPECT_EQ(test, total + nr_pages / 2, totalram_pages());
	remove_block(test);
	KUNIT_EXPECT_EQ(test, total, totalram_pages());
}

/* First exposure leaves poisoned pages out, and counts them. */
static void block_poison_stays_out(struct kunit *test)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn = add_block(test);
	struct counts before = count(pfn);
	const unsigned long at = 3 * MAX_ORDER_NR_PAGES / 2;
	struct page *poisoned = pfn_to_page(pfn + at);

	SetPageHWPoison(poisoned);
	free_offline_page_range(pfn, nr_pages);
	expect_freed(test, pfn, at);
	expect_freed(test, pfn + at + 1, nr_pages - at - 1);
	KUNIT_EXPECT_FALSE(test, page_has_type(poisoned));
	KUNIT_EXPECT_FALSE(test, is_free_buddy_page(poisoned));
	expect_taken(test, pfn, before, -nr_pages);

	remove_block(test);
	KUNIT_EXPECT_EQ(test, before.total, totalram_pages());
}
#endif

static struct kunit_case offline_page_hotplug_cases[] = {
	KUNIT_CASE(block_starts_offline),
	KUNIT_CASE(block_round_trip),
	KUNIT_CASE(block_needs_consent),
	KUNIT_CASE(block_consent_is_asked_again),
#ifdef CONFIG_MEMORY_FAILURE
	KUNIT_CASE(block_poison_accounting),
	KUNIT_CASE(block_poison_stays_out),
#endif
	{}
};

static struct kunit_suite offline_page_hotplug_suite = {
	.name = "offline_page_hotplug",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_hotplug_cases,
};

kunit_test_suites(&offline_page_suite, &offline_page_hotplug_suite);
