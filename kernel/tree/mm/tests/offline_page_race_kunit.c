// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: what others see and do meanwhile.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>

#include "../internal.h"
#include "offline_page_kunit.h"

/*
 * A thread on another CPU that tries to get a reference to each page of a range
 * again and again, as anybody may who walks PFNs.
 */
struct hammer {
	struct task_struct *task;
	unsigned long pfn;
	unsigned long nr_pages;
	unsigned long passes;
	unsigned long refused;	/* by offline pages, as it should be */
	unsigned long got;	/* references to offline pages */
};

static void hammer_page(struct hammer *hammer, struct page *page)
{
	const bool was_offline = PageOffline(page);
	struct folio *folio = page_folio(page);

	if (!folio_try_get(folio)) {
		if (was_offline && PageOffline(page))
			hammer->refused++;
		return;
	}
	/* The page may belong to somebody else by now, who frees it with us. */
	if (page_folio(page) == folio && PageOffline(page))
		hammer->got++;
	folio_put(folio);
}

static int hammer_thread(void *data)
{
	struct hammer *hammer = data;

	while (!kthread_should_stop()) {
		const unsigned long pfn = READ_ONCE(hammer->pfn);
		unsigned long i;

		for (i = 0; i < hammer->nr_pages; i++)
			hammer_page(hammer, pfn_to_page(pfn + i));
		WRITE_ONCE(hammer->passes, hammer->passes + 1);
		cond_resched();
	}
	return 0;
}

static void stop_hammer(void *data)
{
	struct hammer *hammer = data;

	if (hammer->task)
		kthread_stop(hammer->task);
	hammer->task = NULL;
}

static struct hammer *start_hammer(struct kunit *test, unsigned long pfn,
				   unsigned long nr_pages)
{
	struct hammer *hammer;
	struct task_struct *task;
	unsigned int here, there;

	if (num_online_cpus() < 2)
		kunit_skip(test, "there is no other CPU");

	hammer = kunit_kzalloc(test, sizeof(*hammer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hammer);
	hammer->pfn = pfn;
	hammer->nr_pages = nr_pages;

	here = raw_smp_processor_id();
	there = cpumask_any_but(cpu_online_mask, here);
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(here)));
	task = kthread_create_on_cpu(hammer_thread, hammer, there, "hammer/%u");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	hammer->task = task;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_hammer,
							   hammer));
	wake_up_process(task);
	return hammer;
}

/* Let it see the pages as they are now. */
static void await_hammer(struct kunit *test, struct hammer *hammer)
{
	const unsigned long passes = READ_ONCE(hammer->passes);
	const unsigned long end = jiffies + 60 * HZ;

	while (READ_ONCE(hammer->passes) - passes < 2 &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_GE(test, READ_ONCE(hammer->passes) - passes, 2);
}

static void expect_in_vain(struct kunit *test, struct hammer *hammer)
{
	stop_hammer(hammer);
	kunit_info(test, "%lu passes, %lu times refused by offline pages\n",
		   hammer->passes, hammer->refused);
	KUNIT_EXPECT_EQ(test, hammer->got, 0);
	KUNIT_EXPECT_GT(test, hammer->refused, 0);
}

/* Out of the per-CPU lists, where it went a moment ago, and back. */
static void hammer_pages(struct kunit *test)
{
	static const unsigned int orders[] = { 0, 3 };
	struct hammer *hammer = NULL;
	unsigned int i, hit = 0;

	for (i = 0; i < 400; i++) {
		const unsigned int order = orders[i % 2];
		struct page *page = alloc_pages(GFP_KERNEL, order);
		unsigned long pfn;

		KUNIT_ASSERT_NOT_NULL(test, page);
		pfn = page_to_pfn(page);
		__free_pages(page, order);
		if (!hammer)
			hammer = start_hammer(test, pfn, 1);
		WRITE_ONCE(hammer->pfn, pfn);
		page = alloc_offline_pages(GFP_KERNEL, order);
		KUNIT_ASSERT_NOT_NULL(test, page);
		hit += page_to_pfn(page) == pfn;

		if (i < 4)
			await_hammer(test, hammer);
		expect_offline(test, page_to_pfn(page), 1 << order, PLAIN);
		free_offline_page_range(page_to_pfn(page), 1 << order);
	}
	KUNIT_EXPECT_GT(test, hit, 100);
	expect_in_vain(test, hammer);
}

/* All that can happen to offline pages that are not for the allocator to choose. */
static void hammer_transitions(struct kunit *test, struct hammer *hammer,
			       unsigned long pfn, unsigned long nr_pages,
			       int flags)
{
	const unsigned long half = nr_pages / 2;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		const bool wait = i < 2;

		if (wait)
			await_hammer(test, hammer);
		expect_offline(test, pfn, nr_pages, flags);
		set_offline_page_range_skippable(pfn, nr_pages);
		if (wait)
			await_hammer(test, hammer);
		clear_offline_page_range_skippable(pfn, nr_pages);
		expect_offline(test, pfn, nr_pages, flags);

		free_offline_page_range(pfn + half, half);
		free_offline_page(pfn_to_page(pfn));
		KUNIT_EXPECT_NE(test, 0, alloc_offline_page_range(pfn, nr_pages,
								  GFP_KERNEL));
		if (wait)
			await_hammer(test, hammer);
		free_offline_page_range(pfn + 1, half - 1);
		if (wait)
			await_hammer(test, hammer);
		retake_range(test, pfn, nr_pages);
		flags = PLAIN;
	}
	free_offline_page_range(pfn, nr_pages);
}

static void hammer_range(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, nr_pages);
	struct hammer *hammer = start_hammer(test, pfn, nr_pages);
	struct page_counts before = count_pages();

	hammer_transitions(test, hammer, pfn, nr_pages, PLAIN);
	expect_in_vain(test, hammer);
	expect_taken(test, pfn, before, -nr_pages);
}

/* The same, beginning with pages that have never been online. */
static void hammer_block(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = add_blocks(test, 1);
	struct hammer *hammer = start_hammer(test, pfn, nr_pages);
	struct page_counts before = count_pages();

	/* A block that does not go offline, and pages of it do not either. */
	await_hammer(test, hammer);
	KUNIT_EXPECT_EQ(test, -EBUSY, try_remove_blocks());
	hammer_transitions(test, hammer, pfn, nr_pages, NEVER_ONLINED);
	expect_in_vain(test, hammer);
	expect_taken(test, pfn, before, -nr_pages);

	set_offline_page_range_skippable(pfn + nr_pages,
					 block_nr_pages() - nr_pages);
	remove_blocks(test);
}

/* A thread that takes a range offline. */
struct taker {
	unsigned long pfn;
	unsigned long nr_pages;
	int rc;
	struct completion done;
};

static int taker_thread(void *data)
{
	struct taker *taker = data;

	taker->rc = alloc_offline_page_range(taker->pfn, taker->nr_pages,
					     GFP_KERNEL);
	complete(&taker->done);
	return 0;
}

/* Wait until the pages are allocated, but not offline yet. */
static bool await_taken(struct taker *taker)
{
	const unsigned long last = taker->pfn + taker->nr_pages - 1;
	const unsigned long end = jiffies + 30 * HZ;

	while (time_before(jiffies, end)) {
		if (!is_free_buddy_page(pfn_to_page(taker->pfn)) &&
		    !is_free_buddy_page(pfn_to_page(last)))
			break;
		schedule_timeout_uninterruptible(1);
	}
	/* It may have been at the free lists, and some work to do. */
	return !wait_for_completion_timeout(&taker->done, HZ);
}

/*
 * Whoever reads pages that are not offline may go on with that: until then, no
 * page goes offline. Others cannot mistake the range for free memory meanwhile:
 * it is isolated until it is offline.
 */
static void range_waits_for_readers(struct kunit *test)
{
	struct taker taker = { .nr_pages = MAX_ORDER_NR_PAGES };
	unsigned long pfn = take_range(test, taker.nr_pages), i;
	unsigned long not_isolated = 0, offline = 0;
	struct task_struct *task;
	bool waits;
	int rc;

	free_offline_page_range(pfn, taker.nr_pages);
	taker.pfn = pfn;
	init_completion(&taker.done);

	page_offline_freeze();
	task = kthread_run(taker_thread, &taker, "taker");
	if (IS_ERR(task)) {
		page_offline_thaw();
		KUNIT_FAIL_AND_ABORT(test, "no thread");
	}
	waits = await_taken(&taker);
	rc = alloc_contig_frozen_range(pfn, pfn + 1, ACR_FLAGS_NONE, GFP_KERNEL);
	for (i = 0; i < taker.nr_pages; i++) {
		not_isolated += !is_migrate_isolate_page(pfn_to_page(pfn + i));
		offline += PageOffline(pfn_to_page(pfn + i));
	}
	page_offline_thaw();
	wait_for_completion(&taker.done);

	KUNIT_EXPECT_TRUE(test, waits);
	KUNIT_EXPECT_EQ(test, not_isolated, 0);
	KUNIT_EXPECT_EQ(test, offline, 0);
	KUNIT_EXPECT_EQ(test, rc, -EBUSY);

	KUNIT_ASSERT_EQ(test, taker.rc, 0);
	expect_offline(test, pfn, taker.nr_pages, PLAIN);
	for (i = 0; i < taker.nr_pages; i++)
		KUNIT_ASSERT_FALSE(test, is_migrate_isolate_page(pfn_to_page(pfn + i)));
	free_offline_page_range(pfn, taker.nr_pages);
	expect_freed(test, pfn, taker.nr_pages);
}

/* A thread that takes as many pages offline, wherever. */
static int contig_taker_thread(void *data)
{
	struct taker *taker = data;
	struct page *page;

	page = alloc_offline_pages_contig(taker->nr_pages, GFP_KERNEL,
					  numa_mem_id(), NULL);
	taker->pfn = page ? page_to_pfn(page) : 0;
	taker->rc = page ? 0 : -ENOMEM;
	complete(&taker->done);
	return 0;
}

static unsigned long count_isolated(void)
{
	unsigned long pfn, isolated = 0;

	for (pfn = 0; pfn <= highest_memmap_pfn; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && zone_spans_pfn(page_zone(page), pfn) &&
		    is_migrate_isolate_page(page))
			isolated += pageblock_nr_pages;
	}
	return isolated;
}

/* As range_waits_for_readers, where the range is not known beforehand. */
static void contig_waits_for_readers(struct kunit *test)
{
	struct taker taker = { .nr_pages = MAX_ORDER_NR_PAGES };
	const unsigned long end = jiffies + 30 * HZ;
	unsigned long isolated = 0;
	struct task_struct *task;
	bool waits;

	init_completion(&taker.done);
	page_offline_freeze();
	task = kthread_run(contig_taker_thread, &taker, "taker");
	if (IS_ERR(task)) {
		page_offline_thaw();
		KUNIT_FAIL_AND_ABORT(test, "no thread");
	}
	while (!count_isolated() && time_before(jiffies, end) &&
	       !completion_done(&taker.done))
		schedule_timeout_uninterruptible(1);
	/* It may have some work to do before it waits. */
	waits = !wait_for_completion_timeout(&taker.done, HZ);
	isolated = count_isolated();
	page_offline_thaw();
	if (waits)
		wait_for_completion(&taker.done);

	KUNIT_EXPECT_TRUE(test, waits);
	KUNIT_EXPECT_EQ(test, isolated, taker.nr_pages);

	KUNIT_ASSERT_EQ(test, taker.rc, 0);
	expect_offline(test, taker.pfn, taker.nr_pages, PLAIN);
	KUNIT_EXPECT_EQ(test, count_isolated(), 0);
	free_offline_page_range(taker.pfn, taker.nr_pages);
	expect_freed(test, taker.pfn, taker.nr_pages);
}

static int nonwaiter_thread(void *data)
{
	struct taker *taker = data;
	struct page *page = alloc_offline_pages(GFP_KERNEL, 3);

	taker->rc = page ? 0 : -ENOMEM;
	if (page)
		free_offline_page_range(page_to_pfn(page), 8);
	free_offline_page_range(taker->pfn, taker->nr_pages);
	complete(&taker->done);
	return 0;
}

/* Callers that cannot wait do not have to; nobody waits in order to free. */
static void pages_do_not_wait_for_readers(struct kunit *test)
{
	struct taker taker = { .nr_pages = MAX_ORDER_NR_PAGES };
	struct task_struct *task;
	bool done = false;

	taker.pfn = take_range(test, taker.nr_pages);
	init_completion(&taker.done);

	page_offline_freeze();
	task = kthread_run(nonwaiter_thread, &taker, "nonwaiter");
	if (!IS_ERR(task))
		done = wait_for_completion_timeout(&taker.done, 30 * HZ);
	page_offline_thaw();
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	if (!done)
		wait_for_completion(&taker.done);

	KUNIT_EXPECT_TRUE(test, done);
	KUNIT_EXPECT_EQ(test, taker.rc, 0);
	expect_freed(test, taker.pfn, taker.nr_pages);
}

static struct kunit_case offline_page_race_cases[] = {
	KUNIT_CASE(hammer_pages),
	KUNIT_CASE(hammer_range),
	KUNIT_CASE(hammer_block),
	KUNIT_CASE(range_waits_for_readers),
	KUNIT_CASE(contig_waits_for_readers),
	KUNIT_CASE(pages_do_not_wait_for_readers),
	{}
};

static struct kunit_suite offline_page_race_suite = {
	.name = "offline_page_race",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_race_cases,
};

kunit_test_suite(offline_page_race_suite);
