/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fake virtio-mem device, and what has to be true of the guest's memory, whatever it says.
 *
 * Behind it is RAM that the kernel does not know of. So memory that the device gives is there; what
 * it may not be asked for is memory of anybody else.
 */
#ifndef VIRTIO_HOSTILE_KUNIT_MEM_H
#define VIRTIO_HOSTILE_KUNIT_MEM_H

#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mem.h>

static ulong hotadd, hotadd_size;
module_param(hotadd, ulong, 0444);
MODULE_PARM_DESC(hotadd, "Physical address of RAM that the kernel does not know of");
module_param(hotadd_size, ulong, 0444);
MODULE_PARM_DESC(hotadd_size, "Size of it, in bytes");

/* What the driver plugs and unplugs at least: its subblocks. */
#define MEM_UNIT	SZ_2M
#define MEM_MAX_PAGES	(SZ_2G / PAGE_SIZE)

/* How the device answers a request. */
struct mem_answer {
	u16 type;
	u16 state;
	u32 len;		/* that it says to have written; 0: it has written nothing */
	u32 id;
};

static struct {
	struct fake_virtio virtio;
	/* Pages that the driver may take for plugged: it was told so, and knows nothing else. */
	DECLARE_BITMAP(told, MEM_MAX_PAGES);
	unsigned int requests;
	bool silent;		/* it does nothing, and answers nothing */
	const char *wrong;	/* the first thing that the driver did wrong */
	/* What a case may make of an answer. */
	void (*lie)(u16 request, struct mem_answer *answer);
	struct rnd_state rnd;
} mem;

static struct virtio_mem_config *mem_config(void)
{
	return (struct virtio_mem_config *)mem.virtio.config;
}

static void mem_say(__le64 *field, u64 value)
{
	unsigned long flags;

	spin_lock_irqsave(&mem.virtio.lock, flags);
	*field = cpu_to_le64(value);
	spin_unlock_irqrestore(&mem.virtio.lock, flags);
}

static void mem_complain(const char *what)
{
	if (!mem.wrong)
		mem.wrong = what;
}

static unsigned long mem_told(void)
{
	return bitmap_weight(mem.told, MEM_MAX_PAGES);
}

/* What a device that is good says to a request to plug or unplug. */
static u16 mem_change(u64 addr, u64 size, bool plug)
{
	const unsigned long first = PHYS_PFN(addr - hotadd), nr = PHYS_PFN(size);
	const u64 start = le64_to_cpu(mem_config()->addr);
	const u64 region = le64_to_cpu(mem_config()->region_size);

	if (!nr)
		mem_complain("asked for nothing");
	else if (addr < start || addr - start >= region || size > region - (addr - start))
		mem_complain("asked for memory outside of the region");
	else if (addr < hotadd || addr + size > hotadd + hotadd_size)
		return VIRTIO_MEM_RESP_BUSY;	/* a region that was a lie */
	else if (plug && find_next_bit(mem.told, first + nr, first) < first + nr)
		mem_complain("plugged twice");
	else if (!plug && find_next_zero_bit(mem.told, first + nr, first) < first + nr)
		mem_complain("unplugged what is not plugged");
	else
		return VIRTIO_MEM_RESP_ACK;
	return VIRTIO_MEM_RESP_ERROR;
}

static void mem_tell(u64 addr, u64 size, bool plug)
{
	s64 change = plug ? size : -size;

	if (plug)
		bitmap_set(mem.told, PHYS_PFN(addr - hotadd), PHYS_PFN(size));
	else
		bitmap_clear(mem.told, PHYS_PFN(addr - hotadd), PHYS_PFN(size));
	mem_say(&mem_config()->plugged_size, le64_to_cpu(mem_config()->plugged_size) + change);
}

static void mem_tell_all_unplugged(void)
{
	bitmap_zero(mem.told, MEM_MAX_PAGES);
	mem_say(&mem_config()->plugged_size, 0);
}

static void mem_serve(struct fake_virtio *dev, struct fake_queue *queue, u16 head)
{
	struct mem_answer answer = { .len = sizeof(struct virtio_mem_resp), .id = head };
	struct virtio_mem_resp resp = {};
	struct virtio_mem_req req;
	bool good, told;
	u64 addr, size;
	u16 type;

	if (!fake_copy(&queue->out, &req, sizeof(req), false)) {
		mem_complain("a request that is too short");
		return;
	}
	mem.requests++;
	type = le16_to_cpu(req.type);
	addr = le64_to_cpu(req.u.plug.addr);
	size = le16_to_cpu(req.u.plug.nb_blocks) * le64_to_cpu(mem_config()->block_size);
	answer.type = type == VIRTIO_MEM_REQ_UNPLUG_ALL ? VIRTIO_MEM_RESP_ACK :
		      mem_change(addr, size, type == VIRTIO_MEM_REQ_PLUG);
	good = answer.type == VIRTIO_MEM_RESP_ACK;
	if (mem.lie && good)
		mem.lie(type, &answer);

	told = !mem.silent && answer.len && answer.id == head &&
	       answer.type <= VIRTIO_MEM_RESP_ERROR;
	if (good && told && answer.type == VIRTIO_MEM_RESP_ACK) {
		if (type == VIRTIO_MEM_REQ_UNPLUG_ALL)
			mem_tell_all_unplugged();
		else
			mem_tell(addr, size, type == VIRTIO_MEM_REQ_PLUG);
	} else if (good && !told && type == VIRTIO_MEM_REQ_UNPLUG) {
		/* For all that the driver knows, it is gone. */
		mem_tell(addr, size, false);
	}
	if (mem.silent)
		return;
	resp.type = cpu_to_le16(answer.type);
	resp.u.state.state = cpu_to_le16(answer.state);
	if (answer.len && !fake_copy(&queue->in, &resp, sizeof(resp), true))
		mem_complain("no room for a response");
	fake_answer(queue, answer.id, answer.len);
}

static bool mem_plug(void)
{
	return fake_plug(&mem.virtio, VIRTIO_ID_MEM);
}

/* Tell the driver to look. */
static void mem_changed(void)
{
	virtio_config_changed(&mem.virtio.vdev);
}

/* A device as it should be, with nothing plugged. */
static void mem_good(void)
{
	memset(&mem.virtio, 0, sizeof(mem.virtio));
	mem.virtio.features = BIT_ULL(VIRTIO_F_VERSION_1);
	mem.virtio.queue_size = 8;
	mem.virtio.serve = mem_serve;
	mem.lie = NULL;
	mem.silent = false;
	mem.requests = 0;
	bitmap_zero(mem.told, MEM_MAX_PAGES);
	*mem_config() = (struct virtio_mem_config) {
		.block_size		= cpu_to_le64(MEM_UNIT),
		.addr			= cpu_to_le64(hotadd),
		.region_size		= cpu_to_le64(hotadd_size),
		.usable_region_size	= cpu_to_le64(hotadd_size),
	};
}

/* The device becomes good again, or goes on being so, and asks for a size. */
static void mem_request(u64 size)
{
	mem.lie = NULL;
	mem_say(&mem_config()->usable_region_size, le64_to_cpu(mem_config()->region_size));
	mem_say(&mem_config()->plugged_size, mem_told() * PAGE_SIZE);
	mem_say(&mem_config()->requested_size, size);
	mem_changed();
}

/* Pages of the device that Linux can use: their block is online, and they are not offline. */
static unsigned long mem_used(void)
{
	unsigned long used = 0;

	for (unsigned long pfn = PHYS_PFN(hotadd); pfn < PHYS_PFN(hotadd + hotadd_size); pfn++)
		used += pfn_to_online_page(pfn) && !PageOffline(pfn_to_page(pfn));
	return used;
}

static int mem_found(struct resource *resource, void *unused)
{
	return 1;
}

/* Has Linux anything of the device, online or offline? */
static bool mem_is_there(void)
{
	return walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
				   hotadd, hotadd + hotadd_size - 1, NULL, mem_found) == 1;
}

/* Does Linux have what it was told, and nothing else? All of it is in ZONE_MOVABLE. */
static bool mem_is_exact(void)
{
	for (int i = 0; i < MAX_NR_ZONES; i++) {
		const unsigned long gained = i == ZONE_MOVABLE ? mem_told() : 0;

		if (zone_managed_pages(&NODE_DATA(0)->node_zones[i]) != before.managed[i] + gained)
			return false;
	}
	return totalram_pages() == before.total + mem_told() && mem_used() == mem_told();
}

/* Until the device has what it asked for, and Linux has followed. What is busy is tried again. */
static bool mem_wait(u64 size)
{
	for (unsigned long waited = 0; waited < FAKE_PATIENCE; waited += HZ / 50) {
		if (mem_told() * PAGE_SIZE == size && mem_is_exact() && (size || !mem_is_there()))
			return true;
		if (waited % (2 * HZ) == HZ)
			mem_changed();
		schedule_timeout_uninterruptible(HZ / 50);
	}
	return false;
}

static void expect_mem(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, mem.wrong ?: "", "");
	expect_totals(test, mem_told());
	KUNIT_EXPECT_EQ(test, mem_used(), mem_told());
}

/* The same, once the driver has nothing more to ask for. */
static void expect_mem_settles(struct kunit *test)
{
	const unsigned long timeout = jiffies + FAKE_PATIENCE;
	unsigned int requests;

	/* It may ask again at any time; then what was seen is of no moment. */
	do {
		requests = READ_ONCE(mem.requests);
		msleep(300);
		if (mem_is_exact() && requests == READ_ONCE(mem.requests)) {
			KUNIT_EXPECT_STREQ(test, mem.wrong ?: "", "");
			return;
		}
	} while (time_before(jiffies, timeout));
	expect_mem(test);
}

static void mem_resize(struct kunit *test, u64 size)
{
	mem_request(size);
	KUNIT_EXPECT_TRUE_MSG(test, mem_wait(size), "the device is to have %#llx, and has %#lx",
			      size, mem_told() * PAGE_SIZE);
	expect_mem(test);
}

/* Until the driver has removed the blocks that it has nothing of. */
static void expect_mem_removed(struct kunit *test)
{
	const unsigned long nr = PHYS_PFN(memory_block_size_bytes());
	const unsigned long timeout = jiffies + FAKE_PATIENCE;
	unsigned long first = 0;

	while (first < PHYS_PFN(hotadd_size) && time_before(jiffies, timeout)) {
		if (pfn_to_online_page(PHYS_PFN(hotadd) + first) &&
		    find_next_bit(mem.told, first + nr, first) == first + nr)
			msleep(20);
		else
			first += nr;
	}
	KUNIT_EXPECT_GE(test, first, PHYS_PFN(hotadd_size));
}

/* The device goes, and all of its memory has gone before. */
static void mem_unplug(struct kunit *test)
{
	KUNIT_ASSERT_TRUE_MSG(test, fake_unplug(&mem.virtio), "the driver does not let go");
	KUNIT_EXPECT_STREQ(test, mem.wrong ?: "", "");
}

static int mem_count_region(struct resource *resource, void *count)
{
	++*(unsigned int *)count;
	return 0;
}

/* How many devices have requested the region, and not given it up. */
static unsigned int mem_regions(void)
{
	unsigned int count = 0;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_MEM | IORESOURCE_EXCLUSIVE, hotadd,
			    hotadd + hotadd_size - 1, &count, mem_count_region);
	return count;
}

/* For a driver that takes no orders any more; all that is left is plugged in whole blocks. */
static void mem_remove(struct kunit *test)
{
	const unsigned long size = memory_block_size_bytes();

	for (u64 addr = hotadd; addr < hotadd + hotadd_size; addr += size) {
		if (!pfn_to_online_page(PHYS_PFN(addr)))
			continue;
		KUNIT_EXPECT_EQ(test, offline_and_remove_memory(addr, size), 0);
		bitmap_clear(mem.told, PHYS_PFN(addr - hotadd), PHYS_PFN(size));
	}
	expect_mem(test);
}

/* After anything: there is nothing left, and a good device works. */
static void expect_mem_works(struct kunit *test)
{
	expect_totals(test, 0);
	KUNIT_ASSERT_FALSE(test, mem_is_there());
	mem_good();
	KUNIT_ASSERT_TRUE(test, mem_plug());
	mem_resize(test, 20 * MEM_UNIT);
	mem_resize(test, 7 * MEM_UNIT);
	mem_resize(test, 0);
	mem_unplug(test);
	expect_totals(test, 0);
}

#endif /* VIRTIO_HOSTILE_KUNIT_MEM_H */
