// SPDX-License-Identifier: GPL-2.0
/*
 * The Hyper-V balloon driver, as it is, between the marks of bench/marks.h, with the
 * fake host of its KUnit tests. What the host does is not counted.
 *
 * Write to /sys/module/bench_hv_balloon/parameters/do:
 *
 *	hot-add PFN PAGES REGION PAGES	add memory: pages that are backed, of a region
 *	inflate PAGES
 *	deflate				all of them
 *
 * Needs what hv_balloon_kunit.c needs: hidden memory, and automatic onlining.
 */
#include <linux/hyperv.h>

#define vmbus_sendpacket(...)	counted_sendpacket(__VA_ARGS__)

static int counted_sendpacket(struct vmbus_channel *channel, void *buffer, u32 len,
			      u64 requestid, enum vmbus_packet_type type, u32 flags);

#include "hv_balloon_kunit_host.h"
#include "../../bench/marks.h"

/* The driver is at work. */
static bool counting;

static int counted_sendpacket(struct vmbus_channel *channel, void *buffer, u32 len,
			      u64 requestid, enum vmbus_packet_type type, u32 flags)
{
	int rc;

	if (counting)
		MARK(MARK_END);
	rc = fake_vmbus_sendpacket(channel, buffer, len, requestid, type, flags);
	if (counting)
		MARK(MARK_BEGIN);
	return rc;
}

static void counted_hot_add(struct work_struct *work)
{
	counting = true;
	MARK(MARK_BEGIN);
	hot_add_req(work);
	MARK(MARK_END);
	counting = false;
}

static void counted_inflate(struct work_struct *work)
{
	counting = true;
	MARK(MARK_BEGIN);
	balloon_up(work);
	MARK(MARK_END);
	counting = false;
}

/* Deflates in there. */
static void counted_callback(void *context)
{
	counting = true;
	MARK(MARK_BEGIN);
	balloon_onchannelcallback(context);
	MARK(MARK_END);
	counting = false;
}

static int set_do(const char *text, const struct kernel_param *param)
{
	unsigned long pfn, nr, region, region_nr;

	if (sscanf(text, "hot-add %li %li %li %li", &pfn, &nr, &region, &region_nr) == 4)
		return host_hot_add_region(pfn, nr, region, region_nr) == nr ? 0 : -EIO;
	if (sscanf(text, "inflate %li", &nr) == 1)
		return host_balloon(nr) == nr ? 0 : -ENOMEM;
	if (strncmp(text, "deflate", 7))
		return -EINVAL;
	host.callback = counted_callback;
	host_unballoon_all();
	host.callback = balloon_onchannelcallback;
	return host.wrong || host.nr_held ? -EIO : 0;
}

static const struct kernel_param_ops do_ops = { .set = set_do };
module_param_cb(do, &do_ops, NULL, 0200);

/* The driver's own module_init() is of no effect. */
int __init init_module(void)
{
	int rc = host_create();

#ifndef CONFIG_OFFLINE_PAGE
	refcount = 1;	/* or the fake host complains */
#endif
	if (!rc)
		rc = balloon_probe(host.dev, NULL);
	if (rc)
		return rc;
	dm_device.ha_wrk.wrk.func = counted_hot_add;
	dm_device.balloon_wrk.wrk.func = counted_inflate;
	return 0;	/* and it stays: there is no exit */
}

MODULE_DESCRIPTION("Count what the balloon of Hyper-V costs");
