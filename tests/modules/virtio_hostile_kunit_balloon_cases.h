/* SPDX-License-Identifier: GPL-2.0 */
/* virtio-balloon, drivers/virtio/virtio_balloon.c, with a device that means no good. */
#ifndef VIRTIO_HOSTILE_KUNIT_BALLOON_CASES_H
#define VIRTIO_HOSTILE_KUNIT_BALLOON_CASES_H

static void start_balloon(struct kunit *test, u64 features)
{
	balloon_good(features);
	KUNIT_ASSERT_TRUE(test, balloon_plug());
}

static void balloon_request(u32 size)
{
	balloon_say(&balloon_config()->num_pages, size);
	balloon_changed();
}

static void test_good_balloon(struct kunit *test)
{
	expect_balloon_works(test);
}

static void test_all_memory_is_wanted(struct kunit *test)
{
	const u32 sizes[] = { U32_MAX, U32_MAX - 1, BIT(31), before.total + 1, before.total };

	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		balloon.limit = 4000;
		balloon_request(sizes[i]);
		KUNIT_EXPECT_TRUE(test, balloon_wait(2000));
		expect_balloon(test);
		balloon_resize(test, 0);
	}
	balloon_unplug(test);
	expect_balloon_works(test);
}

static void lie_about_the_target(struct fake_queue *queue, u32 *id, u32 *len)
{
	const u32 size = prandom_u32_state(&balloon.rnd);

	balloon_say(&balloon_config()->num_pages, size % 4 ? size % 3000 : size);
	if (size % 3)
		balloon_changed();
}

static void test_target_changes_with_each_answer(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < 3; i++) {
		balloon.limit = 10000;
		balloon.lie = lie_about_the_target;
		balloon_request(2000);
		msleep(1000);
		balloon_resize(test, 500);
	}
	balloon_unplug(test);
	expect_balloon_works(test);
}

/* Nobody is to read what the driver itself has written. */
static void test_config_is_overwritten(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < 50; i++) {
		balloon_say(&balloon_config()->actual, prandom_u32_state(&balloon.rnd));
		balloon_say(&balloon_config()->poison_val, prandom_u32_state(&balloon.rnd));
		balloon_request(prandom_u32_state(&balloon.rnd) % 2000);
		msleep(20);
	}
	balloon_resize(test, 300);
	balloon_unplug(test);
	expect_balloon_works(test);
}

static void lie_about_buffers(struct fake_queue *queue, u32 *id, u32 *len)
{
	*len = prandom_u32_state(&balloon.rnd);
}

static void test_lengths_of_buffers_are_wrong(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < 20; i++) {
		balloon.lie = lie_about_buffers;
		balloon_say(&balloon_config()->free_page_hint_cmd_id, i);
		balloon_request(i % 2 * 1000);
		balloon_ask_for_stats();
		msleep(20);
	}
	balloon_say(&balloon_config()->free_page_hint_cmd_id, VIRTIO_BALLOON_CMD_ID_DONE);
	balloon_resize(test, 300);
	balloon_unplug(test);
	expect_balloon_works(test);
}

/* Statistics */

/* The driver has given its buffer away, and is not done with its own preparations. */
static void test_stats_before_the_driver_is_ready(struct kunit *test)
{
	balloon_good(ALL_FEATURES);
	balloon.virtio.hasty = true;
	KUNIT_ASSERT_TRUE(test, balloon_plug());
	balloon.virtio.hasty = false;
	balloon_resize(test, 300);
	KUNIT_EXPECT_GT(test, balloon.served[STATS], 1);
	balloon_unplug(test);
	expect_balloon_works(test);
}

static void test_stats_all_the_time(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < 300; i++) {
		balloon_ask_for_stats();
		fake_interrupt(&balloon.virtio.queues[STATS]);
		fake_interrupt(&balloon.virtio.queues[INFLATE]);
		if (i % 10 == 0)
			balloon_request(i * 5);
		usleep_range(100, 1000);
	}
	balloon_resize(test, 300);
	balloon_unplug(test);
	expect_balloon_works(test);
}

/* Free page hints */

static void test_hints_with_any_id(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	for (int i = 0; i < 40; i++) {
		balloon_say(&balloon_config()->free_page_hint_cmd_id,
			    i % 2 ? prandom_u32_state(&balloon.rnd) : i % 3);
		balloon_changed();
		msleep(20);
	}
	balloon_say(&balloon_config()->free_page_hint_cmd_id, VIRTIO_BALLOON_CMD_ID_STOP);
	balloon_resize(test, 300);
	KUNIT_EXPECT_GT(test, balloon.served[HINTS], 0);
	balloon_unplug(test);
	expect_balloon_works(test);
}

/* A driver that is asked to go does not try for ever. */
static void test_hints_are_not_taken(struct kunit *test)
{
	start_balloon(test, ALL_FEATURES);
	balloon.stalled[HINTS] = true;
	balloon_say(&balloon_config()->free_page_hint_cmd_id, 1000);
	balloon_changed();
	msleep(1000);
	balloon_resize(test, 300);
	balloon_unplug(test);
	expect_balloon_works(test);
}

/* What the kernel has spent its time with, in nanoseconds. */
static u64 system_time(void)
{
	u64 sum = 0;
	int cpu;

	for_each_online_cpu(cpu)
		sum += kcpustat_cpu(cpu).cpustat[CPUTIME_SYSTEM];
	return sum;
}

/* Nor does it as long as the device is there, once it cannot take them any more. */
static void test_hints_are_not_taken_when_broken(struct kunit *test)
{
	u64 spent;

	start_balloon(test, ALL_FEATURES);
	balloon.stalled[HINTS] = true;
	balloon_say(&balloon_config()->free_page_hint_cmd_id, 1000);
	balloon_changed();
	for (int waited = 0; waited < 100 && READ_ONCE(balloon.served[HINTS]) < 8; waited++)
		msleep(100);
	spent = system_time();
	msleep(2000);
	KUNIT_EXPECT_GT(test, system_time() - spent, NSEC_PER_SEC);
	virtio_break_device(&balloon.virtio.vdev);
	msleep(500);
	spent = system_time();
	msleep(2000);
	KUNIT_EXPECT_LT(test, system_time() - spent, NSEC_PER_SEC);
	balloon_unplug(test);
	expect_balloon_works(test);
}

static void test_queues_are_short(struct kunit *test)
{
	for (u16 size = 1; size <= 4; size *= 2) {
		balloon_good(ALL_FEATURES);
		balloon.virtio.queue_size = size;
		KUNIT_EXPECT_EQ(test, balloon_plug(), size > 1);
		if (size > 1)
			balloon_resize(test, 700);
		balloon_unplug(test);

		balloon_good(BIT_ULL(VIRTIO_BALLOON_F_REPORTING));
		balloon.virtio.queue_size = size;
		KUNIT_ASSERT_TRUE(test, balloon_plug());
		balloon_resize(test, 700);
		balloon_unplug(test);
	}
	expect_balloon_works(test);
}

/* The ring */

static struct {
	unsigned int queue;
	u32 id;
	unsigned int after;	/* good answers */
	unsigned int ahead;	/* how far the index runs */
	bool twice;
} breach;

static void lie_about_the_ring(struct fake_queue *queue, u32 *id, u32 *len)
{
	if (queue->vq->index != breach.queue || (breach.after && breach.after--))
		return;
	if (breach.ahead)
		fake_answer_many(queue, breach.ahead);
	else if (breach.twice)
		fake_answer(queue, *id, 0);
	else
		*id = breach.id;
}

/* The driver stops to wait for an answer. What it has given, it gets back when the device goes. */
static void break_balloon(struct kunit *test, unsigned int queue)
{
	breach.queue = queue;
	start_balloon(test, ALL_FEATURES);
	balloon_resize(test, 1500);
	balloon_ask_for_stats();
	balloon.hurries = breach.twice || breach.ahead;
	balloon.lie = lie_about_the_ring;
	/* What is hinted cannot be reported. */
	if (queue != REPORTS)
		balloon_say(&balloon_config()->free_page_hint_cmd_id, 1000);
	balloon_request(queue == DEFLATE ? 10 : 3000);
	balloon_ask_for_stats();
	msleep(1000);
	balloon_ask_for_stats();
	for (int i = 0; i < 100 && !balloon.served[queue]; i++)
		msleep(100);
	KUNIT_EXPECT_GT(test, balloon.served[queue], 0);
	balloon_unplug(test);
}

static void break_balloon_at_once_and_later(struct kunit *test, unsigned int queue)
{
	const u32 ids[] = { 16, 7, U32_MAX };

	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		memset(&breach, 0, sizeof(breach));
		breach.id = ids[i];
		breach.after = queue < STATS ? i : 0;
		break_balloon(test, queue);
	}
	memset(&breach, 0, sizeof(breach));
	breach.twice = true;
	break_balloon(test, queue);
	breach.ahead = 1000;
	break_balloon(test, queue);
	expect_balloon_works(test);
}

static void test_bad_ids_while_inflating(struct kunit *test)
{
	break_balloon_at_once_and_later(test, INFLATE);
}

static void test_bad_ids_while_deflating(struct kunit *test)
{
	break_balloon_at_once_and_later(test, DEFLATE);
}

static void test_bad_ids_of_stats(struct kunit *test)
{
	break_balloon_at_once_and_later(test, STATS);
}

static void test_bad_ids_of_hints(struct kunit *test)
{
	break_balloon_at_once_and_later(test, HINTS);
}

static int compact_memory(void)
{
	static const char * const argv[] = {
		"/bin/sh", "-c", "echo 1 >/proc/sys/vm/compact_memory", NULL
	};

	return call_usermodehelper(argv[0], (char **)argv, NULL, UMH_WAIT_PROC);
}

static unsigned long nr_migrated(void)
{
	static unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[BALLOON_MIGRATE];
}

/* A page that is migrated is inflated before another one is deflated: both, or none. */
static void test_pages_of_a_broken_balloon_are_migrated(struct kunit *test)
{
	static const unsigned int queues[] = { INFLATE, DEFLATE };

	for (int i = 0; i < ARRAY_SIZE(queues); i++) {
		unsigned int served[FAKE_QUEUES];
		unsigned long migrated;

		memset(&breach, 0, sizeof(breach));
		breach.queue = queues[i];
		breach.id = 16;
		start_balloon(test, ALL_FEATURES);
		balloon_resize(test, 40000);
		balloon_resize(test, 5000);
		balloon.lie = lie_about_the_ring;
		balloon_request(queues[i] == DEFLATE ? 4990 : 5010);
		msleep(500);
		memcpy(served, balloon.served, sizeof(served));
		migrated = nr_migrated();
		KUNIT_EXPECT_EQ(test, compact_memory(), 0);
		KUNIT_EXPECT_GT(test, nr_migrated(), migrated);
		KUNIT_EXPECT_EQ(test, balloon.served[INFLATE], served[INFLATE]);
		KUNIT_EXPECT_EQ(test, balloon.served[DEFLATE], served[DEFLATE]);
		balloon_unplug(test);
	}
	expect_balloon_works(test);
}

/* What has been reported, to any device, is not reported again until it was in use. */
static void use_reported_pages(struct kunit *test)
{
	struct page *pages[8];

	for (int i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_pages(GFP_HIGHUSER_MOVABLE, pageblock_order);
	for (int i = 0; i < ARRAY_SIZE(pages); i++) {
		KUNIT_EXPECT_NOT_NULL(test, pages[i]);
		if (pages[i])
			__free_pages(pages[i], pageblock_order);
	}
}

/* The first report comes after seconds. */
static void test_bad_ids_of_reports(struct kunit *test)
{
	memset(&breach, 0, sizeof(breach));
	breach.id = 16;
	use_reported_pages(test);
	break_balloon(test, REPORTS);
	expect_balloon_works(test);
}

/* Nobody has answered: chunks that are still free do not count as reported. */
static void expect_not_reported(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, balloon.nr_chunks, 0);
	for (int i = 0; i < balloon.nr_chunks; i++) {
		const struct page *page = pfn_to_page(balloon.chunks[i]);

		KUNIT_EXPECT_FALSE(test, PageBuddy(page) && PageReported(page));
	}
}

/* The device is pulled out while the driver waits for it. */
static void test_balloon_removed_by_surprise(struct kunit *test)
{
	static const unsigned int queues[] = { INFLATE, DEFLATE, REPORTS };

	for (int i = 0; i < ARRAY_SIZE(queues); i++) {
		const unsigned int queue = queues[i];

		use_reported_pages(test);
		start_balloon(test, ALL_FEATURES);
		balloon_resize(test, 1500);
		balloon.served[queue] = 0;
		balloon.stalled[queue] = true;
		if (queue != REPORTS)
			balloon_request(queue == DEFLATE ? 10 : 3000);
		for (int waited = 0; waited < 300 && !READ_ONCE(balloon.served[queue]); waited++)
			msleep(100);
		KUNIT_EXPECT_EQ(test, balloon.served[queue], 1);
		msleep(100);
		virtio_break_device(&balloon.virtio.vdev);
		balloon_unplug(test);
		if (queue == REPORTS)
			expect_not_reported(test);
	}
	expect_balloon_works(test);
}

/* Anything at any time */

static void lie_about_anything(struct fake_queue *queue, u32 *id, u32 *len)
{
	lie_about_buffers(queue, id, len);
	if (prandom_u32_state(&balloon.rnd) % 2)
		lie_about_the_target(queue, id, len);
	if (breach.queue < FAKE_QUEUES)
		lie_about_the_ring(queue, id, len);
}

static u64 odd_features(void)
{
	return ALL_FEATURES & (prandom_u32_state(&balloon.rnd) | prandom_u32_state(&balloon.rnd));
}

static void balloon_nonsense(void)
{
	struct virtio_balloon_config *config = balloon_config();
	__le32 *const fields[] = { &config->num_pages, &config->actual, &config->poison_val,
				   &config->free_page_hint_cmd_id };

	switch (prandom_u32_state(&balloon.rnd) % 4) {
	case 0:
	case 1:
		balloon_say(fields[prandom_u32_state(&balloon.rnd) % ARRAY_SIZE(fields)],
			    prandom_u32_state(&balloon.rnd) >>
			    prandom_u32_state(&balloon.rnd) % 32);
		balloon_changed();
		break;
	case 2:
		balloon_ask_for_stats();
		break;
	case 3:
		for (int i = 0; i < FAKE_QUEUES; i++) {
			if (balloon.virtio.queues[i].vq)
				fake_interrupt(&balloon.virtio.queues[i]);
		}
	}
}

static void test_balloon_nonsense(struct kunit *test)
{
	const unsigned long round = (unsigned long)test->param_value;

	prandom_seed_state(&balloon.rnd, seed + round);
	memset(&breach, 0, sizeof(breach));
	breach.queue = prandom_u32_state(&balloon.rnd) % (2 * FAKE_QUEUES);
	breach.after = prandom_u32_state(&balloon.rnd) % 30;
	breach.id = prandom_u32_state(&balloon.rnd) >> prandom_u32_state(&balloon.rnd) % 32;
	breach.twice = prandom_u32_state(&balloon.rnd) % 2;

	balloon_good(odd_features());
	balloon.hurries = breach.queue < FAKE_QUEUES && breach.twice;
	balloon.virtio.hasty = prandom_u32_state(&balloon.rnd) % 2;
	balloon.virtio.queue_size = 2 << prandom_u32_state(&balloon.rnd) % 5;
	balloon.limit = 10000;
	balloon.lie = lie_about_anything;
	balloon_config()->num_pages = cpu_to_le32(prandom_u32_state(&balloon.rnd));
	KUNIT_ASSERT_TRUE(test, balloon_plug());
	balloon.virtio.hasty = false;
	for (int i = 0; i < 200; i++) {
		balloon_nonsense();
		usleep_range(100, 5000);
	}
	pr_info("seed %lu, round %lu: %u times inflated, %u deflated, %lu pages held\n",
		seed, round, balloon.served[INFLATE], balloon.served[DEFLATE], balloon_held());
	balloon_say(&balloon_config()->free_page_hint_cmd_id, VIRTIO_BALLOON_CMD_ID_DONE);
	if (breach.queue >= FAKE_QUEUES)
		balloon_resize(test, 300);
	balloon_unplug(test);
	expect_balloon_works(test);
}

static struct kunit_case virtio_hostile_balloon_cases[] = {
	KUNIT_CASE_SLOW(test_good_balloon),
	KUNIT_CASE_SLOW(test_all_memory_is_wanted),
	KUNIT_CASE_SLOW(test_target_changes_with_each_answer),
	KUNIT_CASE_SLOW(test_config_is_overwritten),
	KUNIT_CASE_SLOW(test_lengths_of_buffers_are_wrong),
	KUNIT_CASE_SLOW(test_stats_before_the_driver_is_ready),
	KUNIT_CASE_SLOW(test_stats_all_the_time),
	KUNIT_CASE_SLOW(test_hints_with_any_id),
	KUNIT_CASE_SLOW(test_hints_are_not_taken),
	KUNIT_CASE_SLOW(test_hints_are_not_taken_when_broken),
	KUNIT_CASE_SLOW(test_queues_are_short),
	KUNIT_CASE_SLOW(test_bad_ids_while_inflating),
	KUNIT_CASE_SLOW(test_bad_ids_while_deflating),
	KUNIT_CASE_SLOW(test_bad_ids_of_stats),
	KUNIT_CASE_SLOW(test_bad_ids_of_hints),
	KUNIT_CASE_SLOW(test_bad_ids_of_reports),
	KUNIT_CASE_SLOW(test_pages_of_a_broken_balloon_are_migrated),
	KUNIT_CASE_SLOW(test_balloon_removed_by_surprise),
	KUNIT_CASE_PARAM(test_balloon_nonsense, next_round),
	{}
};

static struct kunit_suite virtio_hostile_balloon_suite = {
	.name = "virtio_hostile_balloon",
	.attr = { .speed = KUNIT_SPEED_SLOW },
	.init = virtio_hostile_init,
	.exit = virtio_hostile_exit,
	.test_cases = virtio_hostile_balloon_cases,
};

#endif /* VIRTIO_HOSTILE_KUNIT_BALLOON_CASES_H */
