// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the Hyper-V balloon driver, as it is, against a fake host.
 *
 * Needs RAM that the kernel does not know of (memmap=nn%ss-1 hides it on x86),
 * to be hot-added: hotadd=ADDRESS hotadd_size=BYTES, whole memory blocks, all
 * of which are used up; and memory that is onlined automatically
 * (memhp_default_state=online_movable).
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>

#include "balloon_count.h"
#include "hv_balloon_kunit_host.h"

/* What the system and the driver believed to have when the case began. */
static struct {
	unsigned long total;
	unsigned long managed[MAX_NR_ZONES];
	unsigned long onlined;
} before;

/* Pages that were hot-added and are online, in ZONE_MOVABLE. */
static unsigned long gained;

static bool probed;

/* Memory blocks for hot-add: some cases cannot give theirs back. */
static DECLARE_BITMAP(blocks_used, 64);

static unsigned long block_pages(void)
{
	return memory_block_size_bytes() >> PAGE_SHIFT;
}

/* Blocks in a row, for hot-add; returns the first PFN. */
static unsigned long take_blocks(struct kunit *test, unsigned long nr)
{
	const unsigned long size = min(hotadd_size / memory_block_size_bytes(), 64);
	const unsigned long block = bitmap_find_next_zero_area(blocks_used, size, 0, nr, 0);

	KUNIT_ASSERT_LE(test, block + nr, size);
	bitmap_set(blocks_used, block, nr);
	return PHYS_PFN(hotadd) + block * block_pages();
}

static void put_blocks(unsigned long pfn, unsigned long nr)
{
	bitmap_clear(blocks_used, (pfn - PHYS_PFN(hotadd)) / block_pages(), nr);
}

/* As user space sees it: a kernel thread has no file system of its own. */
static struct file *open_file(const char *path)
{
	struct task_struct *init;
	struct file *file;
	struct path root;

	scoped_guard(rcu) {
		init = pid_task(find_vpid(1), PIDTYPE_PID);
		get_task_struct(init);
	}
	get_fs_root(init->fs, &root);
	put_task_struct(init);
	file = file_open_root(&root, path, O_WRONLY, 0);
	path_put(&root);
	return file;
}

static int write_file(const char *path, const char *text)
{
	struct file *file = open_file(path);
	loff_t pos = 0;
	ssize_t rc;

	if (IS_ERR(file))
		return PTR_ERR(file);
	rc = kernel_write(file, text, strlen(text), &pos);
	filp_close(file, NULL);
	return rc < 0 ? rc : 0;
}

static int block_state(unsigned long pfn, const char *state)
{
	char path[64];

	snprintf(path, sizeof(path), "sys/devices/system/memory/memory%lu/state",
		 pfn / block_pages());
	return write_file(path, state);
}

static int online_memory(const char *how)
{
	return write_file("sys/devices/system/memory/auto_online_blocks", how);
}

/* Take whole blocks offline and away, which the driver does not expect. */
static void remove_blocks(struct kunit *test, unsigned long pfn, unsigned long nr)
{
	const unsigned long nr_pages = nr * block_pages();
	const int rc = offline_and_remove_memory(PFN_PHYS(pfn), PFN_PHYS(nr_pages));

	KUNIT_EXPECT_EQ(test, 0, rc);
	if (rc)
		return;
	put_blocks(pfn, nr);
	gained -= nr_pages;
}

/* See host.before_remove. */
static void online_instead(u64 start)
{
	block_state(PHYS_PFN(start), "online_movable");
}

enum {
	BALLOONED = 0,
	UNBACKED = 1,
};

/* Expect pages to be offline, never onlined or else ballooned, and beyond reach. */
static void expect_offline(struct kunit *test, unsigned long pfn,
			   unsigned long nr, int unbacked)
{
	const unsigned long end = pfn + nr;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_online_page(pfn);
		bool good = page && PageOffline(page) && page_ref_count(page) == refcount;

#ifdef CONFIG_OFFLINE_PAGE
		good = good && PageOfflineNeverOnlined(page) == !!unbacked &&
		       !PageOfflineSkippable(page);
#endif
		if (good)
			continue;
		if (!page) {
			KUNIT_FAIL(test, "no page %#lx", pfn);
			return;
		}
		KUNIT_FAIL(test, "page %#lx is wrong: type %#x, refcount %d, flags %#lx",
			   pfn, page->page_type, page_ref_count(page), page->flags.f);
		return;
	}
}

static void expect_online(struct kunit *test, unsigned long pfn, unsigned long nr)
{
	const unsigned long end = pfn + nr;

	for (; pfn < end; pfn++) {
		if (pfn_to_online_page(pfn) && !PageOffline(pfn_to_page(pfn)))
			continue;
		KUNIT_FAIL(test, "page %#lx is not online", pfn);
		return;
	}
}

/* Does the host hold what is offline, and is everything else accounted for? */
static void expect_totals(struct kunit *test)
{
	unsigned long pfn, sum = 0;

	for_each_set_bit(pfn, host.held, HOST_MAX_PFN) {
		expect_offline(test, pfn, 1, BALLOONED);
		if (test->status == KUNIT_FAILURE)
			break;
	}

	KUNIT_EXPECT_EQ(test, totalram_pages() + host.nr_held, before.total + gained);
	for (int i = 0; i < MAX_NR_ZONES; i++) {
		unsigned long managed = zone_managed_pages(&NODE_DATA(0)->node_zones[i]);

		sum += managed;
		KUNIT_EXPECT_EQ_MSG(test, managed + host.held_in_zone[i],
				    before.managed[i] + (i == ZONE_MOVABLE ? gained : 0),
				    "zone %d", i);
	}
	KUNIT_EXPECT_EQ(test, sum, totalram_pages());

	KUNIT_EXPECT_EQ(test, dm_device.num_pages_ballooned, host.nr_held);
	KUNIT_EXPECT_EQ(test, dm_device.num_pages_onlined, before.onlined + gained);

	KUNIT_EXPECT_EQ(test, count_balloon_pages(0, host.nr_held), host.nr_held);

	KUNIT_EXPECT_NULL_MSG(test, host.wrong, "fake host: %s", host.wrong);
}

static int try_start(void)
{
	const int rc = balloon_probe(host.dev, NULL);

	probed = !rc;
	return rc;
}

static void start(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, try_start());
}

static void stop(void)
{
	balloon_remove(host.dev);
	probed = false;
}

/* Is everything free that the driver registers itself for? */
static void expect_gone(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, host.callback);
	if (!register_memory_notifier(&hv_memory_nb))
		unregister_memory_notifier(&hv_memory_nb);
	else
		KUNIT_FAIL(test, "the memory notifier is still registered");
	KUNIT_EXPECT_EQ(test, -EINVAL, restore_online_page_callback());
}

/* Give pages back in an order of the test's own. */
static void give_back(struct host_unballoon *buf, unsigned long pfn,
		      unsigned long nr)
{
	host_forget(pfn, nr);
	host_add_range(buf, pfn, nr);
	if (buf->msg.range_count == HOST_MAX_RANGES)
		host_say_unballoon(buf, true);
}

static void give_back_rest(struct kunit *test, struct host_unballoon *buf)
{
	const unsigned int heard = host.heard[DM_UNBALLOON_RESPONSE];

	host_say_unballoon(buf, false);
	KUNIT_EXPECT_TRUE(test, host_hears(DM_UNBALLOON_RESPONSE, heard));
	host_settle();
}

static struct host_unballoon *new_unballoon(struct kunit *test)
{
	struct host_unballoon *buf = kunit_kzalloc(test, sizeof(*buf), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return buf;
}

/* 2M ranges first, then single pages, and back as they came. */
static void test_up_and_down(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	unsigned long pfn;

	start(test);
	KUNIT_EXPECT_EQ(test, 16387, host_balloon(16387));
	KUNIT_EXPECT_EQ(test, 32, host.nr_large);
	KUNIT_EXPECT_EQ(test, 3, host.nr_small);
	expect_totals(test);

	for_each_set_bit(pfn, host.held, HOST_MAX_PFN) {
		const unsigned long end = find_next_zero_bit(host.held, HOST_MAX_PFN, pfn);
		const bool large = IS_ALIGNED(pfn, PAGES_IN_2M) &&
				   end - pfn >= PAGES_IN_2M;

		give_back(buf, pfn, large ? PAGES_IN_2M : 1);
	}
	give_back_rest(test, buf);
	KUNIT_EXPECT_EQ(test, 0, host.nr_held);
	expect_totals(test);
}

/* Single pages of 2M ranges, and ranges that several of these make up. */
static void test_down_in_any_order(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	struct rnd_state rnd;
	unsigned long pfn, nr;

	start(test);
	prandom_seed_state(&rnd, 1);
	KUNIT_EXPECT_EQ(test, 8192 + 100, host_balloon(8192 + 100));
	expect_totals(test);

	for (int i = 0; host.nr_held && i < 3000; i++) {
		pfn = find_next_bit_wrap(host.held, HOST_MAX_PFN,
					 prandom_u32_state(&rnd) % HOST_MAX_PFN);
		nr = find_next_zero_bit(host.held, HOST_MAX_PFN, pfn) - pfn;
		nr = i % 2 ? 1 : min(nr, prandom_u32_state(&rnd) % 16 + 1);
		give_back(buf, pfn, nr);
		if (i % 1000)
			continue;
		give_back_rest(test, buf);
		expect_totals(test);
	}
	give_back_rest(test, buf);
	expect_totals(test);

	host_unballoon_all();
	KUNIT_EXPECT_EQ(test, 0, host.nr_held);
	expect_totals(test);
}

/* Whatever this thread causes, it happens on that CPU. */
static void move_to_cpu(struct kunit *test, unsigned int cpu)
{
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(cpu)));
}

/* The driver takes pages back on one CPU while it balloons out others on the next one. */
static void test_up_and_down_at_once(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	unsigned int up, down;
	unsigned long pfn;

	KUNIT_ASSERT_GE(test, num_online_cpus(), 2);
	start(test);
	KUNIT_EXPECT_EQ(test, 500, host_balloon(500));
	host.counts_bits = true;
	for (int i = 0; i < 20; i++) {
		up = host.heard[DM_BALLOON_RESPONSE];
		down = host.heard[DM_UNBALLOON_RESPONSE];
		for_each_set_bit(pfn, host.held, HOST_MAX_PFN) {
			host_forget(pfn, 1);
			host_add_range(buf, pfn, 1);
		}

		move_to_cpu(test, 0);
		host_say_balloon(500);
		move_to_cpu(test, 1);
		while (!list_empty_careful(&host.to_guest))
			cpu_relax();
		host_say_unballoon(buf, false);
		KUNIT_EXPECT_TRUE(test, host_hears(DM_BALLOON_RESPONSE, up));
		KUNIT_EXPECT_TRUE(test, host_hears(DM_UNBALLOON_RESPONSE, down));
		host_settle();
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	expect_totals(test);
}

/* A full ring is tried again; any other error gives the pages back. */
static void test_send_failures(struct kunit *test)
{
	start(test);
	host.error = -EAGAIN;
	host.nr_errors = 3;
	KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
	expect_totals(test);

	host.error = -EIO;
	for (int i = 1; i <= 3; i++) {
		host.nr_errors = 1;
		host_say_balloon(1024 * i + 1);
		host_settle();
		KUNIT_EXPECT_EQ(test, 0, host.nr_errors);
		expect_totals(test);
	}

	KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
	host_unballoon_all();
	expect_totals(test);
}

/* The guest keeps what it needs, whatever the host asks for. */
static void test_floor(struct kunit *test)
{
	start(test);
	KUNIT_EXPECT_GT(test, host_balloon(U32_MAX), 0);
	KUNIT_EXPECT_GE(test, si_mem_available(), compute_balloon_floor() / 2);
	expect_totals(test);

	/* Whatever was freed meanwhile. */
	host_balloon(U32_MAX);
	KUNIT_EXPECT_GE(test, si_mem_available(), compute_balloon_floor() / 2);
	expect_totals(test);

	host_unballoon_all();
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, 0, host_balloon(0));
	KUNIT_EXPECT_EQ(test, 1, host_balloon(1));
}

static unsigned long back_pages(unsigned long pfn, unsigned long nr)
{
	const unsigned long added = host_hot_add(pfn, nr);

	gained += added;
	return added;
}

/* The memory that the kernel itself can have, free or not. */
static unsigned long kernel_pages(bool free)
{
	unsigned long sum = 0;

	for (int i = 0; i < ZONE_MOVABLE; i++) {
		struct zone *zone = &NODE_DATA(0)->node_zones[i];

		sum += free ? zone_page_state(zone, NR_FREE_PAGES) : zone_managed_pages(zone);
	}
	return sum;
}

/* Movable memory is of no use to the kernel: what is free of it does not count. */
static void test_floor_of_the_kernel(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 4), nr = 4 * block_pages();
	const unsigned long keep = kernel_pages(false) / 10;

	start(test);
	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn, nr));
	KUNIT_EXPECT_GT(test, host_balloon(U32_MAX), 0);
	KUNIT_EXPECT_GE(test, kernel_pages(true), keep);
	KUNIT_EXPECT_GE(test, si_mem_available(), compute_balloon_floor() / 2);
	expect_totals(test);

	/* Nor does it keep the host from anything that the guest can do without. */
	host_unballoon_all();
	KUNIT_EXPECT_EQ(test, keep, host_balloon(keep));
	expect_totals(test);
	host_unballoon_all();
	remove_blocks(test, pfn, 4);
	expect_totals(test);
}

/* A block that is backed goes offline, and comes back whole. */
static void test_hot_add_block(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1);

	start(test);
	KUNIT_EXPECT_EQ(test, block_pages(), back_pages(pfn, block_pages()));
	expect_online(test, pfn, block_pages());
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	gained = 0;
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	gained = block_pages();
	expect_online(test, pfn, block_pages());
	expect_totals(test);

	/* Its pages can be ballooned as any others. */
	KUNIT_EXPECT_EQ(test, 1024, host_balloon(1024));
	expect_totals(test);
	host_unballoon_all();
	remove_blocks(test, pfn, 1);
	expect_totals(test);
}

/* What is not backed stays offline, and its block online. */
static void test_hot_add_partial(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();
	unsigned long backed = nr / 2;

	start(test);
	KUNIT_EXPECT_EQ(test, backed, back_pages(pfn, backed));
	expect_online(test, pfn, backed);
	expect_offline(test, pfn + backed, nr - backed, UNBACKED);
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn, "offline"));
	expect_offline(test, pfn + backed, nr - backed, UNBACKED);
	expect_totals(test);

	for (unsigned long more = 1; backed + more < nr; more = 3 * more + 1) {
		KUNIT_EXPECT_EQ(test, more, back_pages(pfn + backed, more));
		backed += more;
		expect_online(test, pfn, backed);
		expect_offline(test, pfn + backed, nr - backed, UNBACKED);
		expect_totals(test);
	}
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn, "offline"));
	KUNIT_EXPECT_EQ(test, nr - backed, back_pages(pfn + backed, nr - backed));
	expect_online(test, pfn, nr);
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	expect_online(test, pfn, nr);
	expect_totals(test);
	remove_blocks(test, pfn, 1);
	expect_totals(test);
}

/* From one block into the next. */
static void test_hot_add_growing(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();
	const unsigned long step = nr * 3 / 4 + 5;

	start(test);
	KUNIT_EXPECT_EQ(test, step, back_pages(pfn, step));
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, step, back_pages(pfn + step, step));
	expect_online(test, pfn, 2 * step);
	expect_offline(test, pfn + 2 * step, 2 * (nr - step), UNBACKED);
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn + nr, "offline"));
	gained -= nr;
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	gained += nr;
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 2 * (nr - step), back_pages(pfn + 2 * step, 2 * (nr - step)));
	expect_totals(test);
	remove_blocks(test, pfn, 2);
	expect_totals(test);
}

/* What the host leaves out is not backed, then or later. */
static void test_hot_add_gap(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();
	const unsigned long part = nr / 8;

	start(test);
	KUNIT_EXPECT_EQ(test, part, back_pages(pfn, part));
	KUNIT_EXPECT_EQ(test, part, back_pages(pfn + 2 * part, part));
	expect_online(test, pfn, part);
	expect_offline(test, pfn + part, part, UNBACKED);
	expect_online(test, pfn + 2 * part, part);
	expect_offline(test, pfn + 3 * part, 5 * part, UNBACKED);
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, part - 1, back_pages(pfn + 3 * part + 1, part - 1));
	KUNIT_EXPECT_EQ(test, 4 * part, back_pages(pfn + 4 * part, 4 * part));
	expect_online(test, pfn, part);
	expect_offline(test, pfn + part, part, UNBACKED);
	expect_online(test, pfn + 2 * part, part);
	expect_offline(test, pfn + 3 * part, 1, UNBACKED);
	expect_online(test, pfn + 3 * part + 1, 5 * part - 1);
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn, "offline"));
	expect_totals(test);
}

/* Not at the beginning of a block, and over its end. */
static void test_hot_add_anywhere(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();
	const unsigned long from = nr / 2 + 3;

	start(test);
	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn + from, nr));
	expect_offline(test, pfn, from, UNBACKED);
	expect_online(test, pfn + from, nr);
	expect_offline(test, pfn + nr + from, nr - from, UNBACKED);
	expect_totals(test);
}

/* The host names a region first, and fills it in steps. */
static void test_hot_add_region(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	gained = host_hot_add_region(pfn, nr / 4, pfn, 2 * nr);
	KUNIT_EXPECT_EQ(test, gained, nr / 4);
	expect_online(test, pfn, nr / 4);
	expect_offline(test, pfn + nr / 4, nr - nr / 4, UNBACKED);
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(pfn + nr));
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn + nr / 4, nr));
	expect_online(test, pfn, nr + nr / 4);
	expect_offline(test, pfn + nr + nr / 4, nr - nr / 4, UNBACKED);
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, nr - nr / 4, back_pages(pfn + nr + nr / 4, nr - nr / 4));
	expect_totals(test);
	remove_blocks(test, pfn, 2);
	expect_totals(test);
}

/* User space takes its time, while the host goes on. */
static void test_hot_add_without_online(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();

	start(test);
	KUNIT_ASSERT_EQ(test, 0, online_memory("offline"));
	KUNIT_EXPECT_EQ(test, nr / 2, host_hot_add(pfn, nr / 2));
	KUNIT_EXPECT_EQ(test, 100, host_hot_add(pfn + nr / 2, 100));
	KUNIT_EXPECT_EQ(test, 100, host_hot_add(pfn + nr / 2 + 200, 100));
	KUNIT_ASSERT_EQ(test, 0, online_memory("online_movable"));
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	gained = nr / 2 + 200;
	expect_online(test, pfn, nr / 2 + 100);
	expect_offline(test, pfn + nr / 2 + 100, 100, UNBACKED);
	expect_online(test, pfn + nr / 2 + 200, 100);
	expect_offline(test, pfn + nr / 2 + 300, nr / 2 - 300, UNBACKED);
	expect_totals(test);
}

/* More pages get backed while the block is neither offline nor online. */
static void test_hot_add_while_going_online(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();

	start(test);
	KUNIT_ASSERT_EQ(test, 0, online_memory("offline"));
	KUNIT_EXPECT_EQ(test, nr / 2, host_hot_add(pfn, nr / 2));
	KUNIT_ASSERT_EQ(test, 0, online_memory("online_movable"));
	host.late_pfn = pfn + nr / 2;
	host.nr_late = nr / 4;
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	KUNIT_EXPECT_EQ(test, nr / 4, host.hot_add.page_count);
	gained = nr / 2 + nr / 4;
	expect_online(test, pfn, gained);
	expect_offline(test, pfn + gained, nr - gained, UNBACKED);
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, nr - gained, back_pages(pfn + gained, nr - gained));
	expect_totals(test);
	remove_blocks(test, pfn, 1);
}

/* Pages and blocks outlive the driver, and block their way as before. */
static void test_remove(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn, nr));
	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn + nr, nr / 2));
	KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
	stop();
	expect_gone(test);
	expect_offline(test, pfn + nr + nr / 2, nr / 2, UNBACKED);
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn + nr, "offline"));
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	expect_online(test, pfn, nr);
	expect_totals(test);

	start(test);
	KUNIT_EXPECT_EQ(test, 512, host_balloon(512));
	host_unballoon_all();
	KUNIT_EXPECT_EQ(test, 0, host.nr_held);
	expect_totals(test);
}

/* Half of the first block is backed, and the next one; user space has onlined neither. */
static void add_blocks_offline(struct kunit *test, unsigned long pfn)
{
	const unsigned long nr = block_pages();

	KUNIT_ASSERT_EQ(test, 0, online_memory("offline"));
	KUNIT_EXPECT_EQ(test, nr / 2, host_hot_add(pfn, nr / 2));
	KUNIT_EXPECT_EQ(test, nr, host_hot_add(pfn + nr, nr));
	KUNIT_ASSERT_EQ(test, 0, online_memory("online_movable"));
	expect_totals(test);
}

/* Without the driver, nobody knows what is not backed: no such page can be onlined any more. */
static void test_remove_while_offline(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	add_blocks_offline(test, pfn);
	stop();
	expect_gone(test);
	KUNIT_EXPECT_EQ(test, -ENOENT, block_state(pfn, "online_movable"));
	put_blocks(pfn, 1);

	/* There is no harm in the other one. The driver does not count it any more. */
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn + nr, "online_movable"));
	expect_online(test, pfn + nr, nr);
	gained = nr;
	before.onlined -= nr;
	expect_totals(test);
	remove_blocks(test, pfn + nr, 1);
	before.onlined += nr;

	/* The host may try again. */
	start(test);
	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn, nr));
	expect_online(test, pfn, nr);
	expect_totals(test);
	remove_blocks(test, pfn, 1);
	expect_totals(test);
}

/* User space onlines the block after all, when the driver is about to remove it. */
static void test_remove_while_going_online(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	add_blocks_offline(test, pfn);
	host.before_remove = online_instead;
	stop();
	expect_gone(test);
	gained = nr / 2;
	expect_online(test, pfn, nr / 2);
	expect_offline(test, pfn + nr / 2, nr / 2, UNBACKED);
	KUNIT_EXPECT_EQ(test, -EBUSY, block_state(pfn, "offline"));
	expect_totals(test);

	KUNIT_EXPECT_EQ(test, 0, offline_and_remove_memory(PFN_PHYS(pfn + nr), PFN_PHYS(nr)));
	put_blocks(pfn + nr, 1);
}

static void test_suspend_and_resume(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();

	start(test);
	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn, nr / 2));
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
		KUNIT_EXPECT_EQ(test, 0, balloon_suspend(host.dev));
		KUNIT_EXPECT_NULL(test, host.callback);
		expect_totals(test);
		KUNIT_EXPECT_EQ(test, 0, balloon_resume(host.dev));
		expect_totals(test);
	}
	KUNIT_EXPECT_EQ(test, 3 * 1025, host.nr_held);
	KUNIT_EXPECT_EQ(test, nr - nr / 2, back_pages(pfn + nr / 2, nr - nr / 2));
	host_unballoon_all();
	expect_totals(test);
	remove_blocks(test, pfn, 1);
}

/* Free memory is reported, deflated memory too. */
static void test_page_reporting(struct kunit *test)
{
	host.cold_discard = true;
	start(test);
	KUNIT_ASSERT_NOT_NULL(test, dm_device.pr_dev_info.report);
	for (int i = 0; i < 300 && !READ_ONCE(host.discarded); i++)
		msleep(100);
	KUNIT_EXPECT_GT(test, host.discarded, 0);

	KUNIT_EXPECT_EQ(test, 512, host_balloon(512));
	expect_totals(test);
	host.waits_for_discard = find_first_bit(host.held, HOST_MAX_PFN);
	host_unballoon_all();
	for (int i = 0; i < 300 && READ_ONCE(host.waits_for_discard); i++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, 0, host.waits_for_discard);
	expect_totals(test);
}

/* A hypervisor that does not like it is left alone. */
static void test_page_reporting_refused(struct kunit *test)
{
	host.cold_discard = true;
	host.discard_status = HV_STATUS_INVALID_PARAMETER;
	start(test);
	for (int i = 0; i < 300 && dm_device.pr_dev_info.report; i++) {
		/* Something new to report. */
		host_balloon(512);
		host_unballoon_all();
		msleep(100);
	}
	KUNIT_EXPECT_NULL(test, dm_device.pr_dev_info.report);
	KUNIT_EXPECT_EQ(test, 0, host.discarded);
	expect_totals(test);
}

static void test_status(struct kunit *test)
{
	const unsigned int delay = pressure_report_delay;

	start(test);
	pressure_report_delay = 0;
	KUNIT_EXPECT_EQ(test, 1024, host_balloon(1024));
	KUNIT_EXPECT_TRUE(test, host_hears(DM_STATUS_REPORT, host.heard[DM_STATUS_REPORT]));
	KUNIT_EXPECT_GE(test, host.status.num_committed, 1024 + compute_balloon_floor());
	KUNIT_EXPECT_GT(test, host.status.num_avail, 0);
	pressure_report_delay = delay;
}

/* No handshake, no driver, and nothing of it left. */
static void test_handshake(struct kunit *test)
{
	host.refuse_version = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, try_start());
	expect_gone(test);
	host.refuse_version = false;
	host.refuse_caps = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, try_start());
	expect_gone(test);
	host.refuse_caps = false;
	host.silent = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, try_start());
	expect_gone(test);
	host.silent = false;
	start(test);
	KUNIT_EXPECT_EQ(test, 1, host_balloon(1));
	expect_totals(test);
}

static int hv_balloon_init(struct kunit *test)
{
	int rc = host_create();

	if (rc)
		return rc;
	gained = 0;
	before.total = totalram_pages();
	before.onlined = dm_device.num_pages_onlined;
	for (int i = 0; i < MAX_NR_ZONES; i++)
		before.managed[i] = zone_managed_pages(&NODE_DATA(0)->node_zones[i]);
	return 0;
}

/* However the case has ended: the next one starts with all memory there. */
static void hv_balloon_exit(struct kunit *test)
{
	online_memory("online_movable");
	host.nr_errors = 0;
	host.refuse_version = false;
	host.refuse_caps = false;
	host.silent = false;
	if (!probed && host.nr_held)
		try_start();
	if (probed) {
		host_unballoon_all();
		expect_totals(test);
		stop();
	}
	KUNIT_EXPECT_EQ(test, 0, host.nr_held);
	KUNIT_EXPECT_EQ(test, totalram_pages(), before.total + gained);
	host_destroy();
}

static int hv_balloon_suite_init(struct kunit_suite *suite)
{
	return host_create_pages();
}

static void hv_balloon_suite_exit(struct kunit_suite *suite)
{
	host_destroy_pages();
}

static struct kunit_case hv_balloon_cases[] = {
	KUNIT_CASE(test_up_and_down),
	KUNIT_CASE(test_down_in_any_order),
	KUNIT_CASE(test_up_and_down_at_once),
	KUNIT_CASE(test_send_failures),
	KUNIT_CASE(test_floor),
	KUNIT_CASE(test_floor_of_the_kernel),
	KUNIT_CASE(test_hot_add_block),
	KUNIT_CASE(test_hot_add_partial),
	KUNIT_CASE(test_hot_add_growing),
	KUNIT_CASE(test_hot_add_gap),
	KUNIT_CASE(test_hot_add_anywhere),
	KUNIT_CASE(test_hot_add_region),
	KUNIT_CASE(test_hot_add_without_online),
	KUNIT_CASE(test_hot_add_while_going_online),
	KUNIT_CASE(test_remove),
	KUNIT_CASE(test_remove_while_offline),
	KUNIT_CASE(test_remove_while_going_online),
	KUNIT_CASE(test_suspend_and_resume),
	KUNIT_CASE(test_page_reporting),
	KUNIT_CASE(test_page_reporting_refused),
	KUNIT_CASE(test_status),
	KUNIT_CASE(test_handshake),
	{}
};

static struct kunit_suite hv_balloon_suite = {
	.name = "hv_balloon",
	.suite_init = hv_balloon_suite_init,
	.suite_exit = hv_balloon_suite_exit,
	.init = hv_balloon_init,
	.exit = hv_balloon_exit,
	.test_cases = hv_balloon_cases,
};

#include "hv_balloon_kunit_hostile.h"

kunit_test_suites(&hv_balloon_suite, &hv_balloon_hostile_suite);

MODULE_DESCRIPTION("Tests of the Hyper-V balloon driver");
