/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel itself says about ballooned pages, exactly: its own counters are spread over the
 * CPUs, and are folded here.
 *
 * The kernel folds them as well, every second (vmstat_update()). A part of a counter that is on
 * its way from a CPU to its node or zone is seen in neither place. What is wrong stays wrong, so
 * the functions here look again for a while until they see what is expected.
 */
#ifndef BALLOON_COUNT_H
#define BALLOON_COUNT_H

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/vmstat.h>

/* Is this how the kernel marks a page in a balloon? Whatever the host has to do with it. */
static inline bool page_is_ballooned(const struct page *page)
{
#ifdef CONFIG_OFFLINE_PAGE
	return PageMovableOffline(page);
#else	/* the unpatched kernel */
	return PageOffline(page);
#endif
}

#define COUNT_SETTLES	(3 * HZ)

static inline long __count_balloon_pages(int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	long sum = atomic_long_read(&pgdat->vm_stat[NR_BALLOON_PAGES]);
	int cpu;

	for_each_online_cpu(cpu)
		sum += per_cpu_ptr(pgdat->per_cpu_nodestats,
				   cpu)->vm_node_stat_diff[NR_BALLOON_PAGES];
	return sum;
}

/* NR_BALLOON_PAGES of a node, where so many are expected. */
static inline long count_balloon_pages(int nid, long expected)
{
	const unsigned long timeout = jiffies + COUNT_SETTLES;
	long sum;

	while ((sum = __count_balloon_pages(nid)) != expected && time_before(jiffies, timeout))
		msleep(20);
	return sum;
}

/* In the buddy's lists or in those of the CPUs. */
static inline long __count_free(void)
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

/* Free pages, where at least so many are expected. */
static inline long count_free(long expected)
{
	const unsigned long timeout = jiffies + COUNT_SETTLES;
	long sum;

	while ((sum = __count_free()) < expected && time_before(jiffies, timeout))
		msleep(20);
	return sum;
}

#endif /* BALLOON_COUNT_H */
