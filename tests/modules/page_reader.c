// SPDX-License-Identifier: GPL-2.0
/*
 * Stop who has found out that a page is online, before it looks at the struct page,
 * where it calls a function with it.
 */
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sizes.h>

#include "stop_at.h"

static ulong start_pfn, nr_pages;
module_param(start_pfn, ulong, 0444);
module_param(nr_pages, ulong, 0444);

static ulong function;
module_param(function, ulong, 0444);
MODULE_PARM_DESC(function, "its address");

static uint argument;
module_param(argument, uint, 0444);
MODULE_PARM_DESC(argument, "which of its arguments is the page, from 0");

static ulong caller;
module_param(caller, ulong, 0444);
MODULE_PARM_DESC(caller, "address of the only function whose call counts, if not 0");

#define CALLER_SIZE	SZ_2K

static bool is_there(struct pt_regs *regs)
{
	const struct page *page = (void *)regs_get_kernel_argument(regs, argument);
	const ulong return_address = *(ulong *)kernel_stack_pointer(regs);

	if (caller && return_address - caller >= CALLER_SIZE)
		return false;
	return page >= pfn_to_page(start_pfn) && page < pfn_to_page(start_pfn) + nr_pages;
}

static int __init page_reader_init(void)
{
	return start_stopping(function, 0);
}
module_init(page_reader_init);

static void __exit page_reader_exit(void)
{
	end_stopping();
}
module_exit(page_reader_exit);

MODULE_DESCRIPTION("Stop a reader of struct pages");
MODULE_LICENSE("GPL");
