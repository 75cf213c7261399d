// SPDX-License-Identifier: GPL-2.0
/*
 * Count a poisoned page of a memory block that is being removed, as memory_failure()
 * may do, or undo what was counted before, as unpoison_memory() may do.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static ulong pfn;
module_param(pfn, ulong, 0444);

static char *where;
module_param(where, charp, 0444);
MODULE_PARM_DESC(where, "a function that is called then");

static bool undone;
module_param(undone, bool, 0444);
MODULE_PARM_DESC(undone, "count it now, and undo that then");

static ulong inc, sub;
module_param(inc, ulong, 0444);
MODULE_PARM_DESC(inc, "address of num_poisoned_pages_inc()");
module_param(sub, ulong, 0444);
MODULE_PARM_DESC(sub, "address of num_poisoned_pages_sub()");

static bool was_there;
module_param(was_there, bool, 0444);

static void (*poisoned_pages_inc)(unsigned long pfn);
static void (*poisoned_pages_sub)(unsigned long pfn, long i);

static int count(struct kprobe *probe, struct pt_regs *regs)
{
	if (was_there)
		return 0;
	was_there = true;
	if (undone)
		poisoned_pages_sub(pfn, 1);
	else
		poisoned_pages_inc(pfn);
	return 0;
}

static struct kprobe probe = {
	.pre_handler = count,
};

static int __init error_at_removal_init(void)
{
	int err;

	poisoned_pages_inc = (void *)inc;
	poisoned_pages_sub = (void *)sub;
	probe.symbol_name = where;
	err = register_kprobe(&probe);
	if (!err && undone)
		poisoned_pages_inc(pfn);
	return err;
}
module_init(error_at_removal_init);

static void __exit error_at_removal_exit(void)
{
	unregister_kprobe(&probe);
}
module_exit(error_at_removal_exit);

MODULE_DESCRIPTION("Count a memory error while the memory block is being removed");
MODULE_LICENSE("GPL");
