// SPDX-License-Identifier: GPL-2.0
/*
 * Count poisoned pages of a memory block, as memory_failure() does, and stop
 * between the lookup of the block and the reference to it, until somebody says
 * that the block is gone.
 */
#include <linux/device.h>
#include <linux/kobject.h>

#include "stop_thread.h"

static ulong pfn;
module_param(pfn, ulong, 0444);

static ulong inc, sub;
module_param(inc, ulong, 0444);
MODULE_PARM_DESC(inc, "address of num_poisoned_pages_inc()");
module_param(sub, ulong, 0444);
MODULE_PARM_DESC(sub, "address of num_poisoned_pages_sub()");

static bool is_there(struct pt_regs *regs)
{
	return current == READ_ONCE(thread);
}

static void do_once(void)
{
	void (*poisoned_pages_inc)(unsigned long pfn) = (void *)inc;
	void (*poisoned_pages_sub)(unsigned long pfn, long i) = (void *)sub;

	poisoned_pages_inc(pfn);
	poisoned_pages_sub(pfn, 1);
}

static int __init block_lookup_init(void)
{
	/* At the reference, as it was before the fix, or is now. */
	return start_stoppable((unsigned long)get_device, (unsigned long)kobject_get_unless_zero);
}
module_init(block_lookup_init);

static void __exit block_lookup_exit(void)
{
	end_stoppable();
}
module_exit(block_lookup_exit);

MODULE_DESCRIPTION("Look up a memory block while it is removed");
MODULE_LICENSE("GPL");
