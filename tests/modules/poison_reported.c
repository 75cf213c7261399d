// SPDX-License-Identifier: GPL-2.0
/*
 * Report free pages, as the driver of a balloon does, and have a memory error in
 * one of them meanwhile: in the first chunk that is reported of a range.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>

static ulong start_pfn;
module_param(start_pfn, ulong, 0444);

static ulong nr_pages;
module_param(nr_pages, ulong, 0444);

static uint offset;
module_param(offset, uint, 0444);
MODULE_PARM_DESC(offset, "of the error in its chunk, in pages; the last one, if it is too large");

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "the page that got the error");

static bool wanted(struct scatterlist *sg)
{
	const unsigned long first = page_to_pfn(sg_page(sg));

	return first >= start_pfn && first < start_pfn + nr_pages;
}

static int report(struct page_reporting_dev_info *prdev, struct scatterlist *sgl,
		  unsigned int nents)
{
	struct scatterlist *sg;
	unsigned long poisoned;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i) {
		if (pfn || !wanted(sg))
			continue;
		poisoned = page_to_pfn(sg_page(sg)) + min(offset, (sg->length >> PAGE_SHIFT) - 1);
		memory_failure(poisoned, MF_SW_SIMULATED);
		pfn = poisoned;
	}
	return 0;
}

static struct page_reporting_dev_info device = {
	.report = report,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
};

static int __init poison_reported_init(void)
{
	return page_reporting_register(&device);
}
module_init(poison_reported_init);

static void __exit poison_reported_exit(void)
{
	page_reporting_unregister(&device);
}
module_exit(poison_reported_exit);

MODULE_DESCRIPTION("Have a memory error in a free page that is being reported");
MODULE_LICENSE("GPL");
