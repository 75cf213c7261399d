/* SPDX-License-Identifier: GPL-2.0 */
/* virtio-mem, drivers/virtio/virtio_mem.c, with a device that means no good. */
#ifndef VIRTIO_HOSTILE_KUNIT_MEM_CASES_H
#define VIRTIO_HOSTILE_KUNIT_MEM_CASES_H

/* The driver may take the device or not: it does nothing wrong with it, and gives all back. */
static void try_device(struct kunit *test, u64 requested)
{
	if (mem_plug()) {
		mem_say(&mem_config()->requested_size, requested);
		mem_changed();
		expect_mem_settles(test);
		mem_resize(test, 0);
	}
	mem_unplug(test);
	expect_totals(test, 0);
}

/* The driver does not take the device. */
static void refuse_device(struct kunit *test)
{
	KUNIT_EXPECT_FALSE_MSG(test, mem_plug(), "block size %#llx, %#llx bytes at %#llx",
			       le64_to_cpu(mem_config()->block_size),
			       le64_to_cpu(mem_config()->region_size),
			       le64_to_cpu(mem_config()->addr));
	if (mem.virtio.vdev.dev.driver)
		mem_resize(test, 0);
	mem_unplug(test);
	expect_totals(test, 0);
}

static void refuse_block_size(struct kunit *test, u64 size)
{
	mem_good();
	mem_config()->block_size = cpu_to_le64(size);
	mem_config()->requested_size = cpu_to_le64(hotadd_size);
	refuse_device(test);
}

static void refuse_region(struct kunit *test, u64 addr, u64 size)
{
	mem_good();
	mem_config()->addr = cpu_to_le64(addr);
	mem_config()->region_size = cpu_to_le64(size);
	mem_config()->usable_region_size = cpu_to_le64(size);
	mem_config()->requested_size = cpu_to_le64(size);
	refuse_device(test);
}

/* There is memory right behind the region, which is not the device's. */
static void test_good_device(struct kunit *test)
{
	const unsigned int regions = mem_regions();

	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	KUNIT_EXPECT_EQ(test, mem_regions(), regions + 1);
	mem_resize(test, 150 * MEM_UNIT);
	mem_resize(test, 33 * MEM_UNIT);
	mem_resize(test, 0);
	mem_unplug(test);
	KUNIT_EXPECT_EQ(test, mem_regions(), regions);
	expect_mem_works(test);
}

static void test_block_size_zero(struct kunit *test)
{
	refuse_block_size(test, 0);
	expect_mem_works(test);
}

static void test_block_size_is_no_power_of_2(struct kunit *test)
{
	const u64 sizes[] = { 3 * SZ_1M, 1000, MEM_UNIT + 1, MEM_UNIT - 1, 5 * MEM_UNIT,
			      3 * SZ_128M, U64_MAX };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++)
		refuse_block_size(test, sizes[i]);
	expect_mem_works(test);
}

/* More blocks in what the driver plugs at once than a request has room for. */
static void test_block_size_too_small(struct kunit *test)
{
	for (u64 size = 1; size < PAGE_SIZE; size *= 2)
		refuse_block_size(test, size);
	expect_mem_works(test);
}

static void test_block_size_too_large(struct kunit *test)
{
	for (u64 size = roundup_pow_of_two(hotadd_size + 1); size; size *= 2)
		refuse_block_size(test, size);
	expect_mem_works(test);
}

static void test_block_sizes_that_are_good(struct kunit *test)
{
	for (u64 size = PAGE_SIZE; size <= memory_block_size_bytes(); size *= 32) {
		mem_good();
		mem_config()->block_size = cpu_to_le64(size);
		KUNIT_ASSERT_TRUE(test, mem_plug());
		mem_resize(test, memory_block_size_bytes());
		mem_resize(test, 0);
		mem_unplug(test);
	}
	expect_mem_works(test);
}

static void test_region_is_not_aligned(struct kunit *test)
{
	const u64 moves[] = { 1, PAGE_SIZE, 3 * MEM_UNIT, SZ_64M + 512 };

	for (int i = 0; i < ARRAY_SIZE(moves); i++) {
		mem_good();
		mem_config()->addr = cpu_to_le64(hotadd + moves[i]);
		mem_config()->region_size = cpu_to_le64(hotadd_size - 2 * moves[i]);
		try_device(test, hotadd_size);
	}
	expect_mem_works(test);
}

static void test_region_over_memory(struct kunit *test)
{
	refuse_region(test, 0, SZ_2G);
	refuse_region(test, 0, SZ_128M);
	refuse_region(test, SZ_1M, SZ_128M);
	refuse_region(test, hotadd - MEM_UNIT, hotadd_size);
	refuse_region(test, hotadd, hotadd_size + 1);
	refuse_region(test, hotadd - PAGE_SIZE, hotadd_size + SZ_128M);
	expect_mem_works(test);
}

static void test_region_beyond_physical_addresses(struct kunit *test)
{
	refuse_region(test, BIT_ULL(52), SZ_2G);
	refuse_region(test, BIT_ULL(62), BIT_ULL(62));
	refuse_region(test, BIT_ULL(63), SZ_128M);
	refuse_region(test, U64_MAX, SZ_128M);
	expect_mem_works(test);
}

static void test_region_wraps(struct kunit *test)
{
	refuse_region(test, hotadd, U64_MAX);
	refuse_region(test, hotadd, -hotadd);
	refuse_region(test, hotadd, -hotadd + 1);
	refuse_region(test, -(u64)SZ_128M, SZ_256M);
	expect_mem_works(test);
}

static void test_region_is_empty(struct kunit *test)
{
	refuse_region(test, hotadd, 0);
	refuse_region(test, 0, 0);
	expect_mem_works(test);
}

/* A region of one byte, or of half a block, is one in which nothing can be plugged. */
static void test_region_is_small(struct kunit *test)
{
	const u64 sizes[] = { 1, PAGE_SIZE, MEM_UNIT, memory_block_size_bytes() / 2,
			      memory_block_size_bytes() - 1 };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mem_good();
		mem_config()->region_size = cpu_to_le64(sizes[i]);
		try_device(test, hotadd_size);
	}
	expect_mem_works(test);
}

static void test_node_that_is_not_there(struct kunit *test)
{
	const u16 nodes[] = { 0, 1, 2, 63, 64, 255, 256, S16_MAX, U16_MAX };

	for (int i = 0; i < ARRAY_SIZE(nodes); i++) {
		mem_good();
		mem.virtio.features |= BIT_ULL(VIRTIO_MEM_F_ACPI_PXM);
		mem_config()->node_id = cpu_to_le16(nodes[i]);
		try_device(test, SZ_128M);
	}
	expect_mem_works(test);
}

/* All of the device is one memory block; the memory behind it is somebody else's. */
static void test_usable_region_too_large(struct kunit *test)
{
	const u64 sizes[] = { memory_block_size_bytes() + 1, hotadd_size, U64_MAX, -hotadd + 1 };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mem_good();
		mem_config()->region_size = cpu_to_le64(memory_block_size_bytes());
		mem_config()->usable_region_size = cpu_to_le64(sizes[i]);
		try_device(test, hotadd_size);
	}
	expect_mem_works(test);
}

static void test_usable_region_changes(struct kunit *test)
{
	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_resize(test, 50 * MEM_UNIT);
	for (u64 size = U64_MAX; size; size /= 3) {
		mem_say(&mem_config()->usable_region_size, size);
		mem_say(&mem_config()->requested_size, (50 + size % 7) * MEM_UNIT);
		mem_changed();
		msleep(50);
	}
	mem_resize(test, 20 * MEM_UNIT);
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

static void test_requested_size_too_large(struct kunit *test)
{
	const u64 sizes[] = { BIT_ULL(52), BIT_ULL(53), U64_MAX, hotadd_size + MEM_UNIT };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mem_good();
		try_device(test, sizes[i]);

		mem_good();
		KUNIT_ASSERT_TRUE(test, mem_plug());
		mem_resize(test, MEM_UNIT);
		mem_say(&mem_config()->requested_size, sizes[i]);
		mem_changed();
		expect_mem_settles(test);
		mem_resize(test, 0);
		mem_unplug(test);
	}
	expect_mem_works(test);
}

static void test_requested_size_is_not_of_blocks(struct kunit *test)
{
	const u64 sizes[] = { 1, PAGE_SIZE, MEM_UNIT - 1, MEM_UNIT + 1, SZ_128M + SZ_1M };

	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mem_say(&mem_config()->requested_size, sizes[i]);
		mem_changed();
		KUNIT_EXPECT_TRUE(test, mem_wait(ALIGN_DOWN(sizes[i], MEM_UNIT)));
		expect_mem(test);
	}
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

static void test_plugged_size_is_wrong(struct kunit *test)
{
	const u64 sizes[] = { 0, 1, SZ_256M, BIT_ULL(53), U64_MAX };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mem_good();
		mem_config()->plugged_size = cpu_to_le64(sizes[i]);
		try_device(test, SZ_128M);

		mem_good();
		KUNIT_ASSERT_TRUE(test, mem_plug());
		mem_resize(test, 70 * MEM_UNIT);
		mem_say(&mem_config()->plugged_size, sizes[i]);
		mem_changed();
		expect_mem_settles(test);
		mem_resize(test, 0);
		mem_unplug(test);
	}
	expect_mem_works(test);
}

/* Each answer comes with another size. */
static void lie_changing_sizes(u16 request, struct mem_answer *answer)
{
	const u64 size = prandom_u32_state(&mem.rnd) % (hotadd_size / MEM_UNIT + 1) * MEM_UNIT;

	mem_say(&mem_config()->requested_size, size);
	mem_changed();
}

static void test_sizes_change_with_each_answer(struct kunit *test)
{
	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	for (int i = 0; i < 4; i++) {
		mem.lie = lie_changing_sizes;
		mem_say(&mem_config()->requested_size, SZ_256M);
		mem_changed();
		msleep(1000);
		mem_resize(test, i * 50 * MEM_UNIT);
	}
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

/* What is said instead of VIRTIO_MEM_RESP_ACK, to which requests, and in how many of 8 cases. */
static struct {
	u16 type, request;
	unsigned int eighths;
} refusal;

static void lie_refusing(u16 request, struct mem_answer *answer)
{
	if (request == refusal.request && prandom_u32_state(&mem.rnd) % 8 < refusal.eighths)
		answer->type = refusal.type;
}

/* The driver goes on when the device changes its mind. */
static void refuse_requests(struct kunit *test, u16 type)
{
	const u16 requests[] = { VIRTIO_MEM_REQ_PLUG, VIRTIO_MEM_REQ_UNPLUG };

	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	refusal.type = type;
	for (int i = 0; i < ARRAY_SIZE(requests); i++) {
		refusal.request = requests[i];
		for (refusal.eighths = 4; refusal.eighths <= 8; refusal.eighths += 4) {
			mem_resize(test, i ? 100 * MEM_UNIT : 70 * MEM_UNIT);
			mem.lie = lie_refusing;
			mem_say(&mem_config()->requested_size, (i ? 70 : 100) * MEM_UNIT);
			mem_changed();
			msleep(500);
		}
	}
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

static void test_nack(struct kunit *test)
{
	refuse_requests(test, VIRTIO_MEM_RESP_NACK);
}

static void test_busy(struct kunit *test)
{
	refuse_requests(test, VIRTIO_MEM_RESP_BUSY);
}

static void test_unknown_answers(struct kunit *test)
{
	refuse_requests(test, VIRTIO_MEM_RESP_ERROR + 1);
	refuse_requests(test, U16_MAX);
}

/* After an error the driver is through with the device. */
static void test_error(struct kunit *test)
{
	const u64 size = 2 * memory_block_size_bytes();

	mem_good();
	refusal.type = VIRTIO_MEM_RESP_ERROR;
	refusal.eighths = 8;
	mem.lie = lie_refusing;
	refusal.request = VIRTIO_MEM_REQ_PLUG;
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_say(&mem_config()->requested_size, size);
	mem_changed();
	expect_mem_settles(test);
	mem_unplug(test);

	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_resize(test, size);
	refusal.request = VIRTIO_MEM_REQ_UNPLUG;
	mem.lie = lie_refusing;
	mem_say(&mem_config()->requested_size, 0);
	mem_changed();
	expect_mem_settles(test);
	mem_unplug(test);
	mem_remove(test);
	expect_mem_works(test);
}

static void test_unplugging_all_is_refused(struct kunit *test)
{
	refusal.request = VIRTIO_MEM_REQ_UNPLUG_ALL;
	refusal.eighths = 8;
	for (u16 type = VIRTIO_MEM_RESP_NACK; type <= VIRTIO_MEM_RESP_ERROR + 1; type++) {
		mem_good();
		refusal.type = type;
		mem.lie = lie_refusing;
		mem_config()->plugged_size = cpu_to_le64(MEM_UNIT);
		KUNIT_ASSERT_TRUE(test, mem_plug());
		msleep(200);
		KUNIT_EXPECT_EQ(test, mem_told(), 0);
		mem_resize(test, 80 * MEM_UNIT);
		mem_resize(test, 0);
		mem_unplug(test);
	}
	expect_mem_works(test);
}

/* A driver that is asked to go does not try for ever. */
static void test_nack_until_the_end(struct kunit *test)
{
	refusal.type = VIRTIO_MEM_RESP_NACK;
	refusal.request = VIRTIO_MEM_REQ_PLUG;
	refusal.eighths = 8;
	mem_good();
	mem.lie = lie_refusing;
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_say(&mem_config()->requested_size, SZ_256M);
	mem_changed();
	msleep(500);
	KUNIT_EXPECT_GT(test, mem.requests, 0);
	/* Nor does it ask as fast as it can: see what lie_changing_sizes() is for. */
	KUNIT_EXPECT_LT(test, mem.requests, 100);
	mem_unplug(test);
	expect_mem_works(test);
}

static void lie_writing_nothing(u16 request, struct mem_answer *answer)
{
	answer->len = 0;
}

/* The answer before was good. That is not this one's. */
static void test_nothing_is_written(struct kunit *test)
{
	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_resize(test, 50 * MEM_UNIT);
	mem.lie = lie_writing_nothing;
	mem_say(&mem_config()->requested_size, 60 * MEM_UNIT);
	mem_changed();
	expect_mem_settles(test);
	mem_say(&mem_config()->requested_size, 0);
	mem_changed();
	expect_mem_settles(test);
	mem_resize(test, 0);
	mem_unplug(test);

	/* Nor is there one that has not come yet. */
	mem_good();
	mem.lie = lie_writing_nothing;
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_say(&mem_config()->requested_size, 60 * MEM_UNIT);
	mem_changed();
	expect_mem_settles(test);
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

static void lie_about_lengths(u16 request, struct mem_answer *answer)
{
	answer->len = prandom_u32_state(&mem.rnd) | 1;
	answer->state = prandom_u32_state(&mem.rnd);
}

static void test_lengths_are_wrong(struct kunit *test)
{
	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	for (int i = 0; i < 5; i++) {
		mem.lie = lie_about_lengths;
		mem_say(&mem_config()->requested_size, i % 2 * 150 * MEM_UNIT);
		mem_changed();
		KUNIT_EXPECT_TRUE(test, mem_wait(i % 2 * 150 * MEM_UNIT));
		expect_mem(test);
	}
	mem_resize(test, 0);
	mem_unplug(test);
	expect_mem_works(test);
}

/* The ring */

static u32 wrong_id;

static void lie_about_ids(u16 request, struct mem_answer *answer)
{
	answer->type = VIRTIO_MEM_RESP_BUSY;
	answer->id = wrong_id;
}

/* The device is pulled out while the driver waits for its first answer. */
static void pull_out(struct kunit *test)
{
	for (int waited = 0; waited < 600 && !READ_ONCE(mem.requests); waited++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, mem.requests, 1);
	msleep(100);
	virtio_break_device(&mem.virtio.vdev);
}

/*
 * The driver stops to wait for an answer, which is a lie or, without one, does not
 * come. What it had, it still has, but what it has asked to be unplugged.
 */
static void break_ring(struct kunit *test, void (*lie)(u16 request, struct mem_answer *answer))
{
	const u64 size = 2 * memory_block_size_bytes();

	for (int i = 0; i < 2; i++) {
		mem_good();
		KUNIT_ASSERT_TRUE(test, mem_plug());
		if (i)
			mem_resize(test, size);
		mem.lie = lie;
		mem.silent = !lie;
		mem.requests = 0;
		mem_say(&mem_config()->requested_size, i ? 0 : size);
		mem_changed();
		if (lie)
			expect_mem_settles(test);
		else
			pull_out(test);
		expect_mem_removed(test);
		mem_unplug(test);
		mem_remove(test);
	}
	expect_mem_works(test);
}

static void test_id_out_of_range(struct kunit *test)
{
	wrong_id = 8;
	break_ring(test, lie_about_ids);
	wrong_id = U32_MAX;
	break_ring(test, lie_about_ids);
}

static void test_id_of_no_buffer(struct kunit *test)
{
	wrong_id = 5;
	break_ring(test, lie_about_ids);
}

/* Before the answer, all buffers have been given back. */
static void lie_with_the_index(u16 request, struct mem_answer *answer)
{
	answer->type = VIRTIO_MEM_RESP_BUSY;
	answer->id = 7;
	fake_answer_many(&mem.virtio.queues[0], 1000);
}

static void test_index_runs_ahead(struct kunit *test)
{
	break_ring(test, lie_with_the_index);
}

static void lie_twice(u16 request, struct mem_answer *answer)
{
	/* The driver may see the first one only, or none. */
	answer->type = VIRTIO_MEM_RESP_ERROR + 1;
	fake_answer(&mem.virtio.queues[0], answer->id, sizeof(struct virtio_mem_resp));
}

/* The second time is an answer to nothing, or to the next request, which then is none. */
static void test_id_twice(struct kunit *test)
{
	break_ring(test, lie_twice);
}

static void test_removed_by_surprise(struct kunit *test)
{
	break_ring(test, NULL);
}

/*
 * Memory that somebody else has added, where the device says to have its own: it stays
 * offline. Its struct pages may be in itself, as those of a DIMM.
 */
static void test_memory_of_others_in_the_region(struct kunit *test)
{
	const mhp_t flags[] = { MHP_NONE, MHP_NONE, MHP_MEMMAP_ON_MEMORY };
	const unsigned long size = memory_block_size_bytes();
	const u64 addr = hotadd + hotadd_size - size;

	for (int i = 0; i < ARRAY_SIZE(flags); i++) {
		mem_good();
		KUNIT_ASSERT_TRUE(test, mem_plug());
		if (i)
			mem_resize(test, 10 * MEM_UNIT);
		KUNIT_ASSERT_EQ(test, add_memory(0, addr, size, flags[i]), 0);
		expect_mem(test);
		KUNIT_EXPECT_EQ(test, offline_and_remove_memory(addr, size), 0);
		expect_mem(test);
		mem_resize(test, 0);
		mem_unplug(test);
	}
	expect_mem_works(test);
}

/* Anything at any time */

#define MEM_ODD_ANSWERS	16

static u64 odd_size(void)
{
	const u64 size = (u64)prandom_u32_state(&mem.rnd) << 32 | prandom_u32_state(&mem.rnd);

	switch (prandom_u32_state(&mem.rnd) % 4) {
	case 0:
		return size >> prandom_u32_state(&mem.rnd) % 64;
	case 1:
		return BIT_ULL(prandom_u32_state(&mem.rnd) % 64);
	default:
		return size % (hotadd_size / MEM_UNIT + 1) * MEM_UNIT;
	}
}

static void mem_say_odd_sizes(void)
{
	__le64 *const fields[] = { &mem_config()->usable_region_size, &mem_config()->plugged_size,
				   &mem_config()->requested_size, &mem_config()->requested_size };

	mem_say(fields[prandom_u32_state(&mem.rnd) % ARRAY_SIZE(fields)], odd_size());
	if (prandom_u32_state(&mem.rnd) % 2)
		mem_changed();
}

static void lie_at_random(u16 request, struct mem_answer *answer)
{
	if (prandom_u32_state(&mem.rnd) % 4 == 0)
		mem_say_odd_sizes();
	switch (prandom_u32_state(&mem.rnd) % MEM_ODD_ANSWERS) {
	case 0:
		answer->type = VIRTIO_MEM_RESP_NACK;
		break;
	case 1:
		answer->type = VIRTIO_MEM_RESP_BUSY;
		break;
	case 2:
		answer->type = prandom_u32_state(&mem.rnd) | 0x8000;
		break;
	case 3:
		answer->len = 0;
		break;
	case 4:
	case 5:
		lie_about_lengths(request, answer);
	}
}

/* How a round ends: the device is good again, or the driver has given it up. */
static void mem_end_nonsense(struct kunit *test)
{
	const u64 size = 2 * memory_block_size_bytes();

	/*
	 * That it has the size already would not mean that it has taken the request. It
	 * has, most likely, once it has been quiet for a while.
	 */
	mem_request(size);
	expect_mem_settles(test);
	switch (prandom_u32_state(&mem.rnd) % 3) {
	case 0:
		mem_resize(test, size);
		refusal.type = VIRTIO_MEM_RESP_ERROR;
		refusal.eighths = 8;
		refusal.request = VIRTIO_MEM_REQ_UNPLUG;
		mem.lie = lie_refusing;
		break;
	case 1:
		mem_resize(test, size);
		wrong_id = prandom_u32_state(&mem.rnd) | 8;
		mem.lie = lie_about_ids;
		break;
	case 2:
		mem_resize(test, 0);
		return;
	}
	mem_say(&mem_config()->requested_size, 0);
	mem_changed();
	msleep(300);
}

static void mem_nonsense(struct kunit *test)
{
	prandom_seed_state(&mem.rnd, seed + (unsigned long)test->param_value);
	mem_good();
	mem_config()->plugged_size = cpu_to_le64(odd_size());
	mem_config()->usable_region_size = cpu_to_le64(odd_size());
	mem_config()->requested_size = cpu_to_le64(odd_size());
	mem_config()->block_size = cpu_to_le64(MEM_UNIT >> prandom_u32_state(&mem.rnd) % 10);
	mem.lie = lie_at_random;
	KUNIT_ASSERT_TRUE(test, mem_plug());
	for (int i = 0; i < 60 && test->status == KUNIT_SUCCESS; i++) {
		mem_say_odd_sizes();
		mem_changed();
		msleep(prandom_u32_state(&mem.rnd) % 50);
	}
	pr_info("seed %lu, round %lu: %u requests, %lu pages plugged\n", seed,
		(unsigned long)test->param_value, mem.requests, mem_told());
	mem_end_nonsense(test);
	expect_mem_settles(test);
	expect_mem_removed(test);
	mem_unplug(test);
	mem_remove(test);
	expect_mem_works(test);
}

/* A config that is all chance: the driver may take it, and does nothing wrong with it. */
static void mem_odd_config(struct kunit *test)
{
	prandom_seed_state(&mem.rnd, seed + (unsigned long)test->param_value);
	for (int i = 0; i < 15 && test->status == KUNIT_SUCCESS; i++) {
		mem_good();
		if (prandom_u32_state(&mem.rnd) % 4 == 0)
			mem_config()->block_size = cpu_to_le64(odd_size());
		if (prandom_u32_state(&mem.rnd) % 2)
			mem_config()->addr = cpu_to_le64(prandom_u32_state(&mem.rnd) % 4 ?
							 hotadd + odd_size() : odd_size());
		if (prandom_u32_state(&mem.rnd) % 4)
			mem_config()->region_size = cpu_to_le64(odd_size());
		mem_config()->usable_region_size = cpu_to_le64(odd_size());
		mem_config()->requested_size = cpu_to_le64(odd_size());
		mem_config()->plugged_size = cpu_to_le64(odd_size());
		prandom_bytes_state(&mem.rnd, &mem_config()->node_id, sizeof(__le16));
		if (mem_plug()) {
			msleep(100);
			mem_resize(test, 0);
		}
		mem_unplug(test);
		expect_mem(test);
	}
	expect_mem_works(test);
}

static void test_nonsense(struct kunit *test)
{
	mem_nonsense(test);
}

static void test_nonsense_before_probe(struct kunit *test)
{
	mem_odd_config(test);
}

static struct kunit_case virtio_hostile_mem_cases[] = {
	KUNIT_CASE_SLOW(test_good_device),
	KUNIT_CASE_SLOW(test_block_size_zero),
	KUNIT_CASE_SLOW(test_block_size_is_no_power_of_2),
	KUNIT_CASE_SLOW(test_block_size_too_small),
	KUNIT_CASE_SLOW(test_block_size_too_large),
	KUNIT_CASE_SLOW(test_block_sizes_that_are_good),
	KUNIT_CASE_SLOW(test_region_is_not_aligned),
	KUNIT_CASE_SLOW(test_region_over_memory),
	KUNIT_CASE_SLOW(test_region_beyond_physical_addresses),
	KUNIT_CASE_SLOW(test_region_wraps),
	KUNIT_CASE_SLOW(test_region_is_empty),
	KUNIT_CASE_SLOW(test_region_is_small),
	KUNIT_CASE_SLOW(test_node_that_is_not_there),
	KUNIT_CASE_SLOW(test_usable_region_too_large),
	KUNIT_CASE_SLOW(test_usable_region_changes),
	KUNIT_CASE_SLOW(test_requested_size_too_large),
	KUNIT_CASE_SLOW(test_requested_size_is_not_of_blocks),
	KUNIT_CASE_SLOW(test_plugged_size_is_wrong),
	KUNIT_CASE_SLOW(test_sizes_change_with_each_answer),
	KUNIT_CASE_SLOW(test_nack),
	KUNIT_CASE_SLOW(test_busy),
	KUNIT_CASE_SLOW(test_unknown_answers),
	KUNIT_CASE_SLOW(test_error),
	KUNIT_CASE_SLOW(test_unplugging_all_is_refused),
	KUNIT_CASE_SLOW(test_nack_until_the_end),
	KUNIT_CASE_SLOW(test_nothing_is_written),
	KUNIT_CASE_SLOW(test_lengths_are_wrong),
	KUNIT_CASE_SLOW(test_id_out_of_range),
	KUNIT_CASE_SLOW(test_id_of_no_buffer),
	KUNIT_CASE_SLOW(test_index_runs_ahead),
	KUNIT_CASE_SLOW(test_id_twice),
	KUNIT_CASE_SLOW(test_removed_by_surprise),
	KUNIT_CASE_SLOW(test_memory_of_others_in_the_region),
	KUNIT_CASE_PARAM(test_nonsense, next_round),
	KUNIT_CASE_PARAM(test_nonsense_before_probe, next_round),
	{}
};

static struct kunit_suite virtio_hostile_mem_suite = {
	.name = "virtio_hostile_mem",
	.attr = { .speed = KUNIT_SPEED_SLOW },
	.init = virtio_hostile_init,
	.exit = virtio_hostile_exit,
	.test_cases = virtio_hostile_mem_cases,
};

#endif /* VIRTIO_HOSTILE_KUNIT_MEM_CASES_H */
