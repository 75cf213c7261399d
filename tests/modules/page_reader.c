// SPDX-License-Identifier: GPL-2.0
/*
 * Stop who reads /proc/kpagecount, and has found out that a page is online, before
 * it looks at the struct page.
 */
#include <linux/mm.h>
#include <linux/ptrace.h>

#include "stop_at.h"

static ulong start_pfn, nr_pages;
module_param(start_pfn, ulong, 0444);
module_param(nr_pages, ulong, 0444);

static ulong snapshot_page_address;
module_param_named(snapshot_page, snapshot_page_address, ulong, 0444);
MODULE_PARM_DESC(snapshot_page, "address of snapshot_page(), which is not exported");

static bool is_there(struct pt_regs *regs)
{
	const struct page *page = (void *)regs_get_kernel_argument(regs, 1);

	return page >= pfn_to_page(start_pfn) && page < pfn_to_page(start_pfn) + nr_pages;
}

static int __init page_reader_init(void)
{
	return start_stopping(snapshot_page_address, 0);
}
module_init(page_reader_init);

static void __exit page_reader_exit(void)
{
	end_stopping();
}
module_exit(page_reader_exit);

MODULE_DESCRIPTION("Stop a reader of struct pages");
MODULE_LICENSE("GPL");
