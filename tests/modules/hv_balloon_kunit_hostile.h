/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Hyper-V balloon driver against a host that means no good: whatever it
 * says, the guest's memory stays as it is, and the driver goes on.
 */
#ifndef HV_BALLOON_KUNIT_HOSTILE_H
#define HV_BALLOON_KUNIT_HOSTILE_H

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Of the nonsense");

/* Messages of nonsense: in rounds, none of which takes as long as a hung task. */
#define NR_ROUNDS	20
#define NR_NONSENSE	500

/* Has the driver stayed what it was? */
static void expect_sane(struct kunit *test)
{
	host_settle();
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
	expect_totals(test);
	host_unballoon_all();
	expect_totals(test);
}

/* Give "back" one range, of which the host has no more than it should. */
static void say_range(struct kunit *test, unsigned long pfn, unsigned long nr)
{
	struct host_unballoon *buf = new_unballoon(test);

	host_add_range(buf, pfn, nr);
	host_say_unballoon(buf, false);
	host_settle();
	expect_totals(test);
	kunit_kfree(test, buf);
}

static void test_pages_in_use(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, 4);

	KUNIT_ASSERT_NOT_NULL(test, page);
	start(test);
	say_range(test, page_to_pfn(page), 1);
	say_range(test, page_to_pfn(page), 16);
	KUNIT_EXPECT_EQ(test, 1, page_ref_count(page));
	say_range(test, page_to_pfn(vmalloc_to_page(&dm_device)), 1);
	say_range(test, PHYS_PFN(__pa(host.held)), 1);
	__free_pages(page, 4);
	expect_sane(test);
}

static void test_pages_that_are_free(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, 9);

	KUNIT_ASSERT_NOT_NULL(test, page);
	__free_pages(page, 9);
	start(test);
	say_range(test, page_to_pfn(page), 1);
	say_range(test, page_to_pfn(page), 512);
	expect_sane(test);
}

static void test_no_pages(struct kunit *test)
{
	start(test);
	say_range(test, 0, 1);
	say_range(test, 1, 0);
	say_range(test, PHYS_PFN(hotadd + hotadd_size - PAGE_SIZE), 1);
	say_range(test, PHYS_PFN(hotadd) - 1, 2);
	say_range(test, HOST_MAX_PFN - 1, 1);
	say_range(test, BIT(39), 1);
	say_range(test, BIT(40) - 1, 1);
	say_range(test, BIT(40) - 1, BIT(24) - 1);
	expect_sane(test);
}

#ifdef CONFIG_OFFLINE_PAGE
/* Offline pages, but not of this driver. */
static void test_pages_of_others(struct kunit *test)
{
	struct page *page = alloc_offline_pages(GFP_KERNEL, 4);

	KUNIT_ASSERT_NOT_NULL(test, page);
	before.total -= 16;
	before.managed[page_zonenum(page)] -= 16;
	start(test);
	say_range(test, page_to_pfn(page), 1);
	say_range(test, page_to_pfn(page), 16);
	expect_offline(test, page_to_pfn(page), 16, BALLOONED);
	expect_sane(test);

	free_offline_page_range(page_to_pfn(page), 16);
	before.total += 16;
	before.managed[page_zonenum(page)] += 16;
	expect_sane(test);
}
#endif

static void test_pages_without_backing(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();

	start(test);
	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn, nr / 2));
	say_range(test, pfn + nr / 2, 1);
	say_range(test, pfn + nr / 2, nr / 2);
	say_range(test, pfn + nr - 1, 1);
	expect_offline(test, pfn + nr / 2, nr / 2, UNBACKED);
	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn + nr / 2, nr / 2));
	expect_online(test, pfn, nr);
	expect_totals(test);
	remove_blocks(test, pfn, 1);
	expect_sane(test);
}

/* In one message, in two, and as part of a longer range. */
static void test_pages_twice(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	unsigned long pfn;

	start(test);
	KUNIT_EXPECT_EQ(test, 1536, host_balloon(1536));
	pfn = find_first_bit(host.held, HOST_MAX_PFN);

	host_forget(pfn, 10);
	for (int i = 0; i < 5; i++)
		host_add_range(buf, pfn, 10);
	host_say_unballoon(buf, false);
	host_settle();
	expect_totals(test);

	say_range(test, pfn, 10);
	say_range(test, pfn + 9, 1);
	say_range(test, pfn + 9, 3);
	say_range(test, pfn + 5, 507);
	host_forget(pfn + 10, 2);
	host_add_range(buf, pfn + 10, 2);
	host_add_range(buf, pfn + 11, 2);
	host_say_unballoon(buf, false);
	host_settle();
	expect_totals(test);
	expect_sane(test);
}

/* More ranges than the message has room for: what lies behind it is not one. */
static void test_ranges_beyond_the_message(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	const u32 counts[] = { 2, HOST_MAX_RANGES, HOST_MAX_RANGES + 1, 1000, 100000,
			       BIT(28), BIT(29), BIT(29) + 1, BIT(31) - 1, BIT(31), U32_MAX };
	unsigned long pfn;

	start(test);
	KUNIT_EXPECT_EQ(test, 1024, host_balloon(1024));
	pfn = find_first_bit(host.held, HOST_MAX_PFN);

	for (int i = 0; i < ARRAY_SIZE(counts); i++) {
		host_add_range(buf, pfn, 1);
		buf->msg.hdr.type = DM_UNBALLOON_REQUEST;
		buf->msg.hdr.size = HV_HYP_PAGE_SIZE;
		buf->msg.range_count = counts[i];
		host_say(buf, struct_size(&buf->msg, range_array, 1));
		memset(buf, 0, sizeof(*buf));
		host_settle();
		expect_totals(test);
	}
	expect_sane(test);
}

/* Each kind of message, cut off at any length, all ones and all zeroes. */
static void test_short_messages(struct kunit *test)
{
	u8 buf[64] __aligned(8);
	struct dm_header *hdr = (void *)buf;

	start(test);
	for (int ones = 0; ones < 2; ones++) {
		for (u32 len = 0; len < sizeof(buf); len++) {
			for (u16 type = 0; type < DM_VERSION_1_MAX + 2; type++) {
				/* Nothing else keeps a host from asking for much. */
				if (ones && len >= sizeof(struct dm_balloon) &&
				    type == DM_BALLOON_REQUEST)
					continue;
				memset(buf, ones ? 0xff : 0, sizeof(buf));
				hdr->type = type;
				hdr->size = len;
				host_say(buf, len);
				host_settle();
			}
		}
		expect_totals(test);
	}
	expect_sane(test);
}

/* VMBus hands out more than the driver has room for? */
static void test_long_message(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, HOST_MAX_LEN, GFP_KERNEL);
	struct dm_header *hdr = (void *)buf;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	start(test);
	for (u16 type = 0; type < DM_VERSION_1_MAX + 2; type++) {
		hdr->type = type;
		hdr->size = HOST_MAX_LEN;
		host_say(buf, HV_HYP_PAGE_SIZE + 8);
		host_say(buf, HOST_MAX_LEN);
		host_settle();
	}
	expect_sane(test);
}

/* The handshake is over; repeating it changes nothing. */
static void test_late_handshake(struct kunit *test)
{
	start(test);
	for (int i = 0; i < 10; i++) {
		host_say_accepted(DM_VERSION_RESPONSE, i & 1);
		host_say_accepted(DM_CAPABILITIES_RESPONSE, i & 2);
	}
	host_say_accepted(DM_VERSION_RESPONSE, false);
	host_say_accepted(DM_CAPABILITIES_RESPONSE, false);
	host_settle();
	KUNIT_EXPECT_EQ(test, 0, balloon_suspend(host.dev));
	host.refuse_caps = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, balloon_resume(host.dev));
	stop();
	expect_gone(test);
	host.refuse_caps = false;

	start(test);
	host_say_accepted(DM_VERSION_RESPONSE, false);
	host_settle();
	stop();
	expect_gone(test);
	start(test);
	expect_sane(test);
}

/* A host that has forgotten us, and then takes the device away. */
static void test_resume_refused(struct kunit *test)
{
	start(test);
	KUNIT_EXPECT_EQ(test, 1025, host_balloon(1025));
	KUNIT_EXPECT_EQ(test, 0, balloon_suspend(host.dev));
	host.refuse_version = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, balloon_resume(host.dev));
	KUNIT_EXPECT_NULL(test, host.callback);
	stop();
	expect_gone(test);
	host.refuse_version = false;

	start(test);
	host_unballoon_all();
	expect_sane(test);
}

/* A block that is half backed, and offline, meanwhile: user space may still online it. */
static void test_resume_refused_while_offline(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	add_blocks_offline(test, pfn);
	KUNIT_EXPECT_EQ(test, 0, balloon_suspend(host.dev));
	host.refuse_version = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, balloon_resume(host.dev));
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	gained = nr / 2;
	expect_online(test, pfn, nr / 2);
	expect_offline(test, pfn + nr / 2, nr / 2, UNBACKED);
	expect_totals(test);
	stop();
	expect_gone(test);
	host.refuse_version = false;

	KUNIT_EXPECT_EQ(test, 0, offline_and_remove_memory(PFN_PHYS(pfn + nr), PFN_PHYS(nr)));
	put_blocks(pfn + nr, 1);
	start(test);
	expect_sane(test);
}

/* Work that has nobody to report to. */
static void test_early_request(struct kunit *test)
{
	host.asks_early = true;
	host.refuse_version = true;
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, -EPROTO, try_start());
		expect_gone(test);
	}
	msleep(1000);
	KUNIT_EXPECT_NULL(test, host.wrong);
	host.refuse_version = false;
	host.asks_early = false;
	start(test);
	expect_totals(test);
}

static void test_requests_until_the_end(struct kunit *test)
{
	for (int i = 0; i < 20; i++) {
		start(test);
		for (int j = 0; j < 5; j++)
			host_say_balloon(100);
		usleep_range(10 * i, 50 * i);
		for (int j = 0; j < 50; j++)
			host_say_balloon(100);
		stop();
		expect_gone(test);
	}
	msleep(500);
	KUNIT_EXPECT_NULL(test, host.wrong);
	start(test);
	host_unballoon_all();
	expect_sane(test);
}

static void test_requests_until_suspend(struct kunit *test)
{
	start(test);
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 50; j++)
			host_say_balloon(100);
		KUNIT_EXPECT_EQ(test, 0, balloon_suspend(host.dev));
		KUNIT_EXPECT_EQ(test, 0, balloon_resume(host.dev));
	}
	host_settle();
	KUNIT_EXPECT_NULL(test, host.wrong);
	host_unballoon_all();
	expect_sane(test);
}

/* Offer memory as no host should; none may be taken. */
static void refuse_hot_add(struct kunit *test, unsigned long pfn, unsigned long nr,
			   unsigned long region, unsigned long region_nr)
{
	KUNIT_EXPECT_EQ_MSG(test, 0, host_hot_add_region(pfn, nr, region, region_nr),
			    "%#lx pages at %#lx in a region of %#lx at %#lx",
			    nr, pfn, region_nr, region);
	expect_totals(test);
}

static void test_hot_add_of_what_is_there(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn, nr / 2));
	for (int i = 0; i < 3; i++) {
		refuse_hot_add(test, pfn, nr / 2, 0, 0);
		refuse_hot_add(test, pfn, 2 * nr, 0, 0);
		refuse_hot_add(test, pfn + nr / 4, nr / 2, 0, 0);
		refuse_hot_add(test, pfn + nr / 2 - 1, 2, 0, 0);
		refuse_hot_add(test, pfn + nr / 4, nr / 2, pfn, 2 * nr);
		refuse_hot_add(test, pfn + nr + nr / 2, 10, pfn, 2 * nr);
	}
	expect_online(test, pfn, nr / 2);
	expect_offline(test, pfn + nr / 2, nr / 2, UNBACKED);

	KUNIT_EXPECT_EQ(test, nr / 2, back_pages(pfn + nr / 2, nr / 2));
	expect_online(test, pfn, nr);
	expect_totals(test);
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	gained = 0;
	refuse_hot_add(test, pfn, nr, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	gained = nr;
	expect_totals(test);
	remove_blocks(test, pfn, 1);
	put_blocks(pfn + nr, 1);
	expect_sane(test);
}

static void test_hot_add_of_odd_regions(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 2), nr = block_pages();

	start(test);
	/* Not whole blocks, or not around the pages. */
	refuse_hot_add(test, pfn + 1, 10, pfn + 1, nr);
	refuse_hot_add(test, pfn, 10, pfn, nr / 2);
	refuse_hot_add(test, pfn, 10, pfn, 10);
	refuse_hot_add(test, pfn, nr + 1, pfn, nr);
	refuse_hot_add(test, pfn, 10, pfn + nr, nr);
	refuse_hot_add(test, pfn + nr, 10, pfn, nr);
	refuse_hot_add(test, BIT(40) - 1, BIT(24) - 1, pfn, nr);
	/* None that a machine could have. */
	refuse_hot_add(test, BIT(40) - nr, nr, 0, 0);
	refuse_hot_add(test, BIT(40) - 1, 1, 0, 0);
	refuse_hot_add(test, BIT(40) - nr, BIT(24) - 1, BIT(40) - nr, BIT(24) - 1);
	refuse_hot_add(test, BIT(40) - BIT(23), 1, BIT(40) - BIT(23), BIT(23));
	refuse_hot_add(test, 0, 0, 0, 0);
	refuse_hot_add(test, pfn, 0, pfn, nr);

	/* It still works, as far as the host got it right. */
	KUNIT_EXPECT_EQ(test, nr, back_pages(pfn, nr));
	expect_totals(test);
	remove_blocks(test, pfn, 1);
	put_blocks(pfn + nr, 1);
	expect_sane(test);
}

/* A region over memory of somebody else, who goes on using it. */
static void test_hot_add_of_memory_of_others(struct kunit *test)
{
	const unsigned long pfn = take_blocks(test, 1), nr = block_pages();

	KUNIT_ASSERT_EQ(test, 0, add_memory(0, PFN_PHYS(pfn), PFN_PHYS(nr), MHP_NONE));
	before.total += nr;
	before.managed[ZONE_MOVABLE] += nr;
	start(test);
	refuse_hot_add(test, pfn, nr / 2, 0, 0);

	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "offline"));
	KUNIT_EXPECT_EQ(test, 0, block_state(pfn, "online_movable"));
	expect_online(test, pfn, nr);
	expect_sane(test);

	KUNIT_EXPECT_EQ(test, 0, offline_and_remove_memory(PFN_PHYS(pfn), PFN_PHYS(nr)));
	put_blocks(pfn, 1);
	before.total -= nr;
	before.managed[ZONE_MOVABLE] -= nr;
}

/* The host guesses where pages are that the driver is about to tell it of. */
static void test_guesses_while_ballooning(struct kunit *test)
{
	struct host_unballoon *buf = new_unballoon(test);
	unsigned long pfn;

	start(test);
	host.error = -EIO;
	for (int round = 0; round < 20; round++) {
		host.nr_errors = round % 3;
		host_say_balloon(2048 + round);
		for (pfn = 0; pfn < HOST_MAX_PFN; pfn += PAGES_IN_2M) {
			host_add_range(buf, pfn, PAGES_IN_2M);
			if (buf->msg.range_count == 64)
				host_say_unballoon(buf, true);
		}
		host_say_unballoon(buf, false);
		host_settle();
	}

	/* The host could not know what it was doing. */
	host.wrong = NULL;
	host.nr_errors = 0;
	for_each_set_bit(pfn, host.held, HOST_MAX_PFN) {
		if (!PageOffline(pfn_to_page(pfn)))
			host_hold(pfn, false);
	}
	expect_sane(test);
}

/* What would become of the pages that the host holds, did it say this? */
static void foresee(const u8 *data, u32 len)
{
	const struct dm_unballoon_request *msg = (const void *)data;

	if (len < sizeof(*msg) || msg->hdr.type != DM_UNBALLOON_REQUEST ||
	    msg->range_count > (len - sizeof(*msg)) / sizeof(msg->range_array[0]))
		return;

	for (u32 i = 0; i < msg->range_count; i++) {
		const unsigned long pfn = msg->range_array[i].finfo.start_page;
		const unsigned long nr = msg->range_array[i].finfo.page_cnt;

		if (pfn < HOST_MAX_PFN && pfn + nr <= HOST_MAX_PFN &&
		    find_next_zero_bit(host.held, pfn + nr, pfn) >= pfn + nr)
			host_forget(pfn, nr);
	}
}

/* The pages that nonsense is about. */
static union dm_mem_page_range odd_range(struct rnd_state *rnd, unsigned long blocks,
					 unsigned long nr_blocks)
{
	union dm_mem_page_range range = {};
	unsigned long pfn, nr = prandom_u32_state(rnd) % 2048;

	switch (prandom_u32_state(rnd) % 8) {
	case 0:
		pfn = (unsigned long)prandom_u32_state(rnd) << 8;
		break;
	case 1:
	case 2:
		pfn = blocks + prandom_u32_state(rnd) % (nr_blocks * block_pages());
		break;
	case 3:
		pfn = blocks + prandom_u32_state(rnd) % nr_blocks * block_pages();
		nr *= 16;
		break;
	case 4:
	case 5:
		pfn = prandom_u32_state(rnd) % HOST_MAX_PFN;
		pfn = find_next_bit_wrap(host.held, HOST_MAX_PFN, pfn);
		if (nr & 1)
			nr = find_next_zero_bit(host.held, HOST_MAX_PFN, pfn) - pfn;
		else
			nr = nr % 16;
		break;
	default:
		pfn = prandom_u32_state(rnd) % HOST_MAX_PFN;
	}
	switch (prandom_u32_state(rnd) % 32) {
	case 0:
		nr = prandom_u32_state(rnd);
		break;
	case 1:
		nr = 0;
	}
	range.finfo.start_page = pfn;
	range.finfo.page_cnt = nr;
	return range;
}

static u32 odd_message(struct rnd_state *rnd, u8 *data, unsigned long blocks,
		       unsigned long nr_blocks)
{
	struct dm_header *hdr = (void *)data;
	u32 *words = (void *)data;
	u32 kind = prandom_u32_state(rnd) % 16, len;

	memset(data, 0, HOST_MAX_LEN);
	len = prandom_u32_state(rnd) % (kind ? 128 : HOST_MAX_LEN + 1);
	prandom_bytes_state(rnd, data + sizeof(*hdr), len > 8 ? len - 8 : 0);
	hdr->type = prandom_u32_state(rnd) % (DM_VERSION_1_MAX + 2);
	hdr->size = prandom_u32_state(rnd) % 4 ? len : prandom_u32_state(rnd);

	if (kind > 8)
		hdr->type = kind > 12 ? DM_UNBALLOON_REQUEST :
			    kind > 10 ? DM_MEM_HOT_ADD_REQUEST : DM_BALLOON_REQUEST;

	switch (hdr->type) {
	case DM_BALLOON_REQUEST:
		/* The host may ask for all that there is, which takes long: see test_floor. */
		words[2] %= 700;
		break;
	case DM_UNBALLOON_REQUEST:
		if (words[3] % 8)
			words[3] %= 8;
		fallthrough;
	case DM_MEM_HOT_ADD_REQUEST:
		for (u32 at = hdr->type == DM_UNBALLOON_REQUEST ? 16 : 8; at + 8 <= len; at += 8)
			*(union dm_mem_page_range *)(data + at) =
				odd_range(rnd, blocks, nr_blocks);
		if (hdr->type == DM_MEM_HOT_ADD_REQUEST && kind & 1) {
			struct dm_hot_add *msg = (void *)data;

			/* Regions that could be right. */
			len = max(len, (u32)sizeof(*msg) + 8);
			hdr->size = kind & 2 ? len : sizeof(*msg);
			(&msg->range)[1].finfo.start_page =
				ALIGN_DOWN(msg->range.finfo.start_page, block_pages());
			(&msg->range)[1].finfo.page_cnt =
				block_pages() << prandom_u32_state(rnd) % 3;
		}
	}
	return len;
}

static const void *next_round(struct kunit *test, const void *prev, char *desc)
{
	const unsigned long round = (unsigned long)prev + 1;

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "seed %lu", seed + round);
	return round <= NR_ROUNDS ? (void *)round : NULL;
}

/* Blocks that were not there in the last round, as long as there are any. */
static unsigned long nonsense_blocks(struct kunit *test, unsigned long nr)
{
	static unsigned long pfn;
	const unsigned long size = hotadd_size / memory_block_size_bytes();

	if (bitmap_weight(blocks_used, size) + nr <= size)
		pfn = take_blocks(test, nr);
	KUNIT_ASSERT_NE(test, pfn, 0);
	return pfn;
}

static void test_nonsense(struct kunit *test)
{
	const unsigned long nr_blocks = 2, blocks = nonsense_blocks(test, nr_blocks);
	u8 *data = kunit_kzalloc(test, HOST_MAX_LEN, GFP_KERNEL);
	unsigned int refused = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, data);
	prandom_seed_state(&rnd, seed + (unsigned long)test->param_value);

	start(test);
	for (int i = 0; i < NR_NONSENSE && test->status == KUNIT_SUCCESS; i++) {
		const u32 len = odd_message(&rnd, data, blocks, nr_blocks);
		const unsigned int heard = host.heard[DM_MEM_HOT_ADD_RESPONSE];

		foresee(data, len);
		host_say(data, len);
		host_settle();
		if (host.heard[DM_MEM_HOT_ADD_RESPONSE] != heard) {
			gained += host.hot_add.page_count;
			refused += !host.hot_add.page_count;
			/* The driver gives up where other memory is. */
			do_hot_add = true;
		}

		if (totalram_pages() + host.nr_held != before.total + gained ||
		    dm_device.num_pages_ballooned != host.nr_held || i % 100 == 0) {
			expect_totals(test);
			if (test->status != KUNIT_SUCCESS)
				KUNIT_FAIL(test, "message %d: %*ph", i, min(len, 64U), data);
		}
		if (host.nr_held > before.total / 4)
			host_unballoon_all();
	}
	pr_info("seed %lu, round %lu: %lu pages hot-added, %u requests refused\n",
		seed, (unsigned long)test->param_value, gained, refused);
	expect_sane(test);
}

static struct kunit_case hv_balloon_hostile_cases[] = {
	KUNIT_CASE(test_pages_in_use),
	KUNIT_CASE(test_pages_that_are_free),
	KUNIT_CASE(test_no_pages),
#ifdef CONFIG_OFFLINE_PAGE
	KUNIT_CASE(test_pages_of_others),
#endif
	KUNIT_CASE(test_pages_without_backing),
	KUNIT_CASE(test_pages_twice),
	KUNIT_CASE(test_ranges_beyond_the_message),
	KUNIT_CASE(test_short_messages),
	KUNIT_CASE(test_long_message),
	KUNIT_CASE(test_late_handshake),
	KUNIT_CASE(test_resume_refused),
	KUNIT_CASE(test_resume_refused_while_offline),
	KUNIT_CASE(test_early_request),
	KUNIT_CASE(test_requests_until_the_end),
	KUNIT_CASE(test_requests_until_suspend),
	KUNIT_CASE(test_hot_add_of_what_is_there),
	KUNIT_CASE(test_hot_add_of_odd_regions),
	KUNIT_CASE(test_hot_add_of_memory_of_others),
	KUNIT_CASE(test_guesses_while_ballooning),
	KUNIT_CASE_PARAM(test_nonsense, next_round),
	{}
};

static struct kunit_suite hv_balloon_hostile_suite = {
	.name = "hv_balloon_hostile",
	.suite_init = hv_balloon_suite_init,
	.suite_exit = hv_balloon_suite_exit,
	.init = hv_balloon_init,
	.exit = hv_balloon_exit,
	.test_cases = hv_balloon_hostile_cases,
};

#endif /* HV_BALLOON_KUNIT_HOSTILE_H */
