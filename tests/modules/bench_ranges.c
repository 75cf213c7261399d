// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of mm that no file triggers, between the marks of bench/marks.h. Write to
 * /sys/module/bench_ranges/parameters/do:
 *
 *	take PFN PAGES		take a range of pages offline
 *	give PFN PAGES		give it to the buddy
 *	take-pages ORDER	take such a chunk offline, wherever there is one
 *	give-pages		and give it back
 *	contiguous PFN PAGES	try to allocate a range, which must fail: -EBUSY
 *	hot-add ADDRESS BYTES	add memory, its memmap in itself if that is possible
 *
 * On a kernel without <linux/offline_page.h>, "take" and "give" are what virtio-mem
 * does there, and "take-pages" and "give-pages" what the balloon of Hyper-V does.
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#if __has_include("linux/offline_page.h")
#include <linux/offline_page.h>
#endif

#include "../../bench/marks.h"

/* For lab/bench_report.py, which reads the size of the symbol. */
static const char struct_page[sizeof(struct page)] __used;

#if __has_include("linux/offline_page.h")
static int take(unsigned long pfn, unsigned long nr_pages)
{
	return alloc_offline_page_range(pfn, nr_pages, GFP_KERNEL);
}

static void give(unsigned long pfn, unsigned long nr_pages)
{
	free_offline_page_range(pfn, nr_pages);
}

static struct page *take_pages(unsigned int order)
{
	return alloc_offline_pages(GFP_KERNEL, order);
}

static void give_pages(struct page *page, unsigned int order)
{
	if (order)
		free_offline_page_range(page_to_pfn(page), 1UL << order);
	else
		free_offline_page(page);
}
#else
static int take(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long i;
	int rc;

	rc = alloc_contig_range(pfn, pfn + nr_pages, ACR_FLAGS_NONE, GFP_KERNEL);
	if (rc)
		return rc;
	page_offline_begin();
	for (i = 0; i < nr_pages; i++)
		__SetPageOffline(pfn_to_page(pfn + i));
	page_offline_end();
	adjust_managed_page_count(pfn_to_page(pfn), -nr_pages);
	return 0;
}

static void give(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long order = MAX_PAGE_ORDER, i, j;

	while (!IS_ALIGNED(pfn | nr_pages, 1 << order))
		order--;
	for (i = 0; i < nr_pages; i += 1 << order) {
		for (j = 0; j < 1 << order; j++)
			__ClearPageOffline(pfn_to_page(pfn + i + j));
		free_contig_range(pfn + i, 1 << order);
		adjust_managed_page_count(pfn_to_page(pfn + i), 1 << order);
	}
}

static struct page *take_pages(unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);
	int i;

	if (!page)
		return NULL;
	if (order)
		split_page(page, order);
	for (i = 0; i < 1 << order; i++)
		__SetPageOffline(page + i);
	adjust_managed_page_count(page, -(1 << order));
	return page;
}

static void give_pages(struct page *page, unsigned int order)
{
	int i;

	for (i = 0; i < 1 << order; i++) {
		__ClearPageOffline(page + i);
		__free_page(page + i);
	}
	adjust_managed_page_count(page, 1 << order);
}
#endif

static struct page *taken;
static unsigned int taken_order;

static int do_take(unsigned long pfn, unsigned long nr_pages)
{
	int rc;

	MARK(MARK_BEGIN);
	rc = take(pfn, nr_pages);
	MARK(MARK_END);
	return rc;
}

static int do_give(unsigned long pfn, unsigned long nr_pages)
{
	MARK(MARK_BEGIN);
	give(pfn, nr_pages);
	MARK(MARK_END);
	return 0;
}

static int do_take_pages(unsigned long order, unsigned long unused)
{
	MARK(MARK_BEGIN);
	taken = take_pages(order);
	MARK(MARK_END);
	taken_order = order;
	return taken ? 0 : -ENOMEM;
}

static int do_give_pages(unsigned long unused, unsigned long unused2)
{
	if (!taken)
		return -ENOENT;
	MARK(MARK_BEGIN);
	give_pages(taken, taken_order);
	MARK(MARK_END);
	taken = NULL;
	return 0;
}

static int do_contiguous(unsigned long pfn, unsigned long nr_pages)
{
	int rc;

	MARK(MARK_BEGIN);
	rc = alloc_contig_range(pfn, pfn + nr_pages, ACR_FLAGS_NONE, GFP_KERNEL);
	MARK(MARK_END);
	if (rc)
		return rc == -EBUSY ? 0 : rc;
	free_contig_range(pfn, nr_pages);
	return -EEXIST;
}

static int do_hot_add(unsigned long address, unsigned long size)
{
	int rc;

	MARK(MARK_BEGIN);
	rc = add_memory(0, address, size, MHP_MEMMAP_ON_MEMORY);
	MARK(MARK_END);
	return rc;
}

static const struct {
	const char *name;
	int (*call)(unsigned long first, unsigned long second);
} calls[] = {
	{ "take", do_take },
	{ "give", do_give },
	{ "take-pages", do_take_pages },
	{ "give-pages", do_give_pages },
	{ "contiguous", do_contiguous },
	{ "hot-add", do_hot_add },
};

static int set_do(const char *text, const struct kernel_param *param)
{
	unsigned long first = 0, second = 0;
	char name[16] = "";
	int i;

	if (sscanf(text, "%15s %li %li", name, &first, &second) < 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!strcmp(name, calls[i].name))
			return calls[i].call(first, second);
	}
	return -EINVAL;
}

static const struct kernel_param_ops do_ops = { .set = set_do };
module_param_cb(do, &do_ops, NULL, 0200);

MODULE_DESCRIPTION("Count what taking ranges of pages offline costs, and the like");
MODULE_LICENSE("GPL");
