// SPDX-License-Identifier: GPL-2.0
/* Stop compaction when it is about to use a page that was free, and tell which. */
#include <linux/mm.h>
#include <linux/ptrace.h>

#include <mm/internal.h>

#include "stop_at.h"

static ulong compaction_alloc_address;
module_param_named(compaction_alloc, compaction_alloc_address, ulong, 0444);
MODULE_PARM_DESC(compaction_alloc, "address of compaction_alloc(), which is static");

static ulong target;
module_param(target, ulong, 0444);
MODULE_PARM_DESC(target, "the PFN of the page, once there is one");

static bool is_there(struct pt_regs *regs)
{
	struct folio *src = (void *)regs_get_kernel_argument(regs, 0);
	struct compact_control *cc = (void *)regs_get_kernel_argument(regs, 1);

	/* It takes the smallest one. */
	for (int order = folio_order(src); order < NR_PAGE_ORDERS; order++) {
		if (!list_empty(&cc->freepages[order])) {
			const struct page *page =
				list_first_entry(&cc->freepages[order], struct page, lru);

			WRITE_ONCE(target, page_to_pfn(page));
			return true;
		}
	}
	return false;
}

static int __init compaction_target_init(void)
{
	return start_stopping(compaction_alloc_address, 0);
}
module_init(compaction_target_init);

static void __exit compaction_target_exit(void)
{
	end_stopping();
}
module_exit(compaction_target_exit);

MODULE_DESCRIPTION("Stop compaction between the isolation of a free page and its use");
MODULE_LICENSE("GPL");
