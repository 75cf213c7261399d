// SPDX-License-Identifier: GPL-2.0
/*
 * A small balloon, as drivers were before there was an interface for offline
 * pages: the example of docs/converting-a-driver.md. There is no hypervisor
 * behind it, only the places where it would be told.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/page_ref.h>
#include <linux/xarray.h>

static bool agree;
module_param(agree, bool, 0444);
MODULE_PARM_DESC(agree, "Let memory blocks with our pages go offline");

/* Of our pages, by PFN */
static DEFINE_XARRAY(ballooned);
static unsigned long nr_ballooned;

/*
 * Pages neither come nor go while a memory block goes offline: the mutex is not
 * held so long, because memory offlining takes locks that we may wait for.
 */
static DEFINE_MUTEX(balloon_mutex);
static bool going_offline;

static int give(struct page *page)
{
	int err = xa_err(xa_store(&ballooned, page_to_pfn(page), page, GFP_KERNEL));

	if (err)
		return err;
	__SetPageOffline(page);
	adjust_managed_page_count(page, -1);
	nr_ballooned++;
	/* Here, the hypervisor would take the memory. */
	return 0;
}

static void take_back(struct page *page)
{
	/* Here, the hypervisor would give the memory back. */
	xa_erase(&ballooned, page_to_pfn(page));
	nr_ballooned--;
	if (PageDirty(page)) {
		/* Kept offline since its memory block was onlined */
		ClearPageDirty(page);
		generic_online_page(page, 0);
		return;
	}
	__ClearPageOffline(page);
	adjust_managed_page_count(page, 1);
	__free_page(page);
}

static int inflate(unsigned long nr_pages)
{
	while (nr_pages--) {
		struct page *page = alloc_page(GFP_HIGHUSER | __GFP_NORETRY |
					       __GFP_NOWARN);
		int err;

		if (!page)
			return -ENOMEM;
		err = give(page);
		if (err) {
			__free_page(page);
			return err;
		}
	}
	return 0;
}

static int inflate_range(unsigned long nr_pages, unsigned long pfn)
{
	const unsigned long end_pfn = pfn + nr_pages;
	int err;

	err = alloc_contig_range(pfn, end_pfn, ACR_FLAGS_NONE, GFP_KERNEL);
	if (err)
		return err;
	for (; pfn < end_pfn; pfn++) {
		err = give(pfn_to_page(pfn));
		if (err) {
			free_contig_range(pfn, end_pfn - pfn);
			return err;
		}
	}
	return 0;
}

static void deflate(void)
{
	struct page *page;
	unsigned long pfn;

	xa_for_each(&ballooned, pfn, page)
		if (pfn_to_online_page(pfn))
			take_back(page);
}

/* What is ours of a memory block that goes offline, or does not after all */
static void change_references(const struct memory_notify *block, bool drop)
{
	struct page *page;
	unsigned long pfn;

	xa_for_each_range(&ballooned, pfn, page, block->start_pfn,
			  block->start_pfn + block->nr_pages - 1) {
		if (!drop)
			page_ref_inc(page);
		else if (WARN_ON(!page_ref_dec_and_test(page)))
			dump_page(page, "ballooned page referenced");
	}
}

static int balloon_notify(struct notifier_block *nb, unsigned long action,
			  void *arg)
{
	mutex_lock(&balloon_mutex);
	switch (action) {
	case MEM_GOING_OFFLINE:
		going_offline = true;
		if (agree)
			change_references(arg, true);
		break;
	case MEM_CANCEL_OFFLINE:
		/* Also comes if somebody before us has refused. */
	case MEM_OFFLINE:
		if (going_offline && action == MEM_CANCEL_OFFLINE && agree)
			change_references(arg, false);
		going_offline = false;
		break;
	}
	mutex_unlock(&balloon_mutex);
	return NOTIFY_OK;
}

static struct notifier_block balloon_nb = {
	.notifier_call = balloon_notify,
};

/* Pages start offline, with a reference, when their memory block is onlined. */
static void balloon_online_page(struct page *page, unsigned int order)
{
	const unsigned long start_pfn = page_to_pfn(page);
	const unsigned long end_pfn = start_pfn + (1UL << order);
	unsigned long pfn = start_pfn;

	if (!xa_find(&ballooned, &pfn, end_pfn - 1, XA_PRESENT)) {
		generic_online_page(page, order);
		return;
	}
	for (pfn = start_pfn; pfn < end_pfn; pfn++) {
		page = pfn_to_page(pfn);
		if (xa_load(&ballooned, pfn))
			SetPageDirty(page);
		else
			generic_online_page(page, 0);
	}
}

#include "example_balloon.h"

MODULE_DESCRIPTION("A small balloon, before it was converted");
