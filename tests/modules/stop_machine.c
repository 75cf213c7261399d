// SPDX-License-Identifier: GPL-2.0
/* Stop the machine again and again, until whoever loads the module gets a signal. */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/stop_machine.h>

static int nothing(void *unused)
{
	return 0;
}

static int __init stop_machine_init(void)
{
	unsigned long times = 0;

	for (; !signal_pending(current); times++) {
		stop_machine(nothing, NULL, NULL);
		cond_resched();
	}
	pr_info("stopped %lu times\n", times);
	return -EINTR;
}
module_init(stop_machine_init);

MODULE_DESCRIPTION("Stop the machine again and again");
MODULE_LICENSE("GPL");
