// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for logically offline memory: what cannot be taken offline stays
 * what it was.
 *
 * For allocations that fail, fail_page_alloc has to be set up in debugfs, for
 * tasks that ask for it: task-filter=Y, probability=100, times=-1, min-order=0,
 * ignore-gfp-wait=N, ignore-gfp-highmem=N.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/offline_page.h>
#include <linux/page-isolation.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>

#include "../internal.h"
#include "../offline_page.h"
#include "offline_page_kunit.h"

static void expect_not_taken(struct kunit *test, int error, unsigned long pfn,
			     unsigned long nr_pages, gfp_t gfp)
{
	struct saved_range *before = save_range(test, pfn, nr_pages);

	KUNIT_EXPECT_EQ(test, error,
			alloc_offline_page_range(pfn, nr_pages, gfp));
	expect_unchanged(test, before);
}

static void range_invalid(struct kunit *test)
{
	unsigned long pfn = take_range(test, pageblock_nr_pages);

	free_offline_page_range(pfn, pageblock_nr_pages);
	expect_not_taken(test, -EINVAL, pfn, 0, GFP_KERNEL);
	expect_not_taken(test, -EINVAL, pfn, 1, GFP_KERNEL | __GFP_COMP);
	expect_not_taken(test, -EINVAL, pfn, 1, GFP_KERNEL | __GFP_NOFAIL);
	/* One that wraps around, and one beyond all memory. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			alloc_offline_page_range(pfn, -1UL, GFP_KERNEL));
	expect_not_taken(test, -EINVAL, 1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT),
			 1, GFP_KERNEL);
}

/* Offline already, in part or as a whole, in any way. */
static void range_already_offline(struct kunit *test)
{
	const unsigned long nr_pages = pageblock_nr_pages;
	unsigned long pfn = take_range(test, nr_pages);

	expect_not_taken(test, -EBUSY, pfn, nr_pages, GFP_KERNEL);
	set_offline_page_range_skippable(pfn, nr_pages);
	expect_not_taken(test, -EBUSY, pfn, nr_pages, GFP_KERNEL);
	free_offline_page_range(pfn, nr_pages - 1);
	expect_not_taken(test, -EBUSY, pfn, nr_pages, GFP_KERNEL);
	expect_offline(test, pfn + nr_pages - 1, 1, SKIPPABLE);
	free_offline_page(pfn_to_page(pfn + nr_pages - 1));
	expect_freed(test, pfn + nr_pages - 1, 1);
}

/* Somebody else is at it: memory offlining, or another allocation. */
static void range_isolated_by_others(struct kunit *test)
{
	const unsigned long nr_pages = MAX_ORDER_NR_PAGES;
	unsigned long pfn = take_range(test, nr_pages), i, isolated = 0;
	int rc;

	free_offline_page_range(pfn, nr_pages);
	KUNIT_ASSERT_EQ(test, 0, start_isolate_page_range(pfn, pfn + nr_pages,
							  PB_ISOLATE_MODE_MEM_OFFLINE));
	rc = alloc_offline_page_range(pfn + 5, nr_pages - 10, GFP_KERNEL);
	for (i = 0; i < nr_pages; i++)
		isolated += is_migrate_isolate_page(pfn_to_page(pfn + i));
	undo_isolate_page_range(pfn, pfn + nr_pages);

	KUNIT_EXPECT_EQ(test, -EBUSY, rc);
	KUNIT_EXPECT_EQ(test, isolated, nr_pages);
}

/* In use, and not to be moved; the pages around it are offline or free. */
static void range_unmovable(struct kunit *test)
{
	const unsigned long nr_pages = pageblock_nr_pages;
	unsigned long pfn = take_range(test, nr_pages);
	struct page *page = pfn_to_page(pfn + nr_pages / 2);

	/* An allocation of the kernel, as far as anybody can tell. */
	__ClearPageOffline(page);
	set_page_count(page, 1);
	free_offline_page_range(pfn, nr_pages / 2);
	free_offline_page_range(pfn + nr_pages / 2 + 1, nr_pages / 2 - 1);

	expect_not_taken(test, -EBUSY, pfn, nr_pages, GFP_KERNEL);
	expect_not_taken(test, -EBUSY, pfn + nr_pages / 2, 1, GFP_KERNEL);

	set_page_count(page, 0);
	__SetPageOffline(page);
	free_offline_page(page);
	expect_freed(test, pfn + nr_pages / 2, 1);
}

#ifdef CONFIG_SHMEM
/* A page that is in use, but can be migrated: that of a file. */
struct file_page {
	struct file *file;
	pgoff_t index;
	unsigned long pfn;
};

#define NR_FILE_PAGES	4096

static void put_file(void *file)
{
	fput(file);
}

static unsigned long file_pfn(struct kunit *test, struct file_page f)
{
	struct page *page = shmem_read_mapping_page(f.file->f_mapping, f.index);
	unsigned long pfn;

	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	pfn = page_to_pfn(page);
	put_page(page);
	return pfn;
}

/* A whole pageblock is isolated: is anything in it that would prevent it? */
static bool in_movable_pageblock(unsigned long pfn)
{
	const unsigned long end = pageblock_end_pfn(pfn);
	struct page *page;

	for (pfn = pageblock_start_pfn(pfn); pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		if (!page || PageReserved(page) || PageOffline(page) ||
		    (page_ref_count(page) && !PageLRU(page)))
			return false;
	}
	return true;
}

static struct file_page make_file_page(struct kunit *test)
{
	struct file_page f = {};
	struct page *page;

	f.file = shmem_kernel_file_setup("offline_page",
					 NR_FILE_PAGES * PAGE_SIZE,
					 mk_vma_flags(VMA_NORESERVE_BIT));
	KUNIT_ASSERT_FALSE(test, IS_ERR(f.file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file,
							   f.file));
	do {
		f.pfn = file_pfn(test, f);
		lru_add_drain_all();
	} while (!in_movable_pageblock(f.pfn) && ++f.index < NR_FILE_PAGES);
	KUNIT_ASSERT_LT(test, f.index, NR_FILE_PAGES);
	page = pfn_to_page(f.pfn);
	memset(page_address(page), 0x5a, PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, PageLRU(page));
	return f;
}

static void expect_content(struct kunit *test, unsigned long pfn)
{
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(pfn_to_page(pfn)), 0x5a,
					   PAGE_SIZE));
}

/* Expect that the page stays in the file, and with its content. */
static void expect_not_migrated(struct kunit *test, struct file_page f,
				int error)
{
	expect_not_taken(test, error, f.pfn, 1, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_EQ(test, f.pfn, file_pfn(test, f));
	expect_content(test, f.pfn);
}

/* Expect that the page goes offline, and its content goes somewhere else. */
static void expect_migrated(struct kunit *test, struct file_page f)
{
	struct page_counts before = count_pages();
	int tries, rc = -EBUSY;

	for (tries = 0; rc == -EBUSY && tries < 10; tries++) {
		lru_add_drain_all();
		f.pfn = file_pfn(test, f);
		rc = alloc_offline_page_range(f.pfn, 1, GFP_KERNEL);
	}
	KUNIT_ASSERT_EQ(test, rc, 0);
	expect_offline(test, f.pfn, 1, PLAIN);
	expect_taken(test, f.pfn, before, 1);
	KUNIT_EXPECT_NE(test, f.pfn, file_pfn(test, f));
	expect_content(test, file_pfn(test, f));

	free_offline_page(pfn_to_page(f.pfn));
	expect_freed(test, f.pfn, 1);
}

/* Not a failure: what the failures below must not prevent for good. */
static void range_is_migrated(struct kunit *test)
{
	expect_migrated(test, make_file_page(test));
}

static void range_pinned(struct kunit *test)
{
	struct file_page f = make_file_page(test);

	get_page(pfn_to_page(f.pfn));
	expect_not_migrated(test, f, -EBUSY);
	put_page(pfn_to_page(f.pfn));
	expect_migrated(test, f);
}

static void range_interrupted(struct kunit *test)
{
	struct file_page f = make_file_page(test);
	unsigned long pfn = take_range(test, pageblock_nr_pages);

	free_offline_page_range(pfn, pageblock_nr_pages);
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	expect_not_migrated(test, f, -EINTR);
	expect_not_taken(test, -EINTR, pfn, pageblock_nr_pages, GFP_KERNEL);
	flush_signals(current);
	disallow_signal(SIGKILL);
	expect_migrated(test, f);
}
#endif /* CONFIG_SHMEM */

static void too_large_an_order(struct kunit *test)
{
	struct page_counts before = count_pages(), after;

	KUNIT_EXPECT_NULL(test, alloc_offline_pages(GFP_KERNEL | __GFP_NOWARN,
						    MAX_PAGE_ORDER + 1));
	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

static void contig_impossible(struct kunit *test)
{
	const unsigned long impossible[] = { 0, totalram_pages() + 1 };
	struct page_counts before = count_pages(), after;
	int i;

	for (i = 0; i < ARRAY_SIZE(impossible); i++)
		KUNIT_EXPECT_NULL(test, alloc_offline_pages_contig(impossible[i],
								   GFP_KERNEL,
								   numa_mem_id(),
								   NULL));
	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

#ifdef CONFIG_FAIL_PAGE_ALLOC
/* Between these, all page allocations of this task fail. */
static void start_failing(struct kunit *test)
{
	struct page *page;

	current->make_it_fail = 1;
	page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN);
	if (!page)
		return;

	current->make_it_fail = 0;
	__free_page(page);
	kunit_skip(test, "fail_page_alloc is not set up");
}

static void stop_failing(void)
{
	current->make_it_fail = 0;
}

static void pages_out_of_memory(struct kunit *test)
{
	struct page_counts before = count_pages(), after;
	unsigned int order;
	struct page *page;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		start_failing(test);
		page = alloc_offline_pages(GFP_KERNEL | __GFP_NOWARN, order);
		stop_failing();
		KUNIT_EXPECT_NULL(test, page);
	}
	after = count_pages();
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
}

#ifdef CONFIG_SHMEM
static void range_out_of_memory(struct kunit *test)
{
	struct file_page f = make_file_page(test);
	struct saved_range *before = save_range(test, f.pfn, 1);
	int rc;

	start_failing(test);
	rc = alloc_offline_page_range(f.pfn, 1, GFP_KERNEL | __GFP_NOWARN);
	stop_failing();
	KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
	expect_unchanged(test, before);
	KUNIT_EXPECT_EQ(test, f.pfn, file_pfn(test, f));
	expect_content(test, f.pfn);
	expect_migrated(test, f);
}
#endif
#endif /* CONFIG_FAIL_PAGE_ALLOC */

static struct kunit_case offline_page_failure_cases[] = {
	KUNIT_CASE(range_invalid),
	KUNIT_CASE(range_already_offline),
	KUNIT_CASE(range_isolated_by_others),
	KUNIT_CASE(range_unmovable),
	KUNIT_CASE(too_large_an_order),
	KUNIT_CASE(contig_impossible),
#ifdef CONFIG_SHMEM
	KUNIT_CASE(range_is_migrated),
	KUNIT_CASE(range_pinned),
	KUNIT_CASE(range_interrupted),
#endif
#ifdef CONFIG_FAIL_PAGE_ALLOC
	KUNIT_CASE(pages_out_of_memory),
#ifdef CONFIG_SHMEM
	KUNIT_CASE(range_out_of_memory),
#endif
#endif
	{}
};

static struct kunit_suite offline_page_failure_suite = {
	.name = "offline_page_failure",
	.suite_init = offline_page_suite_init,
	.test_cases = offline_page_failure_cases,
};

kunit_test_suite(offline_page_failure_suite);
