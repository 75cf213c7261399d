/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Logically offline memory, for the core of mm. Drivers use
 * include/linux/offline_page.h.
 */
#ifndef _MM_OFFLINE_PAGE_H
#define _MM_OFFLINE_PAGE_H

#include <linux/gfp.h>
#include <linux/mmdebug.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

/*
 * The setters of both types are here, and not with all others in page-flags.h,
 * because a page that gets or loses one of them changes its owner: only mm/ does
 * that.
 */
PAGE_TYPE_SET(Offline, offline)
PAGE_TYPE_SET(MovableOffline, movable_offline)

/*
 * A page of a memory block that is about to be onlined: offline, without a
 * reference, and unknown to the buddy. Only for a struct page that is just being
 * initialized, and that nobody else can see yet. So plain stores do, and the
 * compiler can merge them with others: a hot-added terabyte has 2^28 such pages.
 */
static inline void page_init_never_onlined(struct page *page)
{
	page->page_type = UINT_MAX;
	__SetPageOffline(page);
	page->flags.f |= BIT(PG_offline_never_onlined);
}

/*
 * The flags of an offline page change by atomic operations: memory_failure()
 * may set PG_hwpoison in the same word at any time.
 */
static inline void page_offline_set_skippable(struct page *page)
{
	set_bit(PG_offline_skippable, &page->flags.f);
}

static inline void page_offline_set_never_onlined(struct page *page)
{
	set_bit(PG_offline_never_onlined, &page->flags.f);
}

static inline void page_offline_clear_never_onlined(struct page *page)
{
	clear_bit(PG_offline_never_onlined, &page->flags.f);
}

static inline void page_offline_clear_skippable(struct page *page)
{
	clear_bit(PG_offline_skippable, &page->flags.f);
}

/*
 * Pages that memory offlining may skip usually come in large ranges. The first
 * one of 2^order such pages, aligned to that, has the order in page->private; in
 * all others that is 0. So who walks a memory block that goes offline need not
 * look at each of them. The order is at most that of a pageblock.
 *
 * It is a hint: before an owner changes a part of the pages, that part has no
 * order in common with others any more, see split_orders(). Who does not exclude
 * the owner may skip a page that was skippable a moment ago.
 */
static inline unsigned long skippable_end(const struct page *page,
					  unsigned long pfn)
{
	unsigned long order;

	if (!PageOfflineSkippable(page))
		return pfn;
	/* Pairs with set_offline_page_range_skippable(): an order, or 0. */
	smp_rmb();
	order = READ_ONCE(page->private);
	/* Only if the page still is skippable, it was one of such pages. */
	smp_rmb();
	if (!PageOfflineSkippable(page))
		return pfn;
	return pfn + (order <= pageblock_order ? 1UL << order : 1);
}

/*
 * The end of a run of pages that memory offlining may skip: the first PFN from
 * @pfn on, or @end_pfn, that is not of such a page. Runs are long (what a
 * hypervisor does not back), so that all who walk a memory block that goes
 * offline pass them in this one small loop.
 */
static inline unsigned long skippable_run_end(unsigned long pfn,
					      unsigned long end_pfn)
{
	while (pfn < end_pfn) {
		const unsigned long next = skippable_end(pfn_to_page(pfn), pfn);

		if (next == pfn)
			return pfn;
		pfn = next;
	}
	return end_pfn;
}

/*
 * Make an offline page an ordinary one, without a reference. Only for a page
 * that stays in use: the free path clears the flags of offline pages like all
 * others. The type goes first: without it, the flags mean something else.
 */
static inline void page_clear_offline(struct page *page)
{
	__ClearPageOffline(page);
	page_offline_clear_never_onlined(page);
	page_offline_clear_skippable(page);
}

/*
 * Take a page without references offline. A write barrier has to separate this
 * from the store that took the last reference: whoever finds the type twice
 * and reads the refcount in between must find 0.
 */
static inline void page_set_offline(struct page *page)
{
	VM_WARN_ON_ONCE_PAGE(page_ref_count(page), page);
	VM_WARN_ON_ONCE_PAGE(page_private(page), page);
	VM_WARN_ON_ONCE_PAGE(PageReserved(page), page);
	__SetPageOffline(page);
}

/*
 * For alloc_contig_frozen_range(), by alloc_offline_page_range() and
 * alloc_offline_pages_contig() alone: take the range offline. The flags for
 * everybody are in gfp.h, counted from below.
 */
#define ACR_FLAGS_OFFLINE	((__force acr_flags_t)BIT(31))

/* What lent_pages() tells: how many pages are lent. Above: how often one was. */
#define PAGES_LENT	GENMASK(31, 0)

#if defined(CONFIG_OFFLINE_PAGE) && defined(CONFIG_MEMORY_HOTREMOVE)
unsigned long lent_pages(unsigned long pfn);
#else
static inline unsigned long lent_pages(unsigned long pfn)
{
	return 0;
}
#endif

#ifdef CONFIG_OFFLINE_PAGE
void take_contig_range_offline(unsigned long start_pfn, unsigned long nr_pages);
#else
static inline void take_contig_range_offline(unsigned long start_pfn,
					     unsigned long nr_pages)
{
}
#endif

#ifdef CONFIG_MEMORY_HOTREMOVE
void report_unskippable_page(struct page *page);
#else
static inline void report_unskippable_page(struct page *page)
{
}
#endif

#endif /* _MM_OFFLINE_PAGE_H */
