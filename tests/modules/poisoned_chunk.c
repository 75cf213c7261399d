// SPDX-License-Identifier: GPL-2.0
/*
 * A chunk of memory with a poisoned page in it. Either it is in use as long as
 * the module is loaded, and whoever loads it poisons the page meanwhile. Or it
 * is free when the page is marked, as memory_failure() does before it takes a
 * free page off the buddy, and is allocated again at that moment; the mark goes
 * again after that, and whoever was given the page's reference gives it back.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static uint order = 4;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "of the chunk");

static bool in_buddy;
module_param(in_buddy, bool, 0444);
MODULE_PARM_DESC(in_buddy, "mark the page while it is free, and allocate then");

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "the page to poison, or that was");

static struct page *chunk;

/* From ZONE_MOVABLE, the one that was freed last, without a word if there is none */
static struct page *allocate(void)
{
	return alloc_pages(__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_NOWARN, order);
}

static void mark_and_allocate(struct page *page)
{
	__free_pages(chunk, order);
	SetPageHWPoison(page);
	chunk = allocate();
	ClearPageHWPoison(page);
	if (page_count(page)) {
		set_page_private(page, 0);
		__free_page(page);
	}
}

static int __init poisoned_chunk_init(void)
{
	preempt_disable();
	chunk = allocate();
	if (chunk) {
		pfn = page_to_pfn(chunk) + (1UL << order) / 2;
		if (in_buddy)
			mark_and_allocate(pfn_to_page(pfn));
	}
	preempt_enable();
	return chunk ? 0 : -ENOMEM;
}
module_init(poisoned_chunk_init);

static void poisoned_chunk_exit(void)
{
	__free_pages(chunk, order);
}
module_exit(poisoned_chunk_exit);

MODULE_DESCRIPTION("A chunk of memory with a poisoned page in it");
MODULE_LICENSE("GPL");
