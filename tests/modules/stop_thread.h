/* SPDX-License-Identifier: GPL-2.0 */
/* A thread of the module that is stopped: it does something until it was. */
#ifndef _STOP_THREAD_H
#define _STOP_THREAD_H

#include "stop_at.h"

static bool done;
module_param(done, bool, 0444);
MODULE_PARM_DESC(done, "the thread has come to an end");

static struct task_struct *thread;

/* What it does, again and again. */
static void do_once(void);

static int do_until_stopped(void *unused)
{
	const unsigned long end = jiffies + TIMEOUT;

	while (!READ_ONCE(stopped) && time_before(jiffies, end))
		do_once();
	WRITE_ONCE(done, true);
	return 0;
}

/* Addresses as for start_stopping(). */
static int start_stoppable(unsigned long address, unsigned long other)
{
	struct task_struct *task = kthread_create_on_cpu(do_until_stopped, NULL, CPU, "do/%u");
	int err;

	if (IS_ERR(task))
		return PTR_ERR(task);
	sched_set_fifo_low(task);
	get_task_struct(task);
	WRITE_ONCE(thread, task);

	err = start_stopping(address, other);
	if (err)
		kthread_stop_put(task);
	else
		wake_up_process(task);
	return err;
}

static void end_stoppable(void)
{
	end_stopping();
	WRITE_ONCE(stopped, true);
	kthread_stop_put(thread);
}

#endif /* _STOP_THREAD_H */
