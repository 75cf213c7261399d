// SPDX-License-Identifier: GPL-2.0
/*
 * Put the marks of bench/marks.h around the work of virtio drivers: a device asks
 * for something, and a work item of the driver does it, at some time. What is
 * executed until then and afterwards is not counted.
 *
 * A driver does not show its work items. They are found where its data is, as
 * words with the address of the function: function=ADDRESS (nokaslr).
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>

#include "../../bench/marks.h"

static unsigned long function;
module_param(function, ulong, 0444);
MODULE_PARM_DESC(function, "what the work item runs");

static struct work_struct *marked;

static void run_marked(struct work_struct *work)
{
	work_func_t func = (work_func_t)function;

	MARK(MARK_BEGIN);
	func(work);
	MARK(MARK_END);
}

/* The one device that has such a work item. */
static int find_work(struct device *dev, void *data)
{
	unsigned long *words = dev_to_virtio(dev)->priv;
	size_t i, nr = words ? ksize(words) / sizeof(*words) : 0;

	for (i = 0; i < nr; i++) {
		if (words[i] != function)
			continue;
		marked = container_of((work_func_t *)&words[i], struct work_struct, func);
		return 1;
	}
	return 0;
}

static const struct virtio_device_id no_device[] = {
	{ .device = 0xffff, .vendor = 0xffff },
	{ 0 },
};

static int no_probe(struct virtio_device *vdev)
{
	return -ENODEV;
}

/* Only a driver gets to know the bus. */
static struct virtio_driver driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = no_device,
	.probe = no_probe,
};

static int __init bench_workers_init(void)
{
	int rc = register_virtio_driver(&driver);

	if (rc)
		return rc;
	bus_for_each_dev(driver.driver.bus, NULL, NULL, find_work);
	unregister_virtio_driver(&driver);
	if (!function || !marked)
		return -ENODEV;
	WRITE_ONCE(marked->func, run_marked);
	return 0;
}
module_init(bench_workers_init);

static void bench_workers_exit(void)
{
	WRITE_ONCE(marked->func, (work_func_t)function);
	flush_work(marked);
}
module_exit(bench_workers_exit);

MODULE_DESCRIPTION("Count the work of a virtio driver");
MODULE_LICENSE("GPL");
