// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the CMM of pseries, arch/powerpc/platforms/pseries/cmm.c as it
 * is, with a fake hypervisor, which may refuse what the driver wants.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/mm.h>

#include "balloon_count.h"
#include "cmm_kunit_host.h"

#define ALL_CHUNKS	GENMASK(CHUNKS - 1, 0)

/* What is free comes and goes a little; a leak that is repeated is more. */
#define FREE_TOLERANCE	512
#define MANY		(2 * FREE_TOLERANCE)

static struct {
	bool loaded;
	unsigned long totalram;
	long counted;
} before;

/*
 * Expect the driver, MemTotal, NR_BALLOON_PAGES and struct page to agree. Each
 * ballooned page is one that the host has, wholly; the host may have others
 * that it did not give back.
 */
static void expect_balloon(struct kunit *test, unsigned long pages)
{
	unsigned long pfn, shown = 0;

	KUNIT_EXPECT_STREQ(test, host.complaint ?: "", "");
	KUNIT_EXPECT_EQ_MSG(test, host.complaint_pfn, 0, "the complaint is about this frame");
	KUNIT_EXPECT_EQ(test, atomic_long_read(&loaned_pages), pages);
	KUNIT_EXPECT_EQ(test, totalram_pages(), before.totalram - pages);
	KUNIT_EXPECT_EQ(test, count_balloon_pages(first_memory_node, before.counted + pages),
			before.counted + pages);
	KUNIT_EXPECT_EQ(test, b_dev_info.isolated_pages, 0);

	for (pfn = 0; pfn < host.max_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || !page_is_ballooned(page))
			continue;
		shown++;
		if (page_ref_count(page) == 1 && host.loaned[pfn] == ALL_CHUNKS)
			continue;
		dump_page(page, "not as the host has it");
		KUNIT_FAIL(test, "page %#lx: chunks %#x are loaned, refcount %d", pfn,
			   host.loaned[pfn], page_ref_count(page));
		return;
	}
	KUNIT_EXPECT_EQ(test, shown, pages);
}

/* The same, and the host has no other pages. */
static void expect(struct kunit *test, unsigned long pages)
{
	expect_balloon(test, pages);
	KUNIT_EXPECT_EQ(test, host.nr_loaned, pages);
}

static void load(struct kunit *test)
{
	/* As a freshly loaded module would be. */
	atomic_long_set(&loaned_pages, 0);
	loaned_pages_target = 0;
	oom_freed_pages = 0;
	hotplug_occurred = 0;
	cmm_disabled = 0;
	cmm_thread_ptr = NULL;
	memset(&cmm_dev, 0, sizeof(cmm_dev));

	KUNIT_ASSERT_EQ(test, cmm_init(), 0);
	before.loaded = true;
}

static void unload(void)
{
	before.loaded = false;
	cmm_exit();
}

static void resize(unsigned long target)
{
	host.target = target;
	work();
}

/* The end of a case: nothing is left behind. */
static void expect_gone(struct kunit *test)
{
	unload();
	expect(test, 0);
}

static void test_inflate_and_deflate(struct kunit *test)
{
	static const unsigned long sizes[] = { 1, 500, 2000, 300, 4000, 0 };
	int i;

	load(test);
	expect(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		resize(sizes[i]);
		expect(test, sizes[i]);
	}
	expect_gone(test);
}

static void test_unload_inflated(struct kunit *test)
{
	load(test);
	resize(1000);
	expect_gone(test);
}

static void test_minimum(struct kunit *test)
{
	const unsigned long minimum = min_mem_mb;

	load(test);
	min_mem_mb = (before.totalram - 700) / (SZ_1M / PAGE_SIZE);
	resize(5000);
	KUNIT_EXPECT_GE(test, atomic_long_read(&loaned_pages), 700);
	KUNIT_EXPECT_LT(test, atomic_long_read(&loaned_pages), 700 + SZ_1M / PAGE_SIZE);
	expect(test, atomic_long_read(&loaned_pages));
	min_mem_mb = minimum;
	expect_gone(test);
}

static void test_no_answer(struct kunit *test)
{
	load(test);
	resize(500);
	host.mpp_rc = H_HARDWARE;
	resize(1000);
	expect(test, 500);
	resize(0);
	expect(test, 500);
	host.mpp_rc = H_SUCCESS;
	work();
	expect(test, 0);
	expect_gone(test);
}

/* Refusals: of one chunk of a page, of so many pages, after so many that are not refused. */

static unsigned long refused_flags, refused_chunk, refused_after, refused_pages, refused_pfn;

static long refuse_chunk(unsigned long flags, unsigned long pfn, unsigned long chunk)
{
	if (flags != refused_flags || chunk != refused_chunk)
		return H_SUCCESS;
	if (refused_after) {
		refused_after--;
		return H_SUCCESS;
	}
	refused_pages++;
	refused_pfn = pfn;
	return H_BUSY;
}

static void refuse(unsigned long flags, unsigned long chunk, unsigned long after)
{
	refused_flags = flags;
	refused_chunk = chunk;
	refused_after = after;
	refused_pages = 0;
	host.refuse = refuse_chunk;
}

static const unsigned long chunks[] = { 0, 1, CHUNKS / 2, CHUNKS - 1 };

/* The page is not loaned, no part of it, and the guest keeps it. */
static void test_loan_refused(struct kunit *test)
{
	int i;

	load(test);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		refuse(H_PAGE_SET_LOANED, chunks[i], 300);
		resize(1000);
		KUNIT_EXPECT_EQ(test, refused_pages, 1);
		KUNIT_EXPECT_EQ(test, host.loaned[refused_pfn], 0);
		expect(test, 300);
		/* It goes on with the next attempt. */
		host.refuse = NULL;
		work();
		expect(test, 1000);
		resize(0);
		expect(test, 0);
	}
	expect_gone(test);
}

static void test_loan_refused_leaks_nothing(struct kunit *test)
{
	long free;
	int i;

	load(test);
	work();
	free = count_free(0);
	refuse(H_PAGE_SET_LOANED, CHUNKS - 1, 0);
	for (i = 0; i < MANY; i++)
		resize(1);
	KUNIT_EXPECT_EQ(test, refused_pages, MANY);
	KUNIT_EXPECT_GE(test, count_free(free - FREE_TOLERANCE), free - FREE_TOLERANCE);
	host.refuse = NULL;
	host.target = 0;
	expect_gone(test);
}

/* The guest takes its pages back all the same. */
static void test_return_refused(struct kunit *test)
{
	long free;
	int i;

	load(test);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		resize(MANY);
		free = count_free(0);
		refuse(H_PAGE_SET_ACTIVE, chunks[i], 0);
		resize(0);
		KUNIT_EXPECT_EQ(test, refused_pages, MANY);
		KUNIT_EXPECT_EQ(test, host.nr_loaned, MANY);
		KUNIT_EXPECT_EQ(test, host.loaned[refused_pfn], ALL_CHUNKS);
		expect_balloon(test, 0);
		free += MANY - FREE_TOLERANCE;
		KUNIT_EXPECT_GE(test, count_free(free), free);

		/* Some of these are loaned once more. */
		host.refuse = NULL;
		resize(MANY);
		expect_balloon(test, MANY);
		resize(0);
		expect_balloon(test, 0);

		/* The host gives back what it has kept, for the next round to begin anew. */
		memset(host.loaned, 0, host.max_pfn * sizeof(*host.loaned));
		host.nr_loaned = 0;
	}
	expect_gone(test);
}

/* Migration */

#define RANGE	MAX_ORDER_NR_PAGES

/* A range of nothing but loaned pages. */
static unsigned long loaned_range(struct kunit *test)
{
	unsigned long start, pfn;

	for (start = 0; start + RANGE <= host.max_pfn; start += RANGE) {
		for (pfn = start; pfn < start + RANGE; pfn++)
			if (host.loaned[pfn] != ALL_CHUNKS)
				break;
		if (pfn == start + RANGE)
			return start;
	}
	KUNIT_FAIL_AND_ABORT(test, "the balloon has no whole range");
	return 0;
}

/* Migrate all pages of a range away. */
static int empty_range(unsigned long start)
{
	int rc = alloc_contig_range(start, start + RANGE, ACR_FLAGS_NONE, GFP_KERNEL);

	if (!rc)
		free_contig_range(start, RANGE);
	return rc;
}

static unsigned long loaned_in(unsigned long start)
{
	unsigned long pfn, loaned = 0;

	for (pfn = start; pfn < start + RANGE; pfn++)
		loaned += !!host.loaned[pfn];
	return loaned;
}

static void test_migrate(struct kunit *test)
{
	unsigned long start;

	load(test);
	resize(8 * RANGE);
	start = loaned_range(test);
	KUNIT_EXPECT_EQ(test, empty_range(start), 0);
	KUNIT_EXPECT_EQ(test, loaned_in(start), 0);
	expect(test, 8 * RANGE);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* The host does not want the new page: the old one stays. */
static void test_migrate_loan_refused(struct kunit *test)
{
	unsigned long start;
	int i;

	load(test);
	resize(8 * RANGE);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		start = loaned_range(test);
		refuse(H_PAGE_SET_LOANED, chunks[i], 0);
		KUNIT_EXPECT_EQ(test, empty_range(start), -EBUSY);
		KUNIT_EXPECT_GT(test, refused_pages, 0);
		KUNIT_EXPECT_EQ(test, loaned_in(start), RANGE);
		expect(test, 8 * RANGE);
	}
	/* Some of them move. */
	refuse(H_PAGE_SET_LOANED, CHUNKS - 1, 20);
	KUNIT_EXPECT_EQ(test, empty_range(start), -EBUSY);
	KUNIT_EXPECT_EQ(test, loaned_in(start), RANGE - 20);
	expect(test, 8 * RANGE);
	host.refuse = NULL;
	KUNIT_EXPECT_EQ(test, empty_range(start), 0);
	expect(test, 8 * RANGE);
	resize(0);
	expect(test, 0);
	expect_gone(test);
}

/* The host keeps the old page: the guest has it back all the same. */
static void test_migrate_return_refused(struct kunit *test)
{
	unsigned long start;

	load(test);
	resize(8 * RANGE);
	start = loaned_range(test);
	refuse(H_PAGE_SET_ACTIVE, CHUNKS / 2, 0);
	KUNIT_EXPECT_EQ(test, empty_range(start), 0);
	KUNIT_EXPECT_EQ(test, refused_pages, RANGE);
	expect_balloon(test, 8 * RANGE);
	KUNIT_EXPECT_EQ(test, host.nr_loaned, 9 * RANGE);
	host.refuse = NULL;
	resize(0);
	expect_balloon(test, 0);
	unload();
}

/* A migration that stands still in the middle of it, until it may go on. */

static struct completion reached, go_on, migrated;
static int migrated_rc;

static void stand_still(unsigned long flags, unsigned long pfn)
{
	if (flags != H_PAGE_SET_LOANED)
		return;
	host.before = NULL;
	complete(&reached);
	wait_for_completion(&go_on);
}

static int migrate_it(void *start)
{
	migrated_rc = empty_range((unsigned long)start);
	complete(&migrated);
	return 0;
}

static void run_thread(struct kunit *test, int (*thread)(void *), void *data)
{
	struct task_struct *task = kthread_create(thread, data, "cmm_kunit");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wake_up_process(task);
}

static void start_migration(struct kunit *test)
{
	init_completion(&reached);
	init_completion(&go_on);
	init_completion(&migrated);
	host.before = stand_still;
	run_thread(test, migrate_it, (void *)loaned_range(test));
	wait_for_completion(&reached);
}

static void end_migration(struct kunit *test)
{
	complete(&go_on);
	wait_for_completion(&migrated);
	KUNIT_EXPECT_EQ(test, migrated_rc, 0);
}

static struct completion ended;

static int unload_it(void *unused)
{
	unload();
	complete(&ended);
	return 0;
}

static int disable_it(void *unused)
{
	cmm_set_disable("1", NULL);
	complete(&ended);
	return 0;
}

static int restart_it(void *unused)
{
	cmm_reboot_notifier(&cmm_reboot_nb, SYS_RESTART, NULL);
	complete(&ended);
	return 0;
}

/* Who wants all pages back waits for those that are being migrated. */
static void end_while_migrating(struct kunit *test, int (*thread)(void *))
{
	bool early;

	load(test);
	resize(8 * RANGE);
	start_migration(test);
	init_completion(&ended);
	run_thread(test, thread, NULL);
	early = wait_for_completion_timeout(&ended, 3 * HZ);
	KUNIT_EXPECT_FALSE_MSG(test, early, "ends with %ld pages still loaned",
			       atomic_long_read(&loaned_pages));
	end_migration(test);
	if (!early)
		wait_for_completion(&ended);
	expect(test, 0);

	/* For what follows, whatever came out. */
	cmm_free_pages(atomic_long_read(&loaned_pages));
	if (before.loaded)
		unload();
}

static void test_unload_while_migrating(struct kunit *test)
{
	end_while_migrating(test, unload_it);
}

static void test_disable_while_migrating(struct kunit *test)
{
	end_while_migrating(test, disable_it);
}

static void test_restart_while_migrating(struct kunit *test)
{
	end_while_migrating(test, restart_it);
}

/* All pages of the list are being migrated: that is not the end of it. */
static void test_deflate_while_migrating(struct kunit *test)
{
	load(test);
	resize(8 * RANGE);
	start_migration(test);
	host.target = 0;
	work();
	KUNIT_EXPECT_GT(test, atomic_long_read(&loaned_pages), 0);
	end_migration(test);
	work();
	expect(test, 0);
	expect_gone(test);
}

static void test_disable(struct kunit *test)
{
	load(test);
	resize(1000);
	KUNIT_EXPECT_EQ(test, cmm_set_disable("1", NULL), 0);
	expect(test, 0);
	KUNIT_EXPECT_EQ(test, cmm_set_disable("0", NULL), 0);
	work();
	expect(test, 1000);
	KUNIT_EXPECT_EQ(test, cmm_set_disable("2", NULL), -EINVAL);
	expect_gone(test);
}

static void test_restart(struct kunit *test)
{
	load(test);
	resize(1000);
	cmm_reboot_notifier(&cmm_reboot_nb, SYS_HALT, NULL);
	expect(test, 1000);
	cmm_reboot_notifier(&cmm_reboot_nb, SYS_RESTART, NULL);
	expect(test, 0);
	expect_gone(test);
}

/* Enabling fails: then there is no thread to be stopped. */
static void test_no_thread(struct kunit *test)
{
	load(test);
	resize(1000);
	KUNIT_EXPECT_EQ(test, cmm_set_disable("1", NULL), 0);
	host.no_thread = true;
	KUNIT_EXPECT_EQ(test, cmm_set_disable("0", NULL), -ENOMEM);
	KUNIT_EXPECT_EQ(test, cmm_disabled, 1);
	expect(test, 0);
	cmm_reboot_notifier(&cmm_reboot_nb, SYS_RESTART, NULL);
	expect(test, 0);

	host.no_thread = false;
	KUNIT_EXPECT_EQ(test, cmm_set_disable("0", NULL), 0);
	work();
	expect(test, 1000);
	expect_gone(test);
}

static void test_out_of_memory(struct kunit *test)
{
	const unsigned long step = KB2PAGES(oom_kb);
	unsigned long freed = 0;

	load(test);
	resize(10 * step);
	cmm_oom_notify(&cmm_oom_nb, 0, &freed);
	KUNIT_EXPECT_EQ(test, freed, step);
	expect(test, 9 * step);
	/* It does not take it again. */
	work();
	expect(test, 9 * step);
	KUNIT_EXPECT_EQ(test, oom_freed_pages, step);
	expect_gone(test);
}

/* Memory goes offline, or does not: nothing is loaned meanwhile, nor soon after. */
static void test_hotplug(struct kunit *test)
{
	static const unsigned long ends[] = { MEM_OFFLINE, MEM_CANCEL_OFFLINE };
	int i;

	load(test);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		resize(0);
		host.target = 500;
		KUNIT_EXPECT_EQ(test, cmm_memory_cb(&cmm_mem_nb, MEM_GOING_OFFLINE, NULL),
				NOTIFY_OK);
		work();
		expect(test, 0);
		KUNIT_EXPECT_EQ(test, cmm_memory_cb(&cmm_mem_nb, ends[i], NULL), NOTIFY_OK);
		work();
		expect(test, 0);
		work();		/* after hotplug_delay */
		work();
		expect(test, 500);
	}
	expect_gone(test);
}

/* Somebody else has refused before CMM was asked. */
static void test_hotplug_refused(struct kunit *test)
{
	load(test);
	mutex_lock(&hotplug_mutex);
	cmm_memory_cb(&cmm_mem_nb, MEM_CANCEL_OFFLINE, NULL);
	KUNIT_EXPECT_TRUE(test, mutex_is_locked(&hotplug_mutex));
	if (mutex_is_locked(&hotplug_mutex))
		mutex_unlock(&hotplug_mutex);
	resize(500);
	expect(test, 500);
	expect_gone(test);
}

static int cmm_kunit_init(struct kunit *test)
{
	before.totalram = totalram_pages();
	before.counted = count_balloon_pages(first_memory_node, 0);
	return host_init();
}

static void cmm_kunit_exit(struct kunit *test)
{
	/* A case that ended early. */
	host.refuse = NULL;
	host.before = NULL;
	if (before.loaded)
		unload();
	host_exit();
}

static struct kunit_case cmm_cases[] = {
	KUNIT_CASE(test_inflate_and_deflate),
	KUNIT_CASE(test_unload_inflated),
	KUNIT_CASE(test_minimum),
	KUNIT_CASE(test_no_answer),
	KUNIT_CASE(test_loan_refused),
	KUNIT_CASE(test_loan_refused_leaks_nothing),
	KUNIT_CASE(test_return_refused),
	KUNIT_CASE(test_migrate),
	KUNIT_CASE(test_migrate_loan_refused),
	KUNIT_CASE(test_migrate_return_refused),
	KUNIT_CASE(test_deflate_while_migrating),
	KUNIT_CASE(test_unload_while_migrating),
	KUNIT_CASE(test_disable_while_migrating),
	KUNIT_CASE(test_restart_while_migrating),
	KUNIT_CASE(test_disable),
	KUNIT_CASE(test_restart),
	KUNIT_CASE(test_no_thread),
	KUNIT_CASE(test_out_of_memory),
	KUNIT_CASE(test_hotplug),
	KUNIT_CASE(test_hotplug_refused),
	{}
};

static struct kunit_suite cmm_suite = {
	.name = "cmm",
	.attr = { .speed = KUNIT_SPEED_SLOW },
	.init = cmm_kunit_init,
	.exit = cmm_kunit_exit,
	.test_cases = cmm_cases,
};

kunit_test_suite(cmm_suite);
