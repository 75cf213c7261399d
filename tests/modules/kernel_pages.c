// SPDX-License-Identifier: GPL-2.0
/* Allocate and free the kernel's own pages on all CPUs, as long as the module is loaded. */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/threads.h>

static bool bulk;
module_param(bulk, bool, 0444);
MODULE_PARM_DESC(bulk, "many pages by one call, not one by one");

#define NR_PAGES	64

static struct task_struct *threads[NR_CPUS];

static void allocate(struct page **pages)
{
	int i;

	memset(pages, 0, NR_PAGES * sizeof(*pages));
	if (bulk) {
		alloc_pages_bulk(GFP_KERNEL, NR_PAGES, pages);
	} else {
		for (i = 0; i < NR_PAGES; i++)
			pages[i] = alloc_page(GFP_KERNEL);
	}

	for (i = 0; i < NR_PAGES; i++) {
		if (pages[i])
			__free_page(pages[i]);
	}
}

static int kernel_pages_thread(void *pages)
{
	while (!kthread_should_stop()) {
		allocate(pages);
		cond_resched();
	}
	kfree(pages);
	return 0;
}

static void kernel_pages_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (threads[cpu])
			kthread_stop(threads[cpu]);
	}
}
module_exit(kernel_pages_exit);

static int add_thread(int cpu)
{
	struct page **pages = kmalloc_objs(*pages, NR_PAGES);
	struct task_struct *thread;

	if (!pages)
		return -ENOMEM;
	thread = kthread_create_on_cpu(kernel_pages_thread, pages, cpu, "kernel_pages/%u");
	if (IS_ERR(thread)) {
		kfree(pages);
		return PTR_ERR(thread);
	}
	threads[cpu] = thread;
	return 0;
}

static int __init kernel_pages_init(void)
{
	int cpu, rc = 0;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		rc = add_thread(cpu);
		if (rc)
			break;
	}
	cpus_read_unlock();
	if (rc) {
		kernel_pages_exit();
		return rc;
	}
	for_each_possible_cpu(cpu) {
		if (threads[cpu])
			wake_up_process(threads[cpu]);
	}
	return 0;
}
module_init(kernel_pages_init);

MODULE_DESCRIPTION("Allocate and free pages of the kernel on all CPUs");
MODULE_LICENSE("GPL");
