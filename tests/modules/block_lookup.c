// SPDX-License-Identifier: GPL-2.0
/*
 * Count poisoned pages of a memory block, as memory_failure() does, and stop
 * between the lookup of the block and the reference to it, until somebody says
 * that the block is gone.
 *
 * A timer looks where the CPU is. Where the reference would be taken next, it
 * wakes up a thread with a higher priority. Nothing is locked meanwhile but what
 * the lookup locks by itself.
 */
#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <asm/irq_regs.h>

#define CPU		1
#define PERIOD		(NSEC_PER_MSEC / 3)
#define TIMEOUT		(120 * HZ)

static ulong pfn;
module_param(pfn, ulong, 0444);

static ulong inc, sub;
module_param(inc, ulong, 0444);
MODULE_PARM_DESC(inc, "address of memblk_nr_poison_inc()");
module_param(sub, ulong, 0444);
MODULE_PARM_DESC(sub, "address of memblk_nr_poison_sub()");

static bool stopped, gone, done;
module_param(stopped, bool, 0444);
MODULE_PARM_DESC(stopped, "the block was looked up, and has no reference");
module_param(gone, bool, 0644);
MODULE_PARM_DESC(gone, "go on");
module_param(done, bool, 0444);

static struct task_struct *counting, *holding;
static struct hrtimer timer;

/* Before the fix, and after it. */
static bool at_reference(unsigned long ip)
{
	return ip == (unsigned long)get_device ||
	       ip == (unsigned long)kobject_get_unless_zero;
}

static enum hrtimer_restart look(struct hrtimer *timer)
{
	struct pt_regs *regs = get_irq_regs();

	if (current == counting && regs && at_reference(instruction_pointer(regs))) {
		WRITE_ONCE(stopped, true);
		wake_up_process(holding);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ns_to_ktime(PERIOD));
	return HRTIMER_RESTART;
}

static int hold(void *unused)
{
	const unsigned long end = jiffies + TIMEOUT;

	while (!READ_ONCE(gone) && time_before(jiffies, end))
		cpu_relax();
	return 0;
}

static int count(void *unused)
{
	void (*nr_poison_inc)(unsigned long pfn) = (void *)inc;
	void (*nr_poison_sub)(unsigned long pfn, long i) = (void *)sub;
	const unsigned long end = jiffies + TIMEOUT;

	hrtimer_start(&timer, ns_to_ktime(PERIOD), HRTIMER_MODE_REL_PINNED_HARD);
	while (!READ_ONCE(stopped) && time_before(jiffies, end)) {
		nr_poison_inc(pfn);
		nr_poison_sub(pfn, 1);
	}
	hrtimer_cancel(&timer);
	WRITE_ONCE(done, true);
	return 0;
}

static int __init block_lookup_init(void)
{
	hrtimer_setup(&timer, look, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	holding = kthread_create_on_cpu(hold, NULL, CPU, "block_lookup_hold/%u");
	if (IS_ERR(holding))
		return PTR_ERR(holding);
	counting = kthread_create_on_cpu(count, NULL, CPU, "block_lookup/%u");
	if (IS_ERR(counting)) {
		kthread_stop(holding);
		return PTR_ERR(counting);
	}
	/* For neither of them to get the time of an ordinary task. */
	sched_set_fifo(holding);
	sched_set_fifo_low(counting);
	get_task_struct(holding);
	get_task_struct(counting);
	wake_up_process(counting);
	return 0;
}
module_init(block_lookup_init);

static void __exit block_lookup_exit(void)
{
	WRITE_ONCE(gone, true);
	WRITE_ONCE(stopped, true);
	kthread_stop_put(counting);
	kthread_stop_put(holding);
}
module_exit(block_lookup_exit);

MODULE_DESCRIPTION("Look up a memory block while it is removed");
MODULE_LICENSE("GPL");
