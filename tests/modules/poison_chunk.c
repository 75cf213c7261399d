// SPDX-License-Identifier: GPL-2.0
/* Have a memory error in a large chunk of the kernel's memory, and free it. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static bool compound;
module_param(compound, bool, 0444);

static uint offset;
module_param(offset, uint, 0444);
MODULE_PARM_DESC(offset, "of the error, in pages");

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "the first page of the chunk");

static int __init poison_chunk_init(void)
{
	/* The per-CPU lists do not take what is that large. */
	struct page *page = alloc_pages(compound ? GFP_KERNEL | __GFP_COMP : GFP_KERNEL,
					MAX_PAGE_ORDER);

	if (!page)
		return -ENOMEM;
	pfn = page_to_pfn(page);
	memory_failure(pfn + offset, MF_SW_SIMULATED);
	__free_pages(page, MAX_PAGE_ORDER);
	return 0;
}
module_init(poison_chunk_init);

static void __exit poison_chunk_exit(void)
{
}
module_exit(poison_chunk_exit);

MODULE_DESCRIPTION("Free memory of the kernel that has an error");
MODULE_LICENSE("GPL");
