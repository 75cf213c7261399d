// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test for logically offline memory: pages that are exposed to the buddy
 * for the first time, and such that were allocated and are freed again, end in
 * the same state.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page_ext.h>
#include <linux/page_owner.h>
#include <linux/set_memory.h>
#include <linux/stop_machine.h>
#include <linux/vmalloc.h>

#ifdef CONFIG_KASAN
#include "../kasan/kasan.h"
#endif

#include "../internal.h"
#include "offline_page_kunit.h"

/* A page, apart from the links that a free page may or may not have. */
struct page_state {
	unsigned long flags;
	unsigned long mapping;
	unsigned long index;
	unsigned long private;
	unsigned int type;
	int refcount;
	bool mapped;
	bool owned;
	bool accessible;
};

/* An entry of a free list; they are in the order of the lists. */
struct chunk {
	unsigned long pfn;
	unsigned int order;
	unsigned int migratetype;
};

#define MAX_CHUNKS	256

struct zone_state {
	unsigned long managed;
	unsigned long total;
	unsigned long stat[NR_VM_ZONE_STAT_ITEMS];
	unsigned long nr_free[NR_PAGE_ORDERS];
	unsigned long nr_chunks;
	struct chunk chunks[MAX_CHUNKS];
	struct page_state pages[];
};

static bool page_is_owned(struct page *page)
{
	bool owned = false;
#ifdef CONFIG_PAGE_OWNER
	struct page_ext *ext;

	if (!static_branch_unlikely(&page_owner_inited))
		return false;
	ext = page_ext_get(page);
	if (ext)
		owned = test_bit(PAGE_EXT_OWNER_ALLOCATED, &ext->flags);
	page_ext_put(ext);
#endif
	return owned;
}

static bool page_is_accessible(struct page *page)
{
#ifdef CONFIG_KASAN
	return kasan_byte_accessible(page_address(page));
#else
	return false;
#endif
}

static void save_zone(struct zone *zone, struct zone_state *state,
		      unsigned long pfn, unsigned long nr_pages)
{
	unsigned int order, mt;
	unsigned long i;

	state->managed = zone_managed_pages(zone);
	state->total = totalram_pages();
	for (i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
		state->stat[i] = zone_page_state_snapshot(zone, i);

	state->nr_chunks = 0;
	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		struct free_area *area = &zone->free_area[order];
		struct page *page;

		state->nr_free[order] = area->nr_free;
		for (mt = 0; mt < MIGRATE_TYPES; mt++)
			list_for_each_entry(page, &area->free_list[mt], buddy_list) {
				if (state->nr_chunks == MAX_CHUNKS)
					return;
				state->chunks[state->nr_chunks++] = (struct chunk) {
					.pfn = page_to_pfn(page),
					.order = order,
					.migratetype = mt,
				};
			}
	}

	for (i = 0; i < nr_pages; i++) {
		struct page *page = pfn_to_page(pfn + i);

		state->pages[i] = (struct page_state) {
			.flags = page->flags.f,
			.mapping = (unsigned long)page->mapping,
			.index = page->__folio_index,
			.private = page->private,
			.type = page->page_type,
			.refcount = page_ref_count(page),
			.mapped = kernel_page_present(page),
			.owned = page_is_owned(page),
			.accessible = page_is_accessible(page),
		};
	}
}

struct free_and_save {
	unsigned long pfn;
	unsigned long nr_pages;
	struct zone_state *state;
};

/*
 * Nobody can allocate a page before we have seen them all: the other CPUs are
 * stopped. Free the second half first: it has to stay in front.
 */
static int free_and_save(void *arg)
{
	struct free_and_save *range = arg;
	const unsigned long half = range->nr_pages / 2;

	free_offline_page_range(range->pfn + half, half);
	free_offline_page_range(range->pfn, half);
	save_zone(page_zone(pfn_to_page(range->pfn)), range->state, range->pfn,
		  range->nr_pages);
	return 0;
}

static void free_state(void *state)
{
	vfree(state);
}

static struct zone_state *make_state(struct kunit *test, unsigned long nr_pages)
{
	struct zone_state *state = vzalloc(struct_size(state, pages, nr_pages));

	KUNIT_ASSERT_NOT_NULL(test, state);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_state,
							   state));
	return state;
}

static void expect_same_page(struct kunit *test, unsigned long pfn,
			     const struct page_state *fresh,
			     const struct page_state *again)
{
	KUNIT_EXPECT_EQ_MSG(test, fresh->flags, again->flags, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->mapping, again->mapping, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->index, again->index, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->private, again->private, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->type, again->type, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->refcount, again->refcount, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->mapped, again->mapped, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->owned, again->owned, "PFN %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, fresh->accessible, again->accessible,
			    "PFN %#lx", pfn);
}

static void expect_same_zone(struct kunit *test, const struct zone_state *fresh,
			     const struct zone_state *again)
{
	unsigned long i;

	KUNIT_EXPECT_EQ(test, fresh->managed, again->managed);
	KUNIT_EXPECT_EQ(test, fresh->total, again->total);
	for (i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
		KUNIT_EXPECT_EQ_MSG(test, fresh->stat[i], again->stat[i],
				    "zone counter %lu", i);
	for (i = 0; i < NR_PAGE_ORDERS; i++)
		KUNIT_EXPECT_EQ_MSG(test, fresh->nr_free[i], again->nr_free[i],
				    "order %lu", i);

	KUNIT_EXPECT_LT(test, fresh->nr_chunks, MAX_CHUNKS);
	KUNIT_ASSERT_EQ(test, fresh->nr_chunks, again->nr_chunks);
	for (i = 0; i < fresh->nr_chunks; i++) {
		KUNIT_EXPECT_EQ(test, fresh->chunks[i].pfn, again->chunks[i].pfn);
		KUNIT_EXPECT_EQ(test, fresh->chunks[i].order,
				again->chunks[i].order);
		KUNIT_EXPECT_EQ(test, fresh->chunks[i].migratetype,
				again->chunks[i].migratetype);
	}
}

static void block_exposed_as_freed(struct kunit *test)
{
	const unsigned long nr_pages = block_nr_pages();
	unsigned long pfn = add_blocks(test, 1), i;
	struct zone *zone = page_zone(pfn_to_page(pfn));
	struct zone_state *fresh = make_state(test, nr_pages);
	struct zone_state *again = make_state(test, nr_pages);
	struct free_and_save range = {
		.pfn = pfn, .nr_pages = nr_pages, .state = fresh,
	};

	/* Whatever is in the zone, is ours. */
	KUNIT_ASSERT_EQ(test, zone->present_pages, nr_pages);
	KUNIT_ASSERT_EQ(test, zone_managed_pages(zone), 0);

	expect_offline(test, pfn, nr_pages, NEVER_ONLINED);
	stop_machine(free_and_save, &range, NULL);

	/* In order, the first half at the tail of the lists. */
	KUNIT_ASSERT_EQ(test, fresh->nr_chunks, nr_pages / MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_EQ(test, fresh->chunks[0].pfn, pfn + nr_pages / 2);
	KUNIT_EXPECT_EQ(test, fresh->chunks[fresh->nr_chunks - 1].pfn,
			pfn + nr_pages / 2 - MAX_ORDER_NR_PAGES);

	retake_range(test, pfn, nr_pages);
	expect_offline(test, pfn, nr_pages, PLAIN);
	range.state = again;
	stop_machine(free_and_save, &range, NULL);

	expect_same_zone(test, fresh, again);
	/* One page that differs is enough to read about. */
	for (i = 0; i < nr_pages && test->status != KUNIT_FAILURE; i++)
		expect_same_page(test, pfn + i, &fresh->pages[i],
				 &again->pages[i]);
	remove_blocks(test);
}

static struct kunit_case offline_page_compare_cases[] = {
	KUNIT_CASE(block_exposed_as_freed),
	{}
};

static struct kunit_suite offline_page_compare_suite = {
	.name = "offline_page_compare",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_compare_cases,
};

kunit_test_suite(offline_page_compare_suite);
