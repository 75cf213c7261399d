/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fake virtio-balloon device: it keeps book on the pages that the driver gives to it.
 *
 * Nothing keeps a host from asking for all memory there is, that is what balloons are for. The
 * guest would be out of memory then, and not only the driver. So the device may say what it likes,
 * but asks for less once it has "limit" pages.
 */
#ifndef VIRTIO_HOSTILE_KUNIT_BALLOON_H
#define VIRTIO_HOSTILE_KUNIT_BALLOON_H

#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <linux/vmalloc.h>

enum { INFLATE, DEFLATE, STATS, HINTS, REPORTS };

#define BALLOON_MAX_PFN	BIT(20)

static struct {
	struct fake_virtio virtio;
	DECLARE_BITMAP(held, BALLOON_MAX_PFN);
	unsigned long limit;
	unsigned int served[FAKE_QUEUES];
	bool stalled[FAKE_QUEUES];	/* buffers are not given back */
	/* The free chunks that it was told of last. */
	unsigned long chunks[32];
	unsigned int nr_chunks;
	bool hurries;	/* gives buffers back unread: they may hold something else by now */
	int stats_head;			/* of the buffer with statistics, -1: the driver has it */
	const char *wrong;		/* the first thing that the driver did wrong */
	/* What a case may make of an answer. */
	void (*lie)(struct fake_queue *queue, u32 *id, u32 *len);
	struct rnd_state rnd;
} balloon;

static struct virtio_balloon_config *balloon_config(void)
{
	return (struct virtio_balloon_config *)balloon.virtio.config;
}

static void balloon_say(__le32 *field, u32 value)
{
	unsigned long flags;

	spin_lock_irqsave(&balloon.virtio.lock, flags);
	*field = cpu_to_le32(value);
	spin_unlock_irqrestore(&balloon.virtio.lock, flags);
}

static void balloon_changed(void)
{
	virtio_config_changed(&balloon.virtio.vdev);
}

static unsigned long balloon_held(void)
{
	return bitmap_weight(balloon.held, BALLOON_MAX_PFN);
}

static void balloon_pages(struct vringh_kiov *iov, bool inflate)
{
	const __le32 *pfns;

	if (balloon.hurries)
		return;
	if (iov->used != 1 || !iov->iov[0].iov_len || iov->iov[0].iov_len % sizeof(*pfns)) {
		balloon.wrong = "no page frame numbers";
		return;
	}
	pfns = __va((phys_addr_t)(unsigned long)iov->iov[0].iov_base);
	for (int i = 0; i < iov->iov[0].iov_len / sizeof(*pfns); i++) {
		const u32 pfn = le32_to_cpu(pfns[i]);

		if (pfn >= BALLOON_MAX_PFN || !pfn_to_online_page(pfn))
			balloon.wrong = "there is no such page";
		else if (test_and_change_bit(pfn, balloon.held) == inflate)
			balloon.wrong = inflate ? "inflated twice" : "deflated, but not inflated";
	}
	if (inflate && balloon_held() >= balloon.limit) {
		balloon_say(&balloon_config()->num_pages, balloon.limit / 2);
		balloon_changed();
	}
}

static void balloon_chunks(const struct vringh_kiov *iov)
{
	balloon.nr_chunks = min_t(unsigned int, iov->used, ARRAY_SIZE(balloon.chunks));
	for (int i = 0; i < balloon.nr_chunks; i++)
		balloon.chunks[i] = PHYS_PFN((unsigned long)iov->iov[i].iov_base);
}

static void balloon_serve(struct fake_virtio *dev, struct fake_queue *queue, u16 head)
{
	const unsigned int index = queue->vq->index;
	u32 id = head, len = 0;

	balloon.served[index]++;
	if (index == INFLATE || index == DEFLATE)
		balloon_pages(&queue->out, index == INFLATE);
	if (index == REPORTS)
		balloon_chunks(&queue->in);
	if (balloon.stalled[index])
		return;
	if (index == STATS && !dev->hasty) {
		balloon.stats_head = head;
		return;
	}
	if (balloon.lie)
		balloon.lie(queue, &id, &len);
	fake_answer(queue, id, len);
}

/* Ask for statistics, whether the device has the buffer or not. */
static void balloon_ask_for_stats(void)
{
	struct fake_queue *queue = &balloon.virtio.queues[STATS];
	u32 id, len = 0;

	flush_work(&balloon.virtio.work);
	if (balloon.stats_head < 0)
		return;
	id = balloon.stats_head;
	balloon.stats_head = -1;
	if (balloon.lie)
		balloon.lie(queue, &id, &len);
	fake_answer(queue, id, len);
}

/* A device as it should be; the driver may use all features that there are. */
static void balloon_good(u64 features)
{
	memset(&balloon.virtio, 0, sizeof(balloon.virtio));
	balloon.virtio.features = BIT_ULL(VIRTIO_F_VERSION_1) | features;
	balloon.virtio.queue_size = 16;
	balloon.virtio.serve = balloon_serve;
	balloon.lie = NULL;
	balloon.limit = before.total / 4;
	balloon.stats_head = -1;
	balloon.hurries = false;
	memset(balloon.stalled, 0, sizeof(balloon.stalled));
	memset(balloon.served, 0, sizeof(balloon.served));
	bitmap_zero(balloon.held, BALLOON_MAX_PFN);
}

#define ALL_FEATURES	(BIT_ULL(VIRTIO_BALLOON_F_MUST_TELL_HOST) |	\
			 BIT_ULL(VIRTIO_BALLOON_F_STATS_VQ) |		\
			 BIT_ULL(VIRTIO_BALLOON_F_FREE_PAGE_HINT) |	\
			 BIT_ULL(VIRTIO_BALLOON_F_PAGE_POISON) |	\
			 BIT_ULL(VIRTIO_BALLOON_F_REPORTING))

static bool balloon_plug(void)
{
	return fake_plug(&balloon.virtio, VIRTIO_ID_BALLOON);
}

/* The very pages that the device has are in the balloon, and not counted. */
static void expect_balloon(struct kunit *test)
{
	long change[MAX_NR_ZONES] = {};
	unsigned long pfn, wrong = 0;

	KUNIT_EXPECT_STREQ(test, balloon.wrong ?: "", "");
	for_each_set_bit(pfn, balloon.held, BALLOON_MAX_PFN) {
		change[page_zonenum(pfn_to_page(pfn))]--;
		wrong += !page_is_ballooned(pfn_to_page(pfn));
	}
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "pages that the device has are not in the balloon");
	expect_counts(test, change, balloon_held());
}

/* Until the driver has done what it can; it does not have to get there. */
static bool balloon_wait(u32 size)
{
	for (unsigned long waited = 0; waited < FAKE_PATIENCE; waited += HZ / 50) {
		if (balloon_held() == size && le32_to_cpu(balloon_config()->actual) == size)
			return true;
		schedule_timeout_uninterruptible(HZ / 50);
	}
	return false;
}

static void balloon_resize(struct kunit *test, u32 size)
{
	balloon.lie = NULL;
	balloon_say(&balloon_config()->num_pages, size);
	balloon_changed();
	KUNIT_EXPECT_TRUE_MSG(test, balloon_wait(size), "%u pages wanted, %lu inflated", size,
			      balloon_held());
	expect_balloon(test);
}

/* Nothing is left in the balloon, whatever the device knows of that. */
static void balloon_unplug(struct kunit *test)
{
	const long none[MAX_NR_ZONES] = {};

	KUNIT_ASSERT_TRUE_MSG(test, fake_unplug(&balloon.virtio), "the driver does not let go");
	KUNIT_EXPECT_STREQ(test, balloon.wrong ?: "", "");
	expect_counts(test, none, 0);
	KUNIT_EXPECT_GE(test, count_free(before.free - FREE_TOLERANCE),
			before.free - FREE_TOLERANCE);
}

static void expect_balloon_works(struct kunit *test)
{
	balloon_good(ALL_FEATURES);
	KUNIT_ASSERT_TRUE(test, balloon_plug());
	balloon_resize(test, 3000);
	balloon_resize(test, 1001);
	balloon_resize(test, 0);
	balloon_resize(test, 700);
	balloon_unplug(test);
	KUNIT_EXPECT_EQ(test, balloon_held(), 0);
}

#endif /* VIRTIO_HOSTILE_KUNIT_BALLOON_H */
