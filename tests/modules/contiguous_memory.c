// SPDX-License-Identifier: GPL-2.0
/* Allocate contiguous memory, and stop between the search for it and the rest. */
#include <linux/gfp.h>
#include <linux/ptrace.h>

#include "stop_thread.h"

static ulong start_pfn, nr_pages;
module_param(start_pfn, ulong, 0444);
module_param(nr_pages, ulong, 0444);
MODULE_PARM_DESC(nr_pages, "how many to allocate; what counts is a try to take them from start_pfn on");

static ulong range;
module_param(range, ulong, 0444);
MODULE_PARM_DESC(range, "address of alloc_contig_frozen_range_noprof()");

static bool is_there(struct pt_regs *regs)
{
	return current == READ_ONCE(thread) && regs_get_kernel_argument(regs, 0) == start_pfn;
}

static void do_once(void)
{
	struct page *page = alloc_contig_pages(nr_pages, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
					       numa_mem_id(), NULL);

	if (page)
		free_contig_range(page_to_pfn(page), nr_pages);
}

static int __init contiguous_memory_init(void)
{
	return start_stoppable(range, 0);
}
module_init(contiguous_memory_init);

static void __exit contiguous_memory_exit(void)
{
	end_stoppable();
}
module_exit(contiguous_memory_exit);

MODULE_DESCRIPTION("Stop an allocation of contiguous memory that has found a range");
MODULE_LICENSE("GPL");
