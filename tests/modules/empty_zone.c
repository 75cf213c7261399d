// SPDX-License-Identifier: GPL-2.0
/*
 * Remember the per-CPU lists and statistics of a zone, as others do for a moment, and
 * look whether somebody else gets that memory when the zone has become empty.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>

static ulong pfn;
module_param(pfn, ulong, 0444);
MODULE_PARM_DESC(pfn, "of a page of the zone");

#define NR_TRIES 2000

static const struct zone *zone;
static const void *lists, *stats;

static bool overlap(const void *a, size_t size_a, const void *b, size_t size_b)
{
	return a < b + size_b && b < a + size_a;
}

static int get_reused(char *buffer, const struct kernel_param *unused)
{
	static struct per_cpu_pages __percpu *tries[NR_TRIES];
	bool reused = false;

	if (populated_zone(zone))
		return -EBUSY;
	for (int i = 0; i < NR_TRIES; i++) {
		const void *got;

		tries[i] = alloc_percpu(struct per_cpu_pages);
		if (!tries[i])
			break;
		got = per_cpu_ptr(tries[i], 0);
		reused |= overlap(got, sizeof(**tries), lists, sizeof(struct per_cpu_pages)) ||
			  overlap(got, sizeof(**tries), stats, sizeof(struct per_cpu_zonestat));
	}
	for (int i = 0; i < NR_TRIES; i++) {
		free_percpu(tries[i]);
		tries[i] = NULL;
	}
	return sysfs_emit(buffer, "%c\n", reused ? 'Y' : 'N');
}

static const struct kernel_param_ops reused_ops = {
	.get = get_reused,
};
module_param_cb(reused, &reused_ops, NULL, 0444);

static int __init empty_zone_init(void)
{
	zone = page_zone(pfn_to_page(pfn));
	lists = per_cpu_ptr(zone->per_cpu_pageset, 0);
	stats = per_cpu_ptr(zone->per_cpu_zonestats, 0);
	return 0;
}
module_init(empty_zone_init);

static void __exit empty_zone_exit(void)
{
}
module_exit(empty_zone_exit);

MODULE_DESCRIPTION("Look at the per-CPU lists of a zone that becomes empty");
MODULE_LICENSE("GPL");
