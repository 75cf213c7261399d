// SPDX-License-Identifier: GPL-2.0
/*
 * Count poisoned pages of a memory block, as memory_failure() does, and stop
 * between the lookup of the block and the reference to it, until somebody says
 * that the block is gone.
 */
#include <linux/device.h>
#include <linux/kobject.h>

#include "stop_at.h"

static ulong pfn;
module_param(pfn, ulong, 0444);

static ulong inc, sub;
module_param(inc, ulong, 0444);
MODULE_PARM_DESC(inc, "address of num_poisoned_pages_inc()");
module_param(sub, ulong, 0444);
MODULE_PARM_DESC(sub, "address of num_poisoned_pages_sub()");

static bool done;
module_param(done, bool, 0444);

static struct task_struct *counting;

static bool is_there(struct pt_regs *regs)
{
	return current == READ_ONCE(counting);
}

static int count(void *unused)
{
	void (*poisoned_pages_inc)(unsigned long pfn) = (void *)inc;
	void (*poisoned_pages_sub)(unsigned long pfn, long i) = (void *)sub;
	const unsigned long end = jiffies + TIMEOUT;

	while (!READ_ONCE(stopped) && time_before(jiffies, end)) {
		poisoned_pages_inc(pfn);
		poisoned_pages_sub(pfn, 1);
	}
	WRITE_ONCE(done, true);
	return 0;
}

static int __init block_lookup_init(void)
{
	struct task_struct *task = kthread_create_on_cpu(count, NULL, CPU, "block_lookup/%u");
	int err;

	if (IS_ERR(task))
		return PTR_ERR(task);
	sched_set_fifo_low(task);
	get_task_struct(task);
	WRITE_ONCE(counting, task);

	/* At the reference, as it was before the fix, or is now. */
	err = start_stopping((unsigned long)get_device, (unsigned long)kobject_get_unless_zero);
	if (err)
		kthread_stop_put(task);
	else
		wake_up_process(task);
	return err;
}
module_init(block_lookup_init);

static void __exit block_lookup_exit(void)
{
	end_stopping();
	WRITE_ONCE(stopped, true);
	kthread_stop_put(counting);
}
module_exit(block_lookup_exit);

MODULE_DESCRIPTION("Look up a memory block while it is removed");
MODULE_LICENSE("GPL");
