// SPDX-License-Identifier: GPL-2.0
/*
 * The small balloon of docs/converting-a-driver.md, on the interface for
 * offline pages. There is no hypervisor behind it, only the places where it
 * would be told.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/offline_page.h>
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
	const unsigned long pfn = page_to_pfn(page);
	int err = xa_err(xa_store(&ballooned, pfn, page, GFP_KERNEL));

	if (err)
		return err;
	if (agree)
		set_offline_page_range_skippable(pfn, 1);
	nr_ballooned++;
	/* Here, the hypervisor would take the memory. */
	return 0;
}

static void take_back(struct page *page)
{
	/* Here, the hypervisor would give the memory back. */
	xa_erase(&ballooned, page_to_pfn(page));
	nr_ballooned--;
	free_offline_page(page);
}

static int inflate(unsigned long nr_pages)
{
	while (nr_pages--) {
		struct page *page = alloc_offline_page(GFP_HIGHUSER |
						       __GFP_NORETRY |
						       __GFP_NOWARN);
		int err;

		if (!page)
			return -ENOMEM;
		err = give(page);
		if (err) {
			free_offline_page(page);
			return err;
		}
	}
	return 0;
}

static int inflate_range(unsigned long nr_pages, unsigned long pfn)
{
	const unsigned long end_pfn = pfn + nr_pages;
	int err;

	err = alloc_offline_page_range(pfn, nr_pages, GFP_KERNEL);
	if (err)
		return err;
	for (; pfn < end_pfn; pfn++) {
		err = give(pfn_to_page(pfn));
		if (err) {
			free_offline_page_range(pfn, end_pfn - pfn);
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

static int balloon_notify(struct notifier_block *nb, unsigned long action,
			  void *arg)
{
	mutex_lock(&balloon_mutex);
	switch (action) {
	case MEM_GOING_OFFLINE:
		going_offline = true;
		break;
	case MEM_CANCEL_OFFLINE:
		/* Also comes if somebody before us has refused. */
	case MEM_OFFLINE:
		going_offline = false;
		break;
	}
	mutex_unlock(&balloon_mutex);
	return NOTIFY_OK;
}

static struct notifier_block balloon_nb = {
	.notifier_call = balloon_notify,
};

/* Pages start offline when their memory block is onlined. Ours stay so. */
static void balloon_online_page(struct page *page, unsigned int order)
{
	const unsigned long start_pfn = page_to_pfn(page);
	const unsigned long end_pfn = start_pfn + (1UL << order);
	unsigned long pfn, free_from = start_pfn;

	xa_for_each_range(&ballooned, pfn, page, start_pfn, end_pfn - 1) {
		if (pfn > free_from)
			free_offline_page_range(free_from, pfn - free_from);
		set_offline_page_range_skippable(pfn, 1);
		free_from = pfn + 1;
	}
	if (end_pfn > free_from)
		free_offline_page_range(free_from, end_pfn - free_from);
}

#include "example_balloon.h"

MODULE_DESCRIPTION("A small balloon that uses the interface for offline pages");
