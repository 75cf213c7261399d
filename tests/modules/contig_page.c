// SPDX-License-Identifier: GPL-2.0
/*
 * Contiguous memory of a single page, from the zone that begins in the middle of
 * a pageblock (x86: ZONE_DMA, whose first page is the second one). It is free
 * again once the module is loaded.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "the page that was allocated");

static ulong zone_start;
module_param(zone_start, ulong, 0444);
MODULE_PARM_DESC(zone_start, "the first PFN of its zone");

static int __init contig_page_init(void)
{
	struct page *page = alloc_contig_pages(1, GFP_KERNEL | GFP_DMA | __GFP_NOWARN,
					       first_online_node, NULL);

	if (!page)
		return -ENOMEM;
	pfn = page_to_pfn(page);
	zone_start = page_zone(page)->zone_start_pfn;
	free_contig_range(pfn, 1);
	return 0;
}
module_init(contig_page_init);

static void contig_page_exit(void)
{
}
module_exit(contig_page_exit);

MODULE_DESCRIPTION("Allocate a page of a zone that begins in the middle of a pageblock");
MODULE_LICENSE("GPL");
