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
 *	reserved memory ---> offline, never onlined --> free_offline_page*()
 *	alloc_offline_*() -> offline -----------------> free_offline_page*()
 *			     offline <----------------> lent
 *
 * free_offline_page*() takes pages of any origin. Whether a page was ever in
 * the buddy matters for the way back only, where nobody else has to care:
 * PageOfflineNeverOnlined().
 *
 * Lent: the owner passes the page on to somebody who needs a struct page, but
 * not the memory behind it. For as long as it is lent, the page is not offline
 * but an ordinary one, with a reference of its owner; and still not managed.
 *
 * Skippable: the driver that owns the page copes with its memory block being
 * offlined and onlined again: it will keep the page from the buddy when the
 * block comes back. Memory offlining skips such a page and refuses to offline
 * a block with any other offline page.
 */
#define pr_fmt(fmt) "offline pages: " fmt

#include <linux/export.h>
#include <linux/log2.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>
#include <linux/pgalloc_tag.h>

#include "internal.h"
#include "offline_page.h"
#include "page_alloc.h"
#include <trace/events/offline_page.h>

/* Flags that make no sense for a page that nobody can use, move or charge. */
#define OFFLINE_GFP_INVALID	(__GFP_COMP | __GFP_ACCOUNT | __GFP_MOVABLE)

/* Account pages that are offline now, and were allocated before. */
static void account_offline(struct page *page, unsigned long nr_pages)
{
	VM_WARN_ON_ONCE(zone_managed_pages(page_zone(page)) < nr_pages);
	adjust_managed_page_count(page, -nr_pages);
	trace_offline_page_alloc(page_to_pfn(page), nr_pages, page->flags.f);
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
	struct page *page;
	unsigned long i;

	if (WARN_ON_ONCE(gfp & OFFLINE_GFP_INVALID))
		return NULL;

	page = alloc_frozen_pages_noprof(gfp, order);
	if (!page)
		return NULL;
	if (order)
		__split_page(page, order);

	/* Pairs with whoever reads type, refcount and type again. */
	smp_wmb();
	for (i = 0; i < 1UL << order; i++)
		page_set_offline(page + i);
	account_offline(page, 1UL << order);
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
	unsigned long pfn;

	page_offline_begin();
	/* Pairs with whoever reads type, refcount and type again. */
	smp_wmb();
	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++)
		page_set_offline(pfn_to_page(pfn));
	account_offline(pfn_to_page(start_pfn), nr_pages);
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

/**
 * alloc_offline_pages_contig - find a range of pages, allocate it and take it
 *				offline
 * @nr_pages: number of pages
 * @gfp: GFP flags that control the search, reclaim and migration, as for
 *	 alloc_contig_pages(), see below
 * @nid: node to begin with, or the only one if @gfp has __GFP_THISNODE
 * @nodemask: nodes to search, or NULL for all
 *
 * For physically contiguous memory of any size, wherever it is: more than the
 * buddy has in one piece. Whatever uses the pages is migrated away. If
 * @nr_pages is a power of 2, the range is aligned to its size. All else is as
 * for alloc_offline_page_range(): the pages are independent, do not count as
 * managed any more, and have been left by readers of page content.
 *
 * @gfp may ask for zeroed memory. As for alloc_offline_pages(), __GFP_COMP,
 * __GFP_ACCOUNT and __GFP_MOVABLE are refused.
 *
 * Context: Process context, sleeps. Must not be called from reclaim or
 *	    migration: it waits for readers that may depend on these.
 * Return: The first of the pages, or NULL if no such range could be allocated,
 *	   @nr_pages is 0 or @gfp is invalid.
 */
struct page *alloc_offline_pages_contig_noprof(unsigned long nr_pages, gfp_t gfp,
					       int nid, nodemask_t *nodemask)
{
	if (WARN_ON_ONCE(gfp & OFFLINE_GFP_INVALID) || !nr_pages)
		return NULL;

	return __alloc_contig_frozen_pages_noprof(nr_pages, ACR_FLAGS_OFFLINE,
						  gfp, nid, nodemask);
}
#endif /* CONFIG_CONTIG_ALLOC */

/* Skippable pages get the largest orders that are possible. */
static void set_orders(unsigned long pfn, unsigned long end_pfn)
{
	while (pfn < end_pfn) {
		unsigned int order = min_t(unsigned int, pageblock_order,
					   ilog2(end_pfn - pfn));

		if (pfn)
			order = min_t(unsigned int, order, __ffs(pfn));
		WRITE_ONCE(pfn_to_page(pfn)->private, order);
		pfn += 1UL << order;
	}
}

/* Let no order have both @pfn, which is skippable, and the page before it. */
static void split_order(unsigned long pfn)
{
	unsigned long start_pfn, end_pfn;
	unsigned int order;

	/* The other part may be somebody else's, who splits as well. */
	guard(spinlock_irqsave)(&page_zone(pfn_to_page(pfn))->lock);
	for (order = pageblock_order; order > __ffs(pfn); order--) {
		start_pfn = ALIGN_DOWN(pfn, 1UL << order);
		end_pfn = skippable_end(pfn_to_page(start_pfn), start_pfn);
		if (end_pfn > pfn) {
			set_orders(start_pfn, pfn);
			set_orders(pfn, end_pfn);
			return;
		}
	}
}

/*
 * Some of these pages may be skippable, and are about to be something else: no
 * order must have pages within the range and beyond. The pages still are what
 * they were, so that whoever changes its neighbours does the same before.
 */
static void split_orders(unsigned long start_pfn, unsigned long end_pfn)
{
	if (PageOfflineSkippable(pfn_to_page(start_pfn)) &&
	    !pageblock_aligned(start_pfn))
		split_order(start_pfn);
	if (PageOfflineSkippable(pfn_to_page(end_pfn - 1)) &&
	    !pageblock_aligned(end_pfn))
		split_order(end_pfn);
}

/* The caller owns the pages, and has split the orders: now they have none. */
static void clear_orders(unsigned long pfn, unsigned long end_pfn)
{
	while (pfn < end_pfn) {
		struct page *page = pfn_to_page(pfn);

		pfn += 1UL << page->private;
		WRITE_ONCE(page->private, 0);
	}
}

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

/*
 * Prepare pages for the buddy, for as long as they are like the first one, which
 * has @flags. Return how many that are: none if it is poisoned.
 */
static unsigned long prepare_alike(struct page *page, unsigned long nr_pages,
				   unsigned long flags)
{
	unsigned long i;

	if (flags & __PG_HWPOISON)
		return 0;

	for (i = 0; i < nr_pages; i++, page++) {
		if (page->flags.f != flags || !PageOffline(page) ||
		    page_ref_count(page))
			break;
		__ClearPageOffline(page);
		page->flags.f = flags & ~PAGE_FLAGS_CHECK_AT_PREP;
	}
	return i;
}

/*
 * Memory comes in large ranges whose pages are all alike, when it is onlined as
 * well as when it was taken from the buddy: look at each of them just once.
 * Either all are ready for the buddy afterwards, and had @flags; or, if one of
 * them is not like the first, all are as they were.
 */
static bool prepare_alike_range(unsigned long start_pfn, unsigned long nr_pages,
				unsigned long *flags)
{
	const unsigned long end_pfn = start_pfn + nr_pages;
	unsigned long next = start_pfn, end;

	if (end_pfn <= start_pfn || !pfn_valid(start_pfn))
		return false;

	*flags = READ_ONCE(pfn_to_page(start_pfn)->flags.f);
	if (*flags & BIT(PG_offline_skippable)) {
		if (!pfn_valid(end_pfn - 1))
			return false;
		split_orders(start_pfn, end_pfn);
	}
	do {
		end = min(pageblock_end_pfn(next), end_pfn);
		next += prepare_alike(pfn_to_page(next), end - next, *flags);
		if (next == end_pfn) {
			trace_offline_page_free(start_pfn, nr_pages, *flags);
			return true;
		}
	} while (next == end && pfn_valid(next));

	while (next-- > start_pfn) {
		struct page *page = pfn_to_page(next);

		/* It may have been poisoned meanwhile, and have an order. */
		set_mask_bits(&page->flags.f, 0, *flags);
		__SetPageOffline(page);
	}
	return false;
}

/* A poisoned page goes no further than free_pages_prepare(). */
static void free_poisoned(struct page *page)
{
	const bool never_onlined = PageOfflineNeverOnlined(page);

	/* The flags go as for any other page that is freed. */
	__ClearPageOffline(page);
	if (never_onlined)
		clear_page_tag_ref(page);
	free_pages_prepare(page, 0);
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
	const unsigned long end_pfn = start_pfn + nr_pages;
	unsigned long pfn, flags, nr;

	if (prepare_alike_range(start_pfn, nr_pages, &flags)) {
		if (flags & BIT(PG_offline_skippable))
			clear_orders(start_pfn, end_pfn);
		adjust_managed_page_count(pfn_to_page(start_pfn), nr_pages);
		free_run(start_pfn, nr_pages,
			 flags & BIT(PG_offline_never_onlined));
		return;
	}

	if (WARN_ON_ONCE(!range_is_offline(start_pfn, nr_pages))) {
		pr_warn_ratelimited("cannot free %lu pages from PFN %#lx: not all offline, or several zones\n",
				    nr_pages, start_pfn);
		return;
	}

	trace_offline_page_free(start_pfn, nr_pages,
				pfn_to_page(start_pfn)->flags.f);
	split_orders(start_pfn, end_pfn);
	clear_orders(start_pfn, end_pfn);
	adjust_managed_page_count(pfn_to_page(start_pfn), nr_pages);

	for (pfn = start_pfn; pfn < end_pfn; pfn += nr) {
		struct page *page = pfn_to_page(pfn);

		flags = READ_ONCE(page->flags.f);
		if (flags & __PG_HWPOISON) {
			free_poisoned(page);
			nr = 1;
			continue;
		}

		nr = min(pageblock_end_pfn(pfn), end_pfn) - pfn;
		nr = prepare_alike(page, nr, flags);
		/* The page has just been poisoned? Look at it again. */
		if (!nr && WARN_ON_ONCE(!PageOffline(page) ||
					page_ref_count(page))) {
			adjust_managed_page_count(page, pfn - end_pfn);
			return;
		}
		free_run(pfn, nr, flags & BIT(PG_offline_never_onlined));
	}
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
	const unsigned long flags = READ_ONCE(page->flags.f);

	if (!(flags & BIT(PG_offline_skippable)) &&
	    prepare_alike(page, 1, flags)) {
		trace_offline_page_free(page_to_pfn(page), 1, flags);
		adjust_managed_page_count(page, 1);
		__free_offline_pages(page, 0,
				     flags & BIT(PG_offline_never_onlined));
		return;
	}
	free_offline_page_range(page_to_pfn(page), 1);
}
EXPORT_SYMBOL_GPL(free_offline_page);

static void trace_skippable(unsigned long start_pfn, unsigned long nr_pages)
{
	trace_offline_page_skippable(start_pfn, nr_pages,
				     pfn_to_page(start_pfn)->flags.f);
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
 *	    sleep, other than for spinlocks on PREEMPT_RT.
 *
 * A page that is not offline is left alone, with a warning.
 */
void set_offline_page_range_skippable(unsigned long start_pfn,
				      unsigned long nr_pages)
{
	const unsigned long end_pfn = start_pfn + nr_pages;
	unsigned long pfn;
	bool all = true;

	split_orders(start_pfn, end_pfn);
	for (pfn = start_pfn; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (WARN_ON_ONCE(!PageOffline(page))) {
			all = false;
			continue;
		}
		if (PageOfflineSkippable(page))
			WRITE_ONCE(page->private, 0);
		page_offline_set_skippable(page);
	}
	/* Pairs with skippable_end(): the pages are what the order says. */
	smp_wmb();
	if (all)
		set_orders(start_pfn, end_pfn);
	trace_skippable(start_pfn, nr_pages);
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
	unsigned long pfn;

	split_orders(start_pfn, start_pfn + nr_pages);
	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (WARN_ON_ONCE(!PageOffline(page)))
			continue;
		page_offline_clear_skippable(page);
		WRITE_ONCE(page->private, 0);
	}
	trace_skippable(start_pfn, nr_pages);
}
EXPORT_SYMBOL_GPL(clear_offline_page_range_skippable);

/*
 * Take a range of reserved pages, with the reference that each of them has had
 * since boot, and leave them without any; or leave all of them as they are.
 */
static bool freeze_reserved_range(unsigned long start_pfn,
				  unsigned long nr_pages)
{
	unsigned long pfn;

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;

		if (!page || !PageReserved(page) || page_has_type(page) ||
		    page_private(page) || !page_ref_freeze(page, 1))
			goto undo;
	}
	return true;

undo:
	while (pfn-- > start_pfn)
		page_ref_unfreeze(pfn_to_page(pfn), 1);
	return false;
}

/**
 * adopt_offline_page_range - take over reserved memory as offline pages
 * @start_pfn: first PFN of the range
 * @nr_pages: number of pages in the range
 *
 * For memory that is part of the memory map since boot, but was reserved and
 * never exposed to the buddy because there is nothing behind it. It has to
 * belong to the caller. From now on, the pages are offline and were never
 * onlined, as those of a hot-added memory block. They are not reserved any
 * more. Neither before nor after do they count as managed.
 *
 * All pages have to be reserved and in no other use. Anything else is a bug of
 * the caller, and is refused with a warning.
 *
 * Context: Process context, once initcalls are run. Does not sleep.
 * Return: 0 if all pages of the range are offline now, or -EINVAL. After an
 *	   error, all of them are as they were.
 */
int adopt_offline_page_range(unsigned long start_pfn, unsigned long nr_pages)
{
	unsigned long pfn;

	if (WARN_ON_ONCE(!freeze_reserved_range(start_pfn, nr_pages)))
		return -EINVAL;

	/* Pairs with whoever reads type, refcount and type again. */
	smp_wmb();
	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		ClearPageReserved(page);
		page_offline_set_never_onlined(page);
		page_set_offline(page);
	}
	trace_offline_page_adopt(start_pfn, nr_pages,
				 pfn_to_page(start_pfn)->flags.f);
	return 0;
}
EXPORT_SYMBOL_GPL(adopt_offline_page_range);

#ifdef CONFIG_MEMORY_HOTREMOVE
/*
 * The counter of the memory block that a page is in. The block is there: a page
 * that is lent, or offline and not skippable, keeps it online.
 */
static unsigned long add_lent(unsigned long pfn, long change)
{
	struct memory_block *block = memory_block_get(pfn_to_block_id(pfn));
	unsigned long lent;

	if (WARN_ON_ONCE(!block))
		return 0;
	lent = atomic_long_add_return(change, &block->lent);
	memory_block_put(block);
	return lent;
}

/*
 * Nothing tells a lent page from others that are in use, so that they are
 * counted, for memory offlining. At any time, a page is offline or counted: the
 * atomic operation is a full barrier.
 */
static void count_lent(struct page *page, bool lend)
{
	const unsigned long lent = add_lent(page_to_pfn(page),
					    lend ? (long)BIT(32) + 1 : -1);

	VM_WARN_ON_ONCE_PAGE((lent & PAGES_LENT) >
			     PHYS_PFN(memory_block_size_bytes()), page);
}

/*
 * How many pages are lent of the memory block that a page is in, in PAGES_LENT.
 * If that is none and the function returns the same once more, none was lent in
 * between.
 */
unsigned long lent_pages(unsigned long pfn)
{
	/* A full barrier as well, for what the caller reads before and after. */
	return add_lent(pfn, 0);
}
#else
static void count_lent(struct page *page, bool lend)
{
}
#endif

/**
 * lend_offline_page - make an offline page an ordinary one for a while
 * @page: the page
 *
 * The page has one reference then, that of the caller, and neither a type nor
 * flags: it can be mapped to user space, and whoever gets it may take more
 * references. It is not managed, and must not be freed: the last reference is
 * the caller's, who gives it up by take_back_offline_page(). It is up to the
 * caller that nobody reads or writes the page without anything behind it.
 *
 * While the page is lent, its memory block does not go offline.
 *
 * The page has to be offline and owned by the caller. Anything else is a bug of
 * the caller, and is refused with a warning. page->lru remains the caller's.
 *
 * Context: As free_offline_page_range(). Cannot fail.
 */
void lend_offline_page(struct page *page)
{
	if (WARN_ON_ONCE(!PageOffline(page) || page_ref_count(page)))
		return;

	trace_offline_page_lend(page_to_pfn(page), 1, page->flags.f);
	split_orders(page_to_pfn(page), page_to_pfn(page) + 1);
	count_lent(page, true);
	/*
	 * When it comes back, nobody knows any more that it was never onlined,
	 * and it will be freed like a page that was allocated.
	 */
	if (PageOfflineNeverOnlined(page))
		clear_page_tag_ref(page);
	page_clear_offline(page);
	/* Whoever gets a reference finds an ordinary page. */
	page_ref_unfreeze(page, 1);
}
EXPORT_SYMBOL_GPL(lend_offline_page);

/**
 * take_back_offline_page - take a lent page offline again
 * @page: the page
 *
 * Undo lend_offline_page(), unless there are references besides that of the
 * caller. Those may come from anybody who walks PFNs, and be gone a moment
 * later; or from the one whom the page was lent to, or who got it from there,
 * and stay. All the caller can do is to keep the page and to try again.
 *
 * Flags that the page got while it was lent go, but for that of a poisoned
 * page.
 *
 * Context: Any context. Does not sleep.
 * Return: True if the page is offline, false if there are other references and
 *	   the page is still lent.
 */
bool take_back_offline_page(struct page *page)
{
	if (!page_ref_freeze(page, 1))
		return false;

	VM_WARN_ON_ONCE_PAGE(page_has_type(page), page);
	VM_WARN_ON_ONCE_PAGE(page->mapping, page);
	VM_WARN_ON_ONCE_PAGE(page->flags.f & PAGE_FLAGS_CHECK_AT_FREE, page);

	/* Some of the flags mean something else for offline pages. */
	set_mask_bits(&page->flags.f, PAGE_FLAGS_CHECK_AT_PREP, 0);
	set_page_private(page, 0);
	/* Pairs with whoever reads type, refcount and type again. */
	smp_wmb();
	page_set_offline(page);
	trace_offline_page_take_back(page_to_pfn(page), 1, page->flags.f);
	count_lent(page, false);
	return true;
}
EXPORT_SYMBOL_GPL(take_back_offline_page);

/**
 * exclude_live_page_from_kdump - have tools leave a page in use out of a dump
 * @page: the page
 *
 * Give a page that is in use the type of an offline page, so that dump tools in
 * the kdump kernel do not read it. The page keeps its references, flags and
 * content, and counts as managed: it is offline for those tools only. This is
 * for the way into the kdump kernel, and there is no way back.
 *
 * Context: While the machine shuts down, with all other CPUs stopped. Does not
 *	    sleep, and takes no locks.
 */
void exclude_live_page_from_kdump(struct page *page)
{
	__SetPageOffline(page);
}
