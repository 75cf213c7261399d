// SPDX-License-Identifier: GPL-2.0
/* What the KUnit tests for logically offline memory share. */
#include <linux/gfp.h>
#include <linux/initrd.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>
#include <linux/swap.h>

#include "../internal.h"
#include "../page_alloc.h"
#include "offline_page_kunit.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "offline_page_kunit."

static unsigned long hotadd;
module_param(hotadd, ulong, 0);
MODULE_PARM_DESC(hotadd, "Physical address of two memory blocks to hot-add");

struct page_counts count_pages(void)
{
	struct page_counts counts = { .total = totalram_pages() };
	enum zone_type z;
	int nid;

	for_each_online_node(nid)
		for (z = 0; z < MAX_NR_ZONES; z++)
			counts.managed[z] +=
				zone_managed_pages(&NODE_DATA(nid)->node_zones[z]);
	return counts;
}

void expect_taken(struct kunit *test, unsigned long pfn,
		  struct page_counts before, long taken)
{
	const struct page_counts now = count_pages();
	const enum zone_type zone = page_zonenum(pfn_to_page(pfn));
	enum zone_type z;

	for (z = 0; z < MAX_NR_ZONES; z++)
		KUNIT_EXPECT_EQ(test, before.managed[z],
				now.managed[z] + (z == zone ? taken : 0));
	KUNIT_EXPECT_EQ(test, before.total, now.total + taken);
}

void expect_offline(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages, int flags)
{
	const unsigned long end_pfn = pfn + nr_pages;

	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (PageOffline(page) && !page_ref_count(page) &&
		    (flags & SKIPPABLE || !page_private(page)) &&
		    !PageReserved(page) &&
		    !folio_try_get(page_folio(page)) &&
		    PageOfflineNeverOnlined(page) == !!(flags & NEVER_ONLINED) &&
		    PageOfflineSkippable(page) == !!(flags & SKIPPABLE))
			continue;

		dump_page(page, "unexpected offline page");
		KUNIT_FAIL(test, "page %#lx is not as it should be", pfn);
		return;
	}
}

void expect_freed(struct kunit *test, unsigned long pfn, unsigned long nr_pages)
{
	const unsigned long end_pfn = pfn + nr_pages;

	/* Small chunks may still be on the lists of a CPU. */
	drain_all_pages(page_zone(pfn_to_page(pfn)));

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

struct saved_range *save_range(struct kunit *test, unsigned long pfn,
			       unsigned long nr_pages)
{
	struct saved_range *saved;
	unsigned long i;

	saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, saved);
	saved->pages = kunit_kcalloc(test, nr_pages, sizeof(*saved->pages),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, saved->pages);
	saved->pfn = pfn;
	saved->nr_pages = nr_pages;
	saved->counts = count_pages();
	for (i = 0; i < nr_pages; i++)
		if (pfn_valid(pfn + i))
			saved->pages[i] = *pfn_to_page(pfn + i);
	return saved;
}

static bool page_unchanged(const struct page *page, const struct page *before)
{
	/* The LRU may be sorted anew, and the page be marked as used. */
	if (PageLRU(before))
		return page_ref_count(page) == page_ref_count(before) &&
		       page->mapping == before->mapping &&
		       page->page_type == before->page_type &&
		       PageLRU(page);
	if (PageOffline(before) || page_ref_count(before))
		return !memcmp(page, before, sizeof(*page));
	return !PageOffline(page);
}

void expect_unchanged(struct kunit *test, const struct saved_range *before)
{
	const struct page_counts now = count_pages();
	unsigned long i;

	/* Pages that were isolated for migration may be on their way back. */
	lru_add_drain_all();

	KUNIT_EXPECT_MEMEQ(test, &now, &before->counts, sizeof(now));

	for (i = 0; i < before->nr_pages; i++) {
		struct page *page = pfn_to_page(before->pfn + i);

		if (!pfn_valid(before->pfn + i))
			continue;
		if (page_unchanged(page, &before->pages[i]) &&
		    !is_migrate_isolate_page(page))
			continue;

		dump_page(page, "unexpected change");
		KUNIT_FAIL(test, "page %#lx has changed", before->pfn + i);
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

unsigned long take_pages(struct kunit *test, unsigned long nr_pages)
{
	struct page *page = alloc_offline_pages(GFP_KERNEL, ilog2(nr_pages));

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page_to_pfn(page);
}

unsigned long take_range(struct kunit *test, unsigned long nr_pages)
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

void retake_range(struct kunit *test, unsigned long pfn, unsigned long nr_pages)
{
	int tries, rc = -EBUSY;

	for (tries = 0; rc == -EBUSY && tries < 10; tries++)
		rc = alloc_offline_page_range(pfn, nr_pages, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, rc, 0);
}

void expect_refused(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages)
{
	/* An impossible range has more pages than the test owns. */
	struct saved_range *before = save_range(test, pfn, min(nr_pages, 64));

	kunit_warning_suppress(test) {
		free_offline_page_range(pfn, nr_pages);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	expect_unchanged(test, before);
}

static unsigned long nr_added_blocks;

/* Keep all pages of the block from the buddy while it is onlined. */
static void keep_offline(struct page *page, unsigned int order)
{
}

int try_remove_blocks(void)
{
	int rc = offline_and_remove_memory(hotadd, nr_added_blocks *
					   memory_block_size_bytes());

	if (!rc)
		nr_added_blocks = 0;
	return rc;
}

void remove_blocks(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, try_remove_blocks());
}

/* After a failed test, so that the next one can begin. */
static void clean_up_blocks(void *unused)
{
	unsigned long pfn, end_pfn = PHYS_PFN(hotadd) +
				     nr_added_blocks * block_nr_pages();

	if (nr_added_blocks) {
		for (pfn = PHYS_PFN(hotadd); pfn < end_pfn; pfn++)
			if (PageOffline(pfn_to_page(pfn)))
				set_offline_page_range_skippable(pfn, 1);
		try_remove_blocks();
	}
	restore_online_page_callback(keep_offline);
}

unsigned long add_blocks(struct kunit *test, unsigned long nr_blocks)
{
	if (!hotadd)
		kunit_skip(test, "no memory to hot-add: offline_page_kunit.hotadd=");

	KUNIT_ASSERT_EQ(test, 0, set_online_page_callback(keep_offline));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, clean_up_blocks,
							   NULL));
	KUNIT_ASSERT_EQ(test, 0, add_memory(0, hotadd, nr_blocks *
					    memory_block_size_bytes(), MHP_NONE));
	nr_added_blocks = nr_blocks;
	KUNIT_ASSERT_NOT_NULL_MSG(test, pfn_to_online_page(PHYS_PFN(hotadd)),
				  "memory is not onlined automatically");
	return PHYS_PFN(hotadd);
}

int offline_page_suite_init(struct kunit_suite *suite)
{
	wait_for_initramfs();
	return 0;
}
