// SPDX-License-Identifier: GPL-2.0
/*
 * Logically offline memory
 *
 * An offline page - PageOffline() - belongs to a section that is online, but
 * the page itself is not for the system to use: a driver took it away from
 * the buddy or never exposed it, usually because the hypervisor does not back
 * it. Its content is stale and may be inaccessible.
 *
 * An offline page has no references: its refcount is 0 for as long as it is
 * offline, so nobody can get one. It is not managed: it does not count for
 * MemTotal and the managed pages of its zone. Of its struct page, the owner may
 * use page->lru; all else belongs to mm.
 *
 *	hot-added memory --> offline, never onlined --> free_offline_page*()
 *	alloc_offline_*() -> offline -----------------> free_offline_page*()
 *
 * free_offline_page*() takes pages of either origin. Whether a page was ever
 * in the buddy matters for the way back only, where nobody else has to care:
 * PageOfflineNeverOnlined().
 *
 * Skippable: the driver that owns the page copes with its memory block being
 * offlined and onlined again: it will keep the page from the buddy when the
 * block comes back. Memory offlining skips such a page and refuses to offline
 * a block with any other offline page.
 */
#define pr_fmt(fmt) "offline pages: " fmt

#include <linux/export.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>
#include <linux/pgalloc_tag.h>

#include "internal.h"
#include "offline_page.h"
#include "page_alloc.h"

/* Flags that make no sense for a page that nobody can use, move or charge. */
#define OFFLINE_GFP_INVALID	(__GFP_COMP | __GFP_ACCOUNT | __GFP_MOVABLE)

/* Take allocated pages, frozen and not compound, offline. */
static void take_offline(unsigned long start_pfn, unsigned long nr_pages)
{
	unsigned long pfn;

	/* Pairs with whoever reads type, refcount and type again. */
	smp_wmb();
	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++)
		page_set_offline(pfn_to_page(pfn));

	adjust_managed_page_count(pfn_to_page(start_pfn), -nr_pages);
}

/**
 * alloc_offline_pages - allocate pages and take them offline
 * @gfp: GFP flags of the allocation, see below
 * @order: order of the allocation: 2^@order physically contiguous pages
 *
 * The pages are independent: each of them, and any range, may be freed on its
 * own. They do not count as managed any more.
 *
 * @gfp may ask for highmem, zeroed memory and any kind of reclaim. Offline
 * pages cannot be migrated, so __GFP_MOVABLE is refused, as are __GFP_COMP and
 * __GFP_ACCOUNT.
 *
 * The caller has to synchronize with readers of page content such as
 * /proc/kcore on its own if reading the pages could do harm, by
 * page_offline_begin() and page_offline_end(): not every caller can sleep for
 * them.
 *
 * Context: Process context; may sleep as @gfp says.
 * Return: The first of the pages, or NULL if there is no memory or @gfp is
 *	   invalid.
 */
struct page *alloc_offline_pages_noprof(gfp_t gfp, unsigned int order)
{
	const unsigned long nr_pages = 1UL << order;
	struct page *page;

	if (WARN_ON_ONCE(gfp & OFFLINE_GFP_INVALID))
		return NULL;

	page = alloc_frozen_pages_noprof(gfp, order);
	if (!page)
		return NULL;
	if (order)
		__split_page(page, order);

	take_offline(page_to_pfn(page), nr_pages);
	return page;
}
EXPORT_SYMBOL_GPL(alloc_offline_pages_noprof);

#ifdef CONFIG_CONTIG_ALLOC
/*
 * Called by alloc_contig_frozen_range() while the range is isolated: nobody who
 * isolates pages gets to see some that are neither free nor in use nor offline.
 */
void take_contig_range_offline(unsigned long start_pfn, unsigned long nr_pages)
{
	page_offline_begin();
	take_offline(start_pfn, nr_pages);
	page_offline_end();
}

/* Is the whole range online and part of one zone? */
static bool range_is_online(unsigned long start_pfn, unsigned long nr_pages)
{
	const unsigned long end_pfn = start_pfn + nr_pages;
	struct zone *zone = NULL;
	unsigned long pfn;

	if (!nr_pages || end_pfn < start_pfn)
		return false;

	for (pfn = start_pfn; pfn < end_pfn; pfn = pageblock_end_pfn(pfn)) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || (zone && page_zone(page) != zone))
			return false;
		zone = page_zone(page);
	}
	return page_zone(pfn_to_page(end_pfn - 1)) == zone;
}

/**
 * alloc_offline_page_range - allocate a given range of pages and take it offline
 * @start_pfn: first PFN of the range
 * @nr_pages: number of pages in the range
 * @gfp: GFP flags that control reclaim and migration, as for
 *	 alloc_contig_range()
 *
 * Whatever uses the pages is migrated away. As for alloc_offline_pages(), the
 * pages are independent, and do not count as managed any more. Readers of page
 * content, such as /proc/kcore, have left the pages once the function returns.
 *
 * The caller has to make sure that the memory does not go offline meanwhile,
 * usually by a lock that its memory notifier takes as well.
 *
 * Context: Process context, sleeps. Must not be called from reclaim or
 *	    migration: it waits for readers that may depend on these.
 * Return: 0 if all pages of the range are offline now. -EBUSY if one of them,
 *	   or another page in the same pageblock, is in use and cannot be
 *	   migrated, or is offline already; -ENOMEM if there is no memory to
 *	   migrate to; -EINTR if a fatal signal is pending; -EINVAL if the range
 *	   is empty, not online or not in a single zone, or @gfp is invalid.
 *	   After an error no page of the range has been allocated or taken
 *	   offline, but content may have been migrated.
 */
int alloc_offline_page_range_noprof(unsigned long start_pfn,
				    unsigned long nr_pages, gfp_t gfp)
{
	if (!range_is_online(start_pfn, nr_pages) || (gfp & __GFP_COMP))
		return -EINVAL;

	return alloc_contig_frozen_range_noprof(start_pfn, start_pfn + nr_pages,
						ACR_FLAGS_OFFLINE, gfp);
}
EXPORT_SYMBOL_GPL(alloc_offline_page_range_noprof);
#endif /* CONFIG_CONTIG_ALLOC */

/*
 * Is this a range that we can free without corrupting anything? All pages have
 * to be offline, without references, and in one zone.
 */
static bool range_is_offline(unsigned long start_pfn, unsigned long nr_pages)
{
	struct zone *zone = NULL;
	unsigned long pfn;

	if (!nr_pages || start_pfn + nr_pages < start_pfn)
		return false;

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page;

		/* The memory might be about to go online, but not online yet. */
		if ((!zone || pageblock_aligned(pfn)) && !pfn_valid(pfn))
			return false;

		/* Only a page with a type is sure to know its zone. */
		page = pfn_to_page(pfn);
		if (!PageOffline(page) || page_ref_count(page))
			return false;
		if (!zone)
			zone = page_zone(page);
		else if (page_zone(page) != zone)
			return false;
	}
	return true;
}

/* Free pages that left offline state, in the largest chunks possible. */
static void free_run(unsigned long pfn, unsigned long nr_pages,
		     bool never_onlined)
{
	while (nr_pages) {
		unsigned int order = min(MAX_PAGE_ORDER, ilog2(nr_pages));

		if (pfn)
			order = min_t(unsigned int, order, __ffs(pfn));
		__free_offline_pages(pfn_to_page(pfn), order, never_onlined);
		pfn += 1UL << order;
		nr_pages -= 1UL << order;
	}
}

/**
 * free_offline_page_range - give a range of offline pages to the buddy
 * @start_pfn: first PFN of the range
 * @nr_pages: number of pages in the range
 *
 * The pages count as managed again. They may have become offline in any way
 * and in any mixture: allocated by alloc_offline_*(), or never onlined since
 * the memory was hot-added. Skippable pages stop being so.
 *
 * A page that was poisoned meanwhile does not go to the buddy. It is not
 * offline any more, but counts as managed, like any other poisoned page.
 *
 * All pages have to be offline and in a single zone. Anything else is a bug of
 * the caller, and is refused with a warning: none of the pages is freed. The
 * memory block has to be online, or about to be: not before MEM_GOING_ONLINE
 * succeeded, nor after MEM_OFFLINE. That cannot be checked.
 *
 * Context: Any context but NMI, also with interrupts disabled or while holding
 *	    a spinlock, but not a raw spinlock. Does not sleep, other than for
 *	    spinlocks on PREEMPT_RT.
 */
void free_offline_page_range(unsigned long start_pfn, unsigned long nr_pages)
{
	unsigned long pfn, run_start = start_pfn;
	bool run_never_onlined = false;

	if (WARN_ON_ONCE(!range_is_offline(start_pfn, nr_pages))) {
		pr_warn_ratelimited("cannot free %lu pages from PFN %#lx: not all offline, or several zones\n",
				    nr_pages, start_pfn);
		return;
	}

	adjust_managed_page_count(pfn_to_page(start_pfn), nr_pages);

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);
		const bool never_onlined = PageOfflineNeverOnlined(page);
		bool free_it = true;

		/* The flags go as for any other page that is freed. */
		__ClearPageOffline(page);

		/*
		 * An allocated page has a state of its own to be undone: its
		 * neighbours need not have been allocated with it. Poisoned
		 * pages go no further than free_pages_prepare().
		 */
		if (!never_onlined) {
			free_it = free_pages_prepare(page, 0);
		} else if (PageHWPoison(page)) {
			clear_page_tag_ref(page);
			free_it = free_pages_prepare(page, 0);
		} else {
			page->flags.f &= ~PAGE_FLAGS_CHECK_AT_PREP;
		}

		if (free_it && never_onlined == run_never_onlined)
			continue;

		free_run(run_start, pfn - run_start, run_never_onlined);
		run_start = free_it ? pfn : pfn + 1;
		run_never_onlined = never_onlined;
	}
	free_run(run_start, pfn - run_start, run_never_onlined);
}
EXPORT_SYMBOL_GPL(free_offline_page_range);

/**
 * free_offline_page - give an offline page to the buddy
 * @page: the page
 *
 * See free_offline_page_range().
 *
 * Context: As free_offline_page_range().
 */
void free_offline_page(struct page *page)
{
	free_offline_page_range(page_to_pfn(page), 1);
}
EXPORT_SYMBOL_GPL(free_offline_page);

static void change_range_skippable(unsigned long start_pfn,
				   unsigned long nr_pages, bool skippable)
{
	unsigned long pfn;

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (WARN_ON_ONCE(!PageOffline(page)))
			continue;
		if (skippable)
			page_offline_set_skippable(page);
		else
			page_offline_clear_skippable(page);
	}
}

/**
 * set_offline_page_range_skippable - let memory offlining skip offline pages
 * @start_pfn: first PFN of the range
 * @nr_pages: number of pages in the range
 *
 * All pages of the range must be offline and owned by the caller. The caller
 * promises that when a memory block with these pages has been offlined and is
 * onlined again, its online_page callback keeps them offline for as long as
 * they may not be used.
 *
 * The promise binds the driver, not the page: a driver that goes away and
 * leaves offline pages behind has to take it back by
 * clear_offline_page_range_skippable() while it still gets the memory
 * notifications.
 *
 * Context: Process context. Must not be called while a memory block of the
 *	    range is going offline, that is between MEM_GOING_OFFLINE and
 *	    MEM_OFFLINE or MEM_CANCEL_OFFLINE: offlining has to see one answer
 *	    throughout. The driver's memory notifier excludes that. Does not
 *	    sleep.
 *
 * A page that is not offline is left alone, with a warning.
 */
void set_offline_page_range_skippable(unsigned long start_pfn,
				      unsigned long nr_pages)
{
	change_range_skippable(start_pfn, nr_pages, true);
}
EXPORT_SYMBOL_GPL(set_offline_page_range_skippable);

/**
 * clear_offline_page_range_skippable - keep memory offlining off offline pages
 * @start_pfn: first PFN of the range
 * @nr_pages: number of pages in the range
 *
 * Undo set_offline_page_range_skippable(): from now on, a memory block with
 * any of these pages does not offline.
 *
 * Context: As set_offline_page_range_skippable().
 *
 * A page that is not offline is left alone, with a warning.
 */
void clear_offline_page_range_skippable(unsigned long start_pfn,
					unsigned long nr_pages)
{
	change_range_skippable(start_pfn, nr_pages, false);
}
EXPORT_SYMBOL_GPL(clear_offline_page_range_skippable);
