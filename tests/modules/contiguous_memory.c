// SPDX-License-Identifier: GPL-2.0
/* Allocate contiguous memory, and stop between the search for it and the rest. */
#include <linux/gfp.h>
#include <linux/ptrace.h>

#include "stop_at.h"

static ulong start_pfn, nr_pages;
module_param(start_pfn, ulong, 0444);
module_param(nr_pages, ulong, 0444);
MODULE_PARM_DESC(nr_pages, "how many to allocate; what counts is a try to take them from start_pfn on");

static ulong range;
module_param(range, ulong, 0444);
MODULE_PARM_DESC(range, "address of alloc_contig_frozen_range_noprof()");

static bool done;
module_param(done, bool, 0444);

static struct task_struct *allocating;

static bool is_there(struct pt_regs *regs)
{
	return current == READ_ONCE(allocating) && regs_get_kernel_argument(regs, 0) == start_pfn;
}

static int allocate(void *unused)
{
	const unsigned long end = jiffies + TIMEOUT;

	while (!READ_ONCE(stopped) && time_before(jiffies, end)) {
		struct page *page;

		page = alloc_contig_pages(nr_pages, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
					  numa_mem_id(), NULL);
		if (page)
			free_contig_range(page_to_pfn(page), nr_pages);
	}
	WRITE_ONCE(done, true);
	return 0;
}

static int __init contiguous_memory_init(void)
{
	struct task_struct *task = kthread_create_on_cpu(allocate, NULL, CPU, "contiguous/%u");
	int err;

	if (IS_ERR(task))
		return PTR_ERR(task);
	sched_set_fifo_low(task);
	get_task_struct(task);
	WRITE_ONCE(allocating, task);

	err = start_stopping(range, 0);
	if (err)
		kthread_stop_put(task);
	else
		wake_up_process(task);
	return err;
}
module_init(contiguous_memory_init);

static void __exit contiguous_memory_exit(void)
{
	end_stopping();
	WRITE_ONCE(stopped, true);
	kthread_stop_put(allocating);
}
module_exit(contiguous_memory_exit);

MODULE_DESCRIPTION("Stop an allocation of contiguous memory that has found a range");
MODULE_LICENSE("GPL");
