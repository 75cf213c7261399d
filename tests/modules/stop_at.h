/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stop a task of CPU 1 where it enters a function, until somebody says "go on".
 *
 * There is a breakpoint. If is_there() says that this is the place, an interrupt
 * comes right after it, and wakes up a thread with a higher priority than that task
 * has. That one needs SCHED_FIFO as well, or it gets the time that is left for
 * ordinary tasks. Nothing is locked meanwhile but what the task has locked itself.
 */
#ifndef _STOP_AT_H
#define _STOP_AT_H

#include <linux/hw_breakpoint.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/rt.h>
#include <linux/sched/task.h>

#define CPU		1
#define TIMEOUT		(120 * HZ)

static bool stopped, gone;
module_param(stopped, bool, 0444);
MODULE_PARM_DESC(stopped, "the task is there");
module_param(gone, bool, 0644);
MODULE_PARM_DESC(gone, "go on");

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "of a process that starts such tasks; it gets SCHED_FIFO");

static struct task_struct *holding;
static struct perf_event *breakpoints[2];

/* Of the module: may the task be stopped here? In NMI context. */
static bool is_there(struct pt_regs *regs);

static void wake_holding(struct irq_work *work)
{
	wake_up_process(holding);
}

static DEFINE_IRQ_WORK(waking, wake_holding);

static void reached(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	if (!stopped && rt_task(current) && is_there(regs)) {
		WRITE_ONCE(stopped, true);
		irq_work_queue(&waking);
	}
}

static int hold(void *unused)
{
	unsigned long end;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(stopped) || kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	end = jiffies + TIMEOUT;
	while (!READ_ONCE(gone) && time_before(jiffies, end))
		cpu_relax();
	return 0;
}

static int prioritize(void)
{
	struct pid *number = find_get_pid(pid);
	struct task_struct *task = get_pid_task(number, PIDTYPE_PID);

	put_pid(number);
	if (!task)
		return -ESRCH;
	sched_set_fifo_low(task);
	put_task_struct(task);
	return 0;
}

static void end_stopping(void)
{
	for (int i = 0; i < ARRAY_SIZE(breakpoints); i++) {
		if (breakpoints[i])
			unregister_hw_breakpoint(breakpoints[i]);
	}
	irq_work_sync(&waking);
	WRITE_ONCE(gone, true);
	kthread_stop_put(holding);
}

static int break_at(unsigned long address, struct perf_event **breakpoint)
{
	struct perf_event_attr attr;
	struct perf_event *event;

	hw_breakpoint_init(&attr);
	attr.bp_addr = address;
	attr.bp_len = sizeof(long);
	attr.bp_type = HW_BREAKPOINT_X;
	event = perf_event_create_kernel_counter(&attr, CPU, NULL, reached, NULL);
	if (IS_ERR(event))
		return PTR_ERR(event);
	*breakpoint = event;
	return 0;
}

/* At the function of that address, or, if not 0, the other one. */
static int start_stopping(unsigned long address, unsigned long other)
{
	int err = pid ? prioritize() : 0;

	if (err)
		return err;
	holding = kthread_create_on_cpu(hold, NULL, CPU, "hold/%u");
	if (IS_ERR(holding))
		return PTR_ERR(holding);
	sched_set_fifo(holding);
	get_task_struct(holding);
	wake_up_process(holding);

	err = break_at(address, &breakpoints[0]);
	if (!err && other)
		err = break_at(other, &breakpoints[1]);
	if (err)
		end_stopping();
	return err;
}

#endif /* _STOP_AT_H */
