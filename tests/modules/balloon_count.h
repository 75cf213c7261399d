/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel itself says about ballooned pages, exactly: its own counters are spread over the
 * CPUs, and are folded here.
 */
#ifndef BALLOON_COUNT_H
#define BALLOON_COUNT_H

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/vmstat.h>

/* Is this how the kernel marks a page in a balloon? Whatever the host has to do with it. */
static bool page_is_ballooned(const struct page *page)
{
#ifdef CONFIG_OFFLINE_PAGE
	return PageMovableOffline(page);
#else	/* the unpatched kernel */
	return PageOffline(page);
#endif
}

static long count_node_state(int nid, enum node_stat_item item)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	long sum = atomic_long_read(&pgdat->vm_stat[item]);
	int cpu;

	for_each_online_cpu(cpu)
		sum += per_cpu_ptr(pgdat->per_cpu_nodestats, cpu)->vm_node_stat_diff[item];
	return sum;
}

/* Free, in the buddy's lists or in those of the CPUs. */
static long count_free(void)
{
	struct zone *zone;
	long sum = 0;
	int nid, cpu;

	for_each_online_node(nid) {
		struct pglist_data *pgdat = NODE_DATA(nid);

		for (zone = pgdat->node_zones; zone < pgdat->node_zones + MAX_NR_ZONES; zone++) {
			if (!populated_zone(zone))
				continue;
			sum += atomic_long_read(&zone->vm_stat[NR_FREE_PAGES]);
			for_each_online_cpu(cpu) {
				sum += per_cpu_ptr(zone->per_cpu_zonestats,
						   cpu)->vm_stat_diff[NR_FREE_PAGES];
				sum += per_cpu_ptr(zone->per_cpu_pageset, cpu)->count;
			}
		}
	}
	return sum;
}

#endif /* BALLOON_COUNT_H */
