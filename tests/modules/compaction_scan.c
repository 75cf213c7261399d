// SPDX-License-Identifier: GPL-2.0
/* Stop compaction before it scans a pageblock that it has found online, with nothing isolated. */
#include <linux/mm.h>
#include <linux/ptrace.h>

#include <mm/internal.h>

#include "stop_at.h"

static ulong start_pfn, nr_pages;
module_param(start_pfn, ulong, 0444);
module_param(nr_pages, ulong, 0444);
MODULE_PARM_DESC(nr_pages, "where the pageblock has to be");

static ulong scan;
module_param(scan, ulong, 0444);
MODULE_PARM_DESC(scan, "address of isolate_migratepages_block(), which is static");

static bool is_there(struct pt_regs *regs)
{
	const struct compact_control *cc = (void *)regs_get_kernel_argument(regs, 0);
	const ulong pfn = regs_get_kernel_argument(regs, 1);

	return pfn >= start_pfn && pfn < start_pfn + nr_pages &&
	       !cc->nr_freepages && list_empty(&cc->migratepages);
}

static int __init compaction_scan_init(void)
{
	return start_stopping(scan, 0);
}
module_init(compaction_scan_init);

static void __exit compaction_scan_exit(void)
{
	end_stopping();
}
module_exit(compaction_scan_exit);

MODULE_DESCRIPTION("Stop compaction between the lookup of a pageblock and its scan");
MODULE_LICENSE("GPL");
