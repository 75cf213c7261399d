// SPDX-License-Identifier: GPL-2.0
/*
 * Allocate a free chunk at the moment when memory_failure() has marked a page
 * in the middle of it as poisoned, and not yet taken it off the buddy. Then the
 * mark goes again, and if the page was kept, with a reference, it is freed.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static uint order = 9;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "of the chunk");

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "the first page of the chunk");

/* From ZONE_MOVABLE, the one that was freed last, without a word if there is none */
static struct page *allocate(void)
{
	return alloc_pages(__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_NOWARN, order);
}

static int __init marked_chunk_init(void)
{
	struct page *chunk, *marked, *other = NULL;

	preempt_disable();
	chunk = allocate();
	if (chunk) {
		pfn = page_to_pfn(chunk);
		marked = chunk + (1UL << order) / 2;
		__free_pages(chunk, order);
		SetPageHWPoison(marked);
		other = allocate();
		ClearPageHWPoison(marked);
		if (page_count(marked)) {
			set_page_private(marked, 0);
			__free_page(marked);
		}
	}
	preempt_enable();
	if (!other)
		return -ENOMEM;
	__free_pages(other, order);
	return other == chunk ? -EEXIST : 0;
}
module_init(marked_chunk_init);

static void marked_chunk_exit(void)
{
}
module_exit(marked_chunk_exit);

MODULE_DESCRIPTION("Allocate a chunk with a page that is marked as poisoned");
MODULE_LICENSE("GPL");
