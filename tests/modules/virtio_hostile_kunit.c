// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the virtio drivers that hold offline pages, as the kernel has them, with devices
 * that mean no good. Boot with memory hidden from the kernel, hotadd and hotadd_size say which.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/umh.h>
#include <linux/vmstat.h>

#include "balloon_count.h"
#include "fake_virtio.h"

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Of the nonsense");

#define NR_ROUNDS	20

/* What is free comes and goes a little. */
#define FREE_TOLERANCE	1024

static struct {
	unsigned long total;
	unsigned long managed[MAX_NR_ZONES];
	long ballooned;
	long free;
} before;

static const void *next_round(struct kunit *test, const void *prev, char *desc)
{
	const unsigned long round = (unsigned long)prev + 1;

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "seed %lu", seed + round);
	return round <= NR_ROUNDS ? (void *)round : NULL;
}

/* Expect all counts as they were, but for a change of each zone, and of pages in balloons. */
static void expect_counts(struct kunit *test, const long change[MAX_NR_ZONES], long ballooned)
{
	unsigned long sum = 0, total = before.total;

	for (int i = 0; i < MAX_NR_ZONES; i++) {
		const unsigned long managed = zone_managed_pages(&NODE_DATA(0)->node_zones[i]);

		sum += managed;
		total += change[i];
		KUNIT_EXPECT_EQ_MSG(test, managed, before.managed[i] + change[i], "zone %d", i);
	}
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
	KUNIT_EXPECT_EQ(test, totalram_pages(), sum);
	ballooned += before.ballooned;
	KUNIT_EXPECT_EQ(test, count_balloon_pages(0, ballooned), ballooned);
}

/* The same, where so many pages were gained in ZONE_MOVABLE. */
static void expect_totals(struct kunit *test, unsigned long gained)
{
	const long change[MAX_NR_ZONES] = { [ZONE_MOVABLE] = gained };

	expect_counts(test, change, 0);
}

#include "virtio_hostile_kunit_balloon.h"
#include "virtio_hostile_kunit_mem.h"

static int virtio_hostile_init(struct kunit *test)
{
	if (fake_is_stuck)
		return -EBUSY;
	memset(&mem, 0, sizeof(mem));
	memset(&balloon, 0, sizeof(balloon));
	prandom_seed_state(&mem.rnd, seed);
	prandom_seed_state(&balloon.rnd, seed);
	before.total = totalram_pages();
	before.free = count_free(0);
	before.ballooned = count_balloon_pages(0, 0);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		before.managed[i] = zone_managed_pages(&NODE_DATA(0)->node_zones[i]);
	return 0;
}

/* A case that ended early. */
static void virtio_hostile_exit(struct kunit *test)
{
	mem.lie = NULL;
	fake_unplug(&mem.virtio);
	balloon.lie = NULL;
	fake_unplug(&balloon.virtio);
}

#include "virtio_hostile_kunit_balloon_cases.h"
#include "virtio_hostile_kunit_mem_cases.h"

kunit_test_suites(&virtio_hostile_mem_suite, &virtio_hostile_balloon_suite);

MODULE_DESCRIPTION("Virtio drivers with devices that mean no good");
MODULE_LICENSE("GPL");
