// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the VMware balloon driver, drivers/misc/vmw_balloon.c as it is, with a fake host.
 *
 * Boot with two NUMA nodes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/umh.h>

#include "balloon_count.h"
#include "vmw_balloon_kunit_host.h"

/* What is free comes and goes a little; a balloon, or a leak that is repeated, is more. */
#define FREE_TOLERANCE	1024
#define MANY		(2 * FREE_TOLERANCE)

/* The driver stops to deflate, and does not begin to, this close to its target. */
#define SLACK		HUGE_FRAMES

static struct {
	bool loaded;
	long free;
	unsigned long totalram;
	long counted[MAX_NUMNODES];
} before;

/* The references that a ballooned page has, if nobody looks at it at this moment. */
static int ballooned_page_refs(unsigned long pfn, bool huge)
{
	return !huge || IS_ALIGNED(pfn, HUGE_FRAMES) ? 1 : 0;
}

/* What of MemTotal goes away with that many ballooned pages: this driver leaves them in it. */
static unsigned long ballooned_pages_of_totalram(unsigned long frames)
{
	return 0;
}

/*
 * Expect the frames that the host has, the size that the driver believes in, and the pages that
 * the kernel shows as ballooned, to be the very same ones.
 */
static void expect_size(struct kunit *test, unsigned long frames)
{
	unsigned long pfn, shown = 0, tries = 0;

	KUNIT_EXPECT_STREQ(test, host.complaint ?: "", "");
	KUNIT_EXPECT_EQ_MSG(test, host.complaint_pfn, 0, "the complaint is about this frame");
	KUNIT_EXPECT_EQ(test, host.nr_held, frames);
	KUNIT_EXPECT_EQ(test, atomic64_read(&balloon.size), frames);
	KUNIT_EXPECT_EQ(test, totalram_pages(),
			before.totalram - ballooned_pages_of_totalram(frames));

	for (pfn = 0; pfn < host.max_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);
		const u8 held = host.held[pfn];

		if (!page)
			continue;
		shown += page_is_ballooned(page);
		if (page_is_ballooned(page) == !!held &&
		    (!held || page_ref_count(page) == ballooned_page_refs(pfn, held == HELD_2M)))
			continue;
		/* Somebody who looks at all pages may have taken a reference. */
		if (tries++ < 100) {
			shown -= page_is_ballooned(page);
			pfn--;
			msleep(20);
			continue;
		}
		dump_page(page, "not as the host has it");
		KUNIT_FAIL(test, "page %#lx: held by the host as %u, %s, refcount %d", pfn, held,
			   page_is_ballooned(page) ? "ballooned" : "not ballooned",
			   page_ref_count(page));
		return;
	}
	KUNIT_EXPECT_EQ(test, shown, frames);
}

static long held_on(int nid)
{
	unsigned long pfn;
	long held = 0;

	for (pfn = node_start_pfn(nid); pfn < node_end_pfn(nid); pfn++)
		held += host.held[pfn] != NOT_HELD && page_to_nid(pfn_to_page(pfn)) == nid;
	return held;
}

/* Expect what /proc/meminfo and the nodes' meminfo show to be right, node by node. */
static void expect_counted(struct kunit *test)
{
	int nid;

	for_each_online_node(nid) {
		const long expected = before.counted[nid] + held_on(nid);

		KUNIT_EXPECT_EQ_MSG(test, count_balloon_pages(nid, expected), expected,
				    "NR_BALLOON_PAGES of node %d", nid);
	}
}

static void expect(struct kunit *test, unsigned long frames)
{
	expect_size(test, frames);
	expect_counted(test);
}

/* After a deflation that was not to 0. */
static void expect_about(struct kunit *test, unsigned long frames)
{
	const unsigned long size = atomic64_read(&balloon.size);

	KUNIT_EXPECT_GE(test, size, frames);
	KUNIT_EXPECT_LT(test, size, frames + SLACK);
	expect(test, size);
}

static void expect_free(struct kunit *test)
{
	const long expected = before.free - FREE_TOLERANCE;

	KUNIT_EXPECT_GE(test, count_free(expected), expected);
}

static void load(struct kunit *test, unsigned long capabilities)
{
	host.capabilities = capabilities;
	host.target = 0;

	/* As a freshly loaded module would be. */
	memset(&balloon, 0, sizeof(balloon));
	static_branch_enable(&vmw_balloon_batching);

	KUNIT_ASSERT_EQ(test, vmballoon_init(), 0);
	before.loaded = true;
	flush_delayed_work(&balloon.dwork);
	KUNIT_ASSERT_TRUE(test, host.started);
	KUNIT_ASSERT_FALSE(test, balloon.reset_required);
}

/* Let the driver do now what it does once in a second. */
static void work(void)
{
	mod_delayed_work(system_freezable_wq, &balloon.dwork, 0);
	flush_work(&balloon.dwork.work);
}

static void resize(unsigned long target)
{
	host.target = target;
	work();
}

static int unload_thread(void *done)
{
	vmballoon_exit();
	complete(done);
	return 0;
}

/* Returns whether the driver went by itself. */
static bool unload(void)
{
	static struct completion done;
	bool good;

	before.loaded = false;
	init_completion(&done);
	if (IS_ERR(kthread_run(unload_thread, &done, "unload")))
		return false;

	good = wait_for_completion_timeout(&done, 30 * HZ);
	if (good)
		return true;

	/* It looks for pages for ever. Make it look everywhere, then make it stop. */
	WRITE_ONCE(balloon.max_page_size, VMW_BALLOON_2M_PAGE);
	if (!wait_for_completion_timeout(&done, 10 * HZ)) {
		atomic64_set(&balloon.size, 0);
		wait_for_completion(&done);
	}
	return false;
}

/* The end of a case: nothing is left behind. */
static void expect_gone(struct kunit *test)
{
	KUNIT_EXPECT_TRUE_MSG(test, unload(), "unloading did not end");
	KUNIT_EXPECT_FALSE(test, host.started);
	KUNIT_EXPECT_PTR_EQ(test, host.doorbell, NULL);
	expect(test, 0);
	expect_free(test);
}

/* Cases of the protocol */

static void test_legacy(struct kunit *test)
{
	load(test, LEGACY);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&balloon.dwork));
	resize(2000);
	expect(test, 2000);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&balloon.dwork));
	resize(1000);
	expect_about(test, 1000);
	resize(3000);
	expect(test, 3000);
	resize(0);
	expect(test, 0);
	KUNIT_EXPECT_EQ(test, host.calls[VMW_BALLOON_CMD_BATCHED_LOCK], 0);
	expect_gone(test);
}

static void test_batched_4k(struct kunit *test)
{
	load(test, BATCHED_4K);
	resize(8192);
	expect(test, 8192);
	KUNIT_EXPECT_EQ(test, host.calls[VMW_BALLOON_CMD_BATCHED_LOCK], 16);
	resize(8192 + 77);
	expect(test, 8192 + 77);
	resize(4000);
	expect_about(test, 4000);
	resize(0);
	expect(test, 0);
	KUNIT_EXPECT_EQ(test, host.calls[VMW_BALLOON_CMD_LOCK], 0);
	expect_gone(test);
}

static void test_batched_2m(struct kunit *test)
{
	load(test, BATCHED_2M);
	resize(16384);
	expect(test, 16384);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 16384);
	/* The last page is too large by up to one frame less than it has. */
	resize(16384 + 77);
	expect(test, 16384 + HUGE_FRAMES);
	/* It goes below, and is as much above after that. */
	resize(8000);
	expect(test, 15 * HUGE_FRAMES);
	work();
	expect(test, 16 * HUGE_FRAMES);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 16 * HUGE_FRAMES);
	resize(0);
	expect(test, 0);
	KUNIT_EXPECT_EQ(test, host.calls[VMW_BALLOON_CMD_BATCHED_LOCK], 0);
	expect_gone(test);
}

static void test_doorbell(struct kunit *test)
{
	load(test, BATCHED_4K | VMW_BALLOON_SIGNALLED_WAKEUP_CMD);
	KUNIT_ASSERT_PTR_NE(test, host.doorbell, NULL);
	KUNIT_EXPECT_TRUE(test, host.doorbell_enabled);

	host.target = 1000;
	host.doorbell(host.doorbell_data);
	flush_work(&balloon.dwork.work);
	expect(test, 1000);

	expect_gone(test);
	KUNIT_EXPECT_FALSE(test, host.doorbell_enabled);
}

/* Refusals */

static unsigned long refused_cmd, refused_left, refused_step, refused_frames;

/* The first so many pages of one command, and of these only one in so many. */
static bool refuse_first(unsigned long cmd, unsigned long pfn)
{
	static unsigned long asked;

	if (cmd != refused_cmd || !refused_left || asked++ % refused_step)
		return false;
	refused_left--;
	refused_frames++;
	return true;
}

static void refuse(unsigned long cmd, unsigned long number, unsigned long step)
{
	refused_cmd = cmd;
	refused_left = number;
	refused_step = step;
	refused_frames = 0;
	host.refuse = refuse_first;
}

static void test_legacy_refused(struct kunit *test)
{
	load(test, LEGACY);
	refuse(VMW_BALLOON_CMD_LOCK, 3, 10);
	resize(100);
	/* Each refusal ends what the driver does in this second. */
	KUNIT_EXPECT_LT(test, atomic64_read(&balloon.size), 100);
	expect(test, atomic64_read(&balloon.size));
	work();
	work();
	work();
	KUNIT_EXPECT_EQ(test, refused_frames, 3);
	expect(test, 100);

	refuse(VMW_BALLOON_CMD_UNLOCK, 3, 10);
	resize(0);
	KUNIT_EXPECT_GT(test, atomic64_read(&balloon.size), 0);
	expect(test, atomic64_read(&balloon.size));
	work();
	work();
	work();
	KUNIT_EXPECT_EQ(test, refused_frames, 3);
	expect(test, 0);
	expect_gone(test);
}

static void test_refused_4k(struct kunit *test)
{
	load(test, BATCHED_4K);

	/* Few: others are taken. */
	refuse(VMW_BALLOON_CMD_BATCHED_LOCK, VMW_BALLOON_MAX_REFUSED - 1, 7);
	resize(8192);
	KUNIT_EXPECT_EQ(test, refused_frames, VMW_BALLOON_MAX_REFUSED - 1);
	expect(test, 8192);
	resize(0);
	expect(test, 0);

	/* Many: that ends the attempt, and the next one goes on. */
	refuse(VMW_BALLOON_CMD_BATCHED_LOCK, VMW_BALLOON_MAX_REFUSED, 7);
	resize(8192);
	KUNIT_EXPECT_EQ(test, refused_frames, VMW_BALLOON_MAX_REFUSED);
	expect(test, 512 - VMW_BALLOON_MAX_REFUSED);
	expect_free(test);
	work();
	expect(test, 8192);

	/* All */
	resize(0);
	refuse(VMW_BALLOON_CMD_BATCHED_LOCK, MANY, 1);
	resize(8192);
	expect(test, 0);
	expect_gone(test);
}

static void test_refused_2m_few(struct kunit *test)
{
	load(test, BATCHED_2M);
	refuse(VMW_BALLOON_CMD_BATCHED_2M_LOCK, VMW_BALLOON_MAX_REFUSED - 1, 2);
	resize(16384);
	KUNIT_EXPECT_EQ(test, refused_frames, VMW_BALLOON_MAX_REFUSED - 1);
	expect(test, 16384);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 16384);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/*
 * The first so many large pages are refused, the first of these because of one bad frame each. The
 * driver splits them all.
 */
#define SPLIT_BLOCKS	(VMW_BALLOON_MAX_REFUSED + 4)
#define BAD_BLOCKS	(VMW_BALLOON_MAX_REFUSED - 6)
static unsigned long split_blocks[SPLIT_BLOCKS], nr_split;

static bool refuse_bad(unsigned long cmd, unsigned long pfn)
{
	unsigned long i;

	if (cmd == VMW_BALLOON_CMD_BATCHED_2M_LOCK && nr_split < SPLIT_BLOCKS) {
		split_blocks[nr_split++] = pfn;
		return true;
	}
	for (i = 0; i < min(nr_split, BAD_BLOCKS); i++)
		if (pfn == split_blocks[i] + 5)
			return true;
	return false;
}

static void test_refused_2m_are_split(struct kunit *test)
{
	const unsigned long large = 16384 - SPLIT_BLOCKS * HUGE_FRAMES;
	unsigned long i, split = 0;

	load(test, BATCHED_2M);
	nr_split = 0;
	host.refuse = refuse_bad;
	resize(16384);

	/* The host has all frames of these pages but the bad ones, and others instead of them. */
	KUNIT_ASSERT_EQ(test, nr_split, SPLIT_BLOCKS);
	for (i = 0; i < SPLIT_BLOCKS * HUGE_FRAMES; i++)
		split += host.held[split_blocks[i / HUGE_FRAMES] + i % HUGE_FRAMES] == HELD_4K;
	KUNIT_EXPECT_EQ(test, split, SPLIT_BLOCKS * HUGE_FRAMES - BAD_BLOCKS);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, large);
	expect(test, 16384);

	/* 4k pages first, then the large ones */
	resize(large);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, large);
	expect_about(test, large);
	resize(0);
	expect(test, 0);

	/* What is left over of the last one is free again. */
	nr_split = 0;
	resize(HUGE_FRAMES * SPLIT_BLOCKS - 100);
	expect(test, HUGE_FRAMES * SPLIT_BLOCKS - 100);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 0);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* What debugfs shows of large pages */
static long statistic(enum vmballoon_stat_page stat)
{
	return atomic64_read(&balloon.stats->page_stat[stat][VMW_BALLOON_2M_PAGE]);
}

static void test_refused_statistics(struct kunit *test)
{
	load(test, BATCHED_2M);
	KUNIT_ASSERT_EQ(test, vmballoon_enable_stats(&balloon), 0);

	refuse(VMW_BALLOON_CMD_BATCHED_2M_LOCK, 5, 1);
	resize(8192);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 8192);
	KUNIT_EXPECT_EQ(test, statistic(VMW_BALLOON_PAGE_STAT_ALLOC), 16 + 5);
	KUNIT_EXPECT_EQ(test, statistic(VMW_BALLOON_PAGE_STAT_REFUSED_ALLOC), 5);
	KUNIT_EXPECT_EQ(test, statistic(VMW_BALLOON_PAGE_STAT_REFUSED_FREE), 5);
	resize(0);
	KUNIT_EXPECT_EQ(test, statistic(VMW_BALLOON_PAGE_STAT_FREE), 16);
	expect_gone(test);
}

static void deflate_refused(struct kunit *test, unsigned long capabilities,
			    unsigned long cmd, unsigned long frames)
{
	load(test, capabilities);
	resize(16384);
	expect(test, 16384);

	/* What is refused goes back where it was. */
	refuse(cmd, 5, 3);
	resize(0);
	KUNIT_EXPECT_EQ(test, refused_frames, 5);
	KUNIT_EXPECT_GE(test, atomic64_read(&balloon.size), 5 * frames);
	expect(test, atomic64_read(&balloon.size));
	work();
	expect(test, 0);
	expect_gone(test);
}

static void test_deflate_refused_4k(struct kunit *test)
{
	deflate_refused(test, BATCHED_4K, VMW_BALLOON_CMD_BATCHED_UNLOCK, 1);
}

static void test_deflate_refused_2m(struct kunit *test)
{
	deflate_refused(test, BATCHED_2M, VMW_BALLOON_CMD_BATCHED_2M_UNLOCK, HUGE_FRAMES);
}

/* Reset */

static unsigned long reset_cmd, reset_after;

/* The host resets in the middle of it. */
static bool reset_then(unsigned long cmd, unsigned long pfn)
{
	if (cmd == reset_cmd && reset_after && !--reset_after) {
		host_reset();
		return true;
	}
	return false;
}

static void reset_during(struct kunit *test, unsigned long capabilities, unsigned long target,
			 unsigned long cmd, unsigned long after)
{
	const unsigned long unlocked = host.calls[VMW_BALLOON_CMD_BATCHED_UNLOCK];
	const unsigned long size = atomic64_read(&balloon.size);

	host.capabilities = capabilities;
	reset_cmd = cmd;
	reset_after = after;
	host.refuse = reset_then;
	resize(target);
	if (after) {
		/* The guest still has what it had; the next second it knows better. */
		KUNIT_EXPECT_EQ(test, reset_after, 0);
		KUNIT_EXPECT_TRUE(test, balloon.reset_required);
		if (target > size)
			KUNIT_EXPECT_LE(test, atomic64_read(&balloon.size), target);
	} else {
		host_reset();
		work();
	}
	work();
	expect(test, target);
	if (target > size)
		KUNIT_EXPECT_EQ(test, unlocked, host.calls[VMW_BALLOON_CMD_BATCHED_UNLOCK]);
}

static void test_reset(struct kunit *test)
{
	load(test, BATCHED_4K);
	reset_during(test, BATCHED_4K, 8192, 0, 0);
	reset_during(test, BATCHED_4K, 16384, VMW_BALLOON_CMD_BATCHED_LOCK, 3000);
	reset_during(test, BATCHED_4K, 0, VMW_BALLOON_CMD_BATCHED_UNLOCK, 3000);
	expect_free(test);
	expect_gone(test);
}

static void test_reset_2m(struct kunit *test)
{
	load(test, BATCHED_2M);
	reset_during(test, BATCHED_2M, 8192, 0, 0);
	reset_during(test, BATCHED_2M, 32768, VMW_BALLOON_CMD_BATCHED_2M_LOCK, 20);
	reset_during(test, BATCHED_2M, 0, VMW_BALLOON_CMD_BATCHED_2M_UNLOCK, 20);
	expect_free(test);
	expect_gone(test);
}

/* Moved to another host, which can do more, or less. */
static void test_reset_to_another_host(struct kunit *test)
{
	load(test, BATCHED_2M | VMW_BALLOON_SIGNALLED_WAKEUP_CMD);
	resize(8192);
	expect(test, 8192);
	reset_during(test, LEGACY, 8192, 0, 0);
	KUNIT_EXPECT_PTR_EQ(test, host.doorbell, NULL);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 0);
	reset_during(test, BATCHED_4K | VMW_BALLOON_SIGNALLED_WAKEUP_CMD, 8192, 0, 0);
	KUNIT_EXPECT_PTR_NE(test, host.doorbell, NULL);
	reset_during(test, BATCHED_2M, 8192, 0, 0);
	KUNIT_EXPECT_EQ(test, host.nr_held_2m, 8192);
	reset_during(test, VMW_BALLOON_BASIC_CMDS, 8192, 0, 0);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

static void test_reset_frees_the_batch_page(struct kunit *test)
{
	unsigned long i;

	load(test, BATCHED_4K);
	for (i = 0; i < MANY; i++) {
		host_reset();
		work();		/* is told */
		work();		/* resets */
	}
	KUNIT_EXPECT_GE(test, host.calls[VMW_BALLOON_CMD_START], MANY);
	expect_free(test);
	expect_gone(test);
}

/* Unloading */

/* A page that was freed just now is free, unless somebody else has got it already. */
static void test_unload_frees_the_batch_page(struct kunit *test)
{
	unsigned int i, freed = 0;

	for (i = 0; i < 32; i++) {
		struct page *page;

		load(test, BATCHED_4K);
		KUNIT_ASSERT_NOT_NULL(test, balloon.batch_page);
		page = virt_to_page(balloon.batch_page);
		KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
		vmballoon_exit();
		before.loaded = false;
		freed += page_ref_count(page) == 0;
	}
	KUNIT_EXPECT_GE(test, freed, 16);
}

static void test_unload_inflated(struct kunit *test)
{
	load(test, BATCHED_4K);
	resize(8192);
	expect(test, 8192);
	expect_gone(test);
}

/* Unloading tells the host to forget what was agreed on: large pages come back nevertheless. */
static void test_unload_inflated_2m(struct kunit *test)
{
	load(test, BATCHED_2M);
	resize(8192);
	expect_size(test, 8192);
	KUNIT_EXPECT_TRUE_MSG(test, unload(), "unloading did not end");
	KUNIT_EXPECT_FALSE(test, host.started);
	expect_size(test, 0);
	expect_free(test);
}

static struct completion in_start, go_on;
static struct task_struct *unloader;

static void pause_in_start(unsigned long cmd)
{
	if (cmd == VMW_BALLOON_CMD_START && current != unloader) {
		complete(&in_start);
		/* Until the doorbell was taken off, or the driver waits for us. */
		wait_for_completion_timeout(&go_on, 2 * HZ);
	} else if (cmd == VMW_BALLOON_CMD_VMCI_DOORBELL_SET && current == unloader) {
		complete(&go_on);
	}
}

/* The doorbell has to be gone, or the host rings in code that is. */
static void test_unload_during_reset(struct kunit *test)
{
	load(test, BATCHED_4K | VMW_BALLOON_SIGNALLED_WAKEUP_CMD);
	init_completion(&in_start);
	init_completion(&go_on);
	unloader = current;
	host.before = pause_in_start;
	host_reset();
	work();
	mod_delayed_work(system_freezable_wq, &balloon.dwork, 0);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&in_start, 10 * HZ), 0);
	vmballoon_exit();
	before.loaded = false;
	host.before = NULL;
	KUNIT_EXPECT_PTR_EQ(test, host.doorbell, NULL);
	KUNIT_EXPECT_FALSE(test, host.doorbell_enabled);
	KUNIT_EXPECT_FALSE(test, host.started);
	expect(test, 0);
}

/* Migration */

/* The pageblock of a node with the most 4k pages of the balloon in it. */
static unsigned long fullest_block(struct kunit *test, int nid, unsigned long *frames)
{
	unsigned long start, pfn, best = 0;

	*frames = 0;
	for (start = ALIGN(node_start_pfn(nid), pageblock_nr_pages);
	     start + pageblock_nr_pages <= node_end_pfn(nid); start += pageblock_nr_pages) {
		unsigned long here = 0;

		for (pfn = start; pfn < start + pageblock_nr_pages; pfn++)
			here += host.held[pfn] == HELD_4K;
		if (here <= *frames)
			continue;
		*frames = here;
		best = start;
	}
	KUNIT_ASSERT_GT(test, *frames, pageblock_nr_pages / 2);
	return best;
}

static unsigned long inflated_block(struct kunit *test, unsigned long *frames)
{
	struct page *page = list_first_entry(&balloon.b_dev_info.pages, struct page, lru);

	return fullest_block(test, page_to_nid(page), frames);
}

/* All pages of the block move, or none stays allocated to us. */
static int empty_block(unsigned long start)
{
	const int error = alloc_contig_range(start, start + pageblock_nr_pages, ACR_FLAGS_NONE,
					     GFP_KERNEL);

	if (!error)
		free_contig_range(start, pageblock_nr_pages);
	return error;
}

static void migrate(struct kunit *test, unsigned long capabilities)
{
	const unsigned long unlock = capabilities == LEGACY ? VMW_BALLOON_CMD_UNLOCK :
						     VMW_BALLOON_CMD_BATCHED_UNLOCK;
	unsigned long start, frames, pfn, left = 0;

	load(test, capabilities);
	resize(8192);
	expect(test, 8192);

	start = inflated_block(test, &frames);
	KUNIT_EXPECT_EQ(test, host.calls[unlock], 0);
	KUNIT_EXPECT_EQ(test, empty_block(start), 0);
	KUNIT_EXPECT_GE(test, host.calls[unlock], frames);
	for (pfn = start; pfn < start + pageblock_nr_pages; pfn++)
		left += host.held[pfn] != NOT_HELD;
	KUNIT_EXPECT_EQ(test, left, 0);
	expect(test, 8192);

	resize(0);
	expect(test, 0);
	expect_gone(test);
}

static void test_migrate_legacy(struct kunit *test)
{
	migrate(test, LEGACY);
}

static void test_migrate_batched(struct kunit *test)
{
	migrate(test, BATCHED_4K);
}

/* Large pages do not move. */
static void test_migrate_2m(struct kunit *test)
{
	unsigned long pfn;

	load(test, BATCHED_2M);
	resize(8192);
	pfn = page_to_pfn(list_first_entry(&balloon.huge_pages, struct page, lru));
	KUNIT_EXPECT_EQ(test, empty_block(pfn), -EBUSY);
	expect(test, 8192);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* The host keeps the old page: all stays as it is. */
static void test_migrate_unlock_refused(struct kunit *test)
{
	unsigned long start, frames;

	load(test, BATCHED_4K);
	resize(8192);
	start = inflated_block(test, &frames);
	refuse(VMW_BALLOON_CMD_BATCHED_UNLOCK, ULONG_MAX, 1);
	KUNIT_EXPECT_EQ(test, empty_block(start), -EBUSY);
	KUNIT_EXPECT_GT(test, refused_frames, 0);
	host.refuse = NULL;
	expect(test, 8192);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* The host gives the old page back and does not want the new one: the balloon is smaller then. */
static void test_migrate_lock_refused(struct kunit *test)
{
	unsigned long start, frames;

	load(test, BATCHED_4K);
	resize(8192);
	start = inflated_block(test, &frames);
	refuse(VMW_BALLOON_CMD_BATCHED_LOCK, 100, 1);
	KUNIT_EXPECT_EQ(test, empty_block(start), 0);
	KUNIT_EXPECT_EQ(test, refused_frames, 100);
	host.refuse = NULL;
	expect(test, 8192 - 100);
	work();
	expect(test, 8192);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/*
 * Empty a block of this node while nothing is free here, not even what is left for others. What
 * they give back meanwhile may be room enough again.
 */
static int empty_block_of_full_node(struct kunit *test, int nid)
{
	unsigned long frames;
	const unsigned long start = fullest_block(test, nid, &frames);
	struct page *page, *next;
	LIST_HEAD(others);
	int error;

	while ((page = alloc_pages_node(nid, __GFP_HIGH | __GFP_THISNODE | __GFP_NOWARN, 0)))
		list_add(&page->lru, &others);
	error = empty_block(start);
	list_for_each_entry_safe(page, next, &others, lru)
		__free_page(page);
	return error;
}

/* The counters of both nodes follow. */
static void test_migrate_to_another_node(struct kunit *test)
{
	int nid, tries = 10;
	long held;

	if (num_online_nodes() < 2)
		kunit_skip(test, "needs two nodes");

	load(test, BATCHED_4K);
	resize(8192);
	expect(test, 8192);
	nid = page_to_nid(list_first_entry(&balloon.b_dev_info.pages, struct page, lru));
	held = held_on(nid);

	do {
		KUNIT_EXPECT_EQ(test, empty_block_of_full_node(test, nid), 0);
	} while (held_on(nid) >= held && --tries);

	KUNIT_EXPECT_LT(test, held_on(nid), held);
	expect(test, 8192);

	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* The host resets while pages move. */
static void test_migrate_reset(struct kunit *test)
{
	unsigned long start, frames;

	load(test, BATCHED_4K);
	resize(8192);
	start = inflated_block(test, &frames);
	reset_cmd = VMW_BALLOON_CMD_BATCHED_UNLOCK;
	reset_after = 50;
	host.refuse = reset_then;
	KUNIT_EXPECT_EQ(test, empty_block(start), -EBUSY);
	KUNIT_EXPECT_TRUE(test, balloon.reset_required);
	host.refuse = NULL;
	work();
	expect(test, 8192);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* Memory pressure */

/* A thread of the kernel does not see the /proc of init. */
static void shrink_all(struct kunit *test)
{
	static const char * const argv[] = {
		"/bin/sh", "-c", "echo 2 >/proc/sys/vm/drop_caches", NULL
	};

	KUNIT_ASSERT_EQ(test, call_usermodehelper(argv[0], (char **)argv, NULL, UMH_WAIT_PROC), 0);
}

static void shrink(struct kunit *test, unsigned long capabilities)
{
	const unsigned long start = jiffies;

	vmwballoon_shrinker_enable = true;
	load(test, capabilities);
	KUNIT_ASSERT_PTR_NE(test, balloon.shrinker, NULL);
	resize(16384);
	expect(test, 16384);

	shrink_all(test);
	KUNIT_EXPECT_LT(test, atomic64_read(&balloon.size), 16384 / 2);
	expect(test, atomic64_read(&balloon.size));

	/* It does not grow again at once, which can be long ago on a slow machine. */
	KUNIT_EXPECT_TRUE(test, time_after(READ_ONCE(balloon.shrink_timeout), start));
	WRITE_ONCE(balloon.shrink_timeout, jiffies + 3600 * HZ);
	work();
	KUNIT_EXPECT_LT(test, atomic64_read(&balloon.size), 16384 / 2);
	WRITE_ONCE(balloon.shrink_timeout, jiffies - 1);
	work();
	expect(test, 16384);

	/* The host wants to keep some: they stay. */
	refuse(capabilities == BATCHED_2M ? VMW_BALLOON_CMD_BATCHED_2M_UNLOCK :
	       VMW_BALLOON_CMD_BATCHED_UNLOCK, ULONG_MAX, 2);
	shrink_all(test);
	KUNIT_EXPECT_GT(test, refused_frames, 0);
	KUNIT_EXPECT_LT(test, atomic64_read(&balloon.size), 16384);
	expect(test, atomic64_read(&balloon.size));
	host.refuse = NULL;

	resize(0);
	expect(test, 0);
	expect_gone(test);
}

static void test_shrinker_4k(struct kunit *test)
{
	shrink(test, BATCHED_4K);
}

static void test_shrinker_2m(struct kunit *test)
{
	shrink(test, BATCHED_2M);
}

static int vmw_balloon_init(struct kunit *test)
{
	int nid;

	before.free = count_free(0);
	before.totalram = totalram_pages();
	for_each_online_node(nid)
		before.counted[nid] = count_balloon_pages(nid, 0);
	return host_init();
}

static void vmw_balloon_exit(struct kunit *test)
{
	/* A case that ended early. */
	host.lie = NULL;
	host.scribble = NULL;
	host.refuse = NULL;
	host.before = NULL;
	if (before.loaded)
		unload();
	vmwballoon_shrinker_enable = false;
	host_exit();
}

#include "vmw_balloon_kunit_hostile.h"

static struct kunit_case vmw_balloon_cases[] = {
	KUNIT_CASE(test_legacy),
	KUNIT_CASE(test_batched_4k),
	KUNIT_CASE(test_batched_2m),
	KUNIT_CASE(test_doorbell),
	KUNIT_CASE(test_legacy_refused),
	KUNIT_CASE(test_refused_4k),
	KUNIT_CASE(test_refused_2m_few),
	KUNIT_CASE(test_refused_2m_are_split),
	KUNIT_CASE(test_refused_statistics),
	KUNIT_CASE(test_deflate_refused_4k),
	KUNIT_CASE(test_deflate_refused_2m),
	KUNIT_CASE(test_reset),
	KUNIT_CASE(test_reset_2m),
	KUNIT_CASE(test_reset_to_another_host),
	KUNIT_CASE(test_reset_frees_the_batch_page),
	KUNIT_CASE(test_unload_frees_the_batch_page),
	KUNIT_CASE(test_unload_inflated),
	KUNIT_CASE(test_unload_inflated_2m),
	KUNIT_CASE(test_unload_during_reset),
	KUNIT_CASE(test_migrate_legacy),
	KUNIT_CASE(test_migrate_batched),
	KUNIT_CASE(test_migrate_2m),
	KUNIT_CASE(test_migrate_unlock_refused),
	KUNIT_CASE(test_migrate_lock_refused),
	KUNIT_CASE(test_migrate_to_another_node),
	KUNIT_CASE(test_migrate_reset),
	KUNIT_CASE(test_shrinker_4k),
	KUNIT_CASE(test_shrinker_2m),
	{}
};

static struct kunit_suite vmw_balloon_suite = {
	.name = "vmw_balloon",
	.attr = { .speed = KUNIT_SPEED_SLOW },
	.init = vmw_balloon_init,
	.exit = vmw_balloon_exit,
	.test_cases = vmw_balloon_cases,
};

kunit_test_suites(&vmw_balloon_suite, &vmw_balloon_hostile_suite);
