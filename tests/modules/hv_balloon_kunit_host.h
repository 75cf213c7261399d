/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Hyper-V balloon driver, as it is, with a host that is made up.
 *
 * What the driver would call of VMBus and the hypervisor is redefined; all else
 * is real: the messages travel in both directions, the driver's callback runs
 * in a tasklet, and the memory is that of the guest.
 *
 * The host keeps a book of the pages that the driver gave it. host.wrong tells
 * of the first thing that the driver must not do.
 */
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include <asm/mshyperv.h>

#ifdef CONFIG_OFFLINE_PAGE
#include <linux/offline_page.h>
#endif

static unsigned long hotadd;
module_param(hotadd, ulong, 0444);
MODULE_PARM_DESC(hotadd, "Physical address of RAM that the kernel does not know of");

static unsigned long hotadd_size;
module_param(hotadd_size, ulong, 0444);
MODULE_PARM_DESC(hotadd_size, "Size of it");

static int refcount;
module_param(refcount, int, 0444);
MODULE_PARM_DESC(refcount, "Refcount that offline pages are to have");

static int fake_vmbus_open(struct vmbus_channel *channel, u32 send, u32 recv,
			   void *userdata, u32 len, void (*callback)(void *),
			   void *context);
static void fake_vmbus_close(struct vmbus_channel *channel);
static int fake_vmbus_sendpacket(struct vmbus_channel *channel, void *buffer,
				 u32 len, u64 requestid,
				 enum vmbus_packet_type type, u32 flags);
static int fake_vmbus_recvpacket(struct vmbus_channel *channel, void *buffer,
				 u32 size, u32 *len, u64 *requestid);
static bool fake_query_ext_cap(u64 cap);
static u64 fake_rep_hypercall(u16 code, u16 count, u16 header, void *input,
			      void *output);
static int fake_add_memory(int nid, u64 start, u64 size, mhp_t flags);
static int fake_remove_memory(u64 start, u64 size);
static void fake_online_page(struct page *page, unsigned int order);
static void fake_xa_unlock_bh(struct xarray *xa);

static void * __percpu *fake_input_arg;

#define vmbus_open(...)			fake_vmbus_open(__VA_ARGS__)
#define vmbus_close(channel)		fake_vmbus_close(channel)
#ifndef vmbus_sendpacket
#define vmbus_sendpacket(...)		fake_vmbus_sendpacket(__VA_ARGS__)
#endif
#define vmbus_recvpacket(...)		fake_vmbus_recvpacket(__VA_ARGS__)
#define __vmbus_driver_register(driver, ...) ((void)(driver), 0)
#define hv_is_hibernation_supported()	false
#define hv_query_ext_cap(cap)		fake_query_ext_cap(cap)
#define hv_do_rep_hypercall(...)	fake_rep_hypercall(__VA_ARGS__)
#define hyperv_pcpu_input_arg		fake_input_arg
#define add_memory(...)			fake_add_memory(__VA_ARGS__)
#define remove_memory(...)		fake_remove_memory(__VA_ARGS__)
#undef xa_unlock_bh
#define xa_unlock_bh(xa)		fake_xa_unlock_bh(xa)
#define set_online_page_callback(...)	set_online_page_callback(&fake_online_page)
#define restore_online_page_callback(...) \
	restore_online_page_callback(&fake_online_page)

/* The driver has tracepoints of that name already; there is nothing to register. */
#define NOTRACE
#undef pr_fmt
#undef module_init
#define module_init(fn)	static int fn(void) __maybe_unused

#include <drivers/hv/hv_balloon.c>

#undef add_memory
#undef remove_memory
#undef xa_unlock_bh

/* Guests have less memory than that. */
#define HOST_MAX_PFN	(SZ_4G >> PAGE_SHIFT)

/* VMBus has a packet of two pages for the driver, with a header in it. */
#define HOST_MAX_LEN	(2 * HV_HYP_PAGE_SIZE - sizeof(struct vmpacket_descriptor))

/* Emulated guests are slow, and much is to be freed at times. */
#define HOST_TIMEOUT	(240 * HZ)

struct host_msg {
	struct list_head list;
	u32 len;
	u8 data[];
};

static struct {
	struct hv_device *dev;
	struct vmbus_channel *channel;
	void (*callback)(void *context);
	void *context;

	spinlock_t lock;		/* of to_guest */
	struct list_head to_guest;
	wait_queue_head_t wait;

	/* How it is to behave. */
	bool refuse_version, refuse_caps, silent;
	bool asks_early;		/* for pages, before the handshake */
	int error;			/* of the next sends of ranges */
	unsigned int nr_errors;
	unsigned long late_pfn, nr_late;	/* see fake_online_page() */
	void (*before_remove)(u64 start);	/* see fake_remove_memory() */
	bool counts_bits;		/* see fake_xa_unlock_bh() */
	bool cold_discard;
	u64 discard_status;

	/* What it has heard, by type; the last answers. */
	unsigned int heard[DM_VERSION_1_MAX + 1];
	unsigned int nr_large, nr_small;	/* ranges of 2M, of one page */
	struct dm_hot_add_response hot_add;
	struct dm_status status;
	unsigned long discarded;		/* pages */
	unsigned long waits_for_discard;	/* of that page */

	/* The pages that it was given. */
	unsigned long *held;
	unsigned long nr_held, held_in_zone[MAX_NR_ZONES];

	const char *wrong;
} host;

static void host_complain(const char *what)
{
	if (!host.wrong) {
		host.wrong = what;
		pr_warn("fake host: %s\n", what);
	}
}

static void host_say_hot_add(unsigned long pfn, unsigned long nr);
static bool host_hears(u16 type, unsigned int before);

/* From here on, the guest's side of VMBus. */

/* Deliver one packet per turn, as VMBus does. */
static void fake_event(unsigned long data)
{
	void (*callback)(void *context) = READ_ONCE(host.callback);

	if (!callback)
		return;
	callback(host.context);
	if (!list_empty(&host.to_guest))
		tasklet_schedule(&host.channel->callback_event);
}

static int fake_vmbus_open(struct vmbus_channel *channel, u32 send, u32 recv,
			   void *userdata, u32 len, void (*callback)(void *),
			   void *context)
{
	if (host.callback)
		host_complain("channel opened twice");
	host.context = context;
	WRITE_ONCE(host.callback, callback);
	return 0;
}

static void fake_vmbus_close(struct vmbus_channel *channel)
{
	struct host_msg *msg, *next;

	tasklet_disable(&channel->callback_event);
	WRITE_ONCE(host.callback, NULL);
	tasklet_enable(&channel->callback_event);

	guard(spinlock_irqsave)(&host.lock);
	list_for_each_entry_safe(msg, next, &host.to_guest, list) {
		list_del(&msg->list);
		kfree(msg);
	}
}

static int fake_vmbus_recvpacket(struct vmbus_channel *channel, void *buffer,
				 u32 size, u32 *len, u64 *requestid)
{
	struct host_msg *msg;

	*len = 0;
	*requestid = 0;

	guard(spinlock_irqsave)(&host.lock);
	msg = list_first_entry_or_null(&host.to_guest, struct host_msg, list);
	if (!msg)
		return 0;
	*len = msg->len;
	/* It stays where it is, before all others. */
	if (msg->len > size)
		return -ENOBUFS;
	memcpy(buffer, msg->data, msg->len);
	list_del(&msg->list);
	kfree(msg);
	return 0;
}

/* The host says something, be it nonsense. */
static void host_say(const void *data, u32 len)
{
	struct host_msg *msg;

	len = min_t(u32, len, HOST_MAX_LEN);
	msg = kmalloc(struct_size(msg, data, len), GFP_ATOMIC | __GFP_NOFAIL);
	msg->len = len;
	memcpy(msg->data, data, len);
	scoped_guard(spinlock_irqsave, &host.lock)
		list_add_tail(&msg->list, &host.to_guest);
	tasklet_schedule(&host.channel->callback_event);
}

static void host_say_accepted(u16 type, bool accepted)
{
	struct dm_version_response msg = {
		.hdr.type = type,
		.hdr.size = sizeof(msg),
		.is_accepted = accepted,
	};

	BUILD_BUG_ON(sizeof(msg) != sizeof(struct dm_capabilities_resp_msg));
	host_say(&msg, sizeof(msg));
}

static void host_say_balloon(u32 nr_pages)
{
	struct dm_balloon msg = {
		.hdr.type = DM_BALLOON_REQUEST,
		.hdr.size = sizeof(msg),
		.num_pages = nr_pages,
	};

	host_say(&msg, sizeof(msg));
}

/* What the host knows of a page that it was given, or has given back. */
static void host_hold(unsigned long pfn, bool hold)
{
	const int zone = page_zonenum(pfn_to_page(pfn));

	__change_bit(pfn, host.held);
	host.nr_held += hold ? 1 : -1;
	host.held_in_zone[zone] += hold ? 1 : -1;
}

/* A page that the host is given has to be beyond reach by now. */
static void host_take_page(unsigned long pfn)
{
	struct page *page = pfn < HOST_MAX_PFN ? pfn_to_online_page(pfn) : NULL;

	if (!page) {
		host_complain("was given what is not memory");
		return;
	}
	if (test_bit(pfn, host.held))
		host_complain("was given a page twice");
	else
		host_hold(pfn, true);
	if (!PageOffline(page))
		host_complain("was given a page that is not offline");
	if (page_ref_count(page) != refcount)
		host_complain("was given a page with a refcount");
}

static void host_take(const struct dm_balloon_response *msg, u32 len)
{
	if (struct_size(msg, range_array, msg->range_count) != len)
		host_complain("was sent a wrong number of ranges");

	for (int i = 0; i < msg->range_count; i++) {
		const unsigned long pfn = msg->range_array[i].finfo.start_page;
		const unsigned long nr = msg->range_array[i].finfo.page_cnt;

		if (nr == PAGES_IN_2M && IS_ALIGNED(pfn, PAGES_IN_2M))
			host.nr_large++;
		else if (nr == 1)
			host.nr_small++;
		else
			host_complain("was given an odd range");
		for (unsigned long j = 0; j < nr; j++)
			host_take_page(pfn + j);
	}
}

static int fake_vmbus_sendpacket(struct vmbus_channel *channel, void *buffer,
				 u32 len, u64 requestid,
				 enum vmbus_packet_type type, u32 flags)
{
	const struct dm_header *hdr = buffer;

	if (!READ_ONCE(host.callback)) {
		host_complain("was sent something on a closed channel");
		return -ENODEV;
	}
	if (hdr->size != len || hdr->type > DM_VERSION_1_MAX) {
		host_complain("was sent nonsense");
		return 0;
	}

	switch (hdr->type) {
	case DM_VERSION_REQUEST:
		if (host.asks_early)
			host_say_balloon(8192);
		if (!host.silent)
			host_say_accepted(DM_VERSION_RESPONSE, !host.refuse_version);
		break;
	case DM_CAPABILITIES_REPORT:
		if (!host.silent)
			host_say_accepted(DM_CAPABILITIES_RESPONSE, !host.refuse_caps);
		break;
	case DM_BALLOON_RESPONSE:
		if (host.nr_errors) {
			host.nr_errors--;
			return host.error;
		}
		host_take(buffer, len);
		if (((struct dm_balloon_response *)buffer)->more_pages)
			return 0;
		break;
	case DM_MEM_HOT_ADD_RESPONSE:
		host.hot_add = *(struct dm_hot_add_response *)buffer;
		break;
	case DM_STATUS_REPORT:
		host.status = *(struct dm_status *)buffer;
		break;
	case DM_UNBALLOON_RESPONSE:
		break;
	default:
		host_complain("was sent a message of its own");
	}
	WRITE_ONCE(host.heard[hdr->type], host.heard[hdr->type] + 1);
	wake_up(&host.wait);
	return 0;
}

/*
 * Hot-adding memory that this machine does not have would work, and end badly:
 * a host does not do that by mistake. What is refused in any case may be tried.
 */
static int fake_add_memory(int nid, u64 start, u64 size, mhp_t flags)
{
	const bool hidden = start >= hotadd &&
			    start + size <= hotadd + hotadd_size;

	if (!hidden && mhp_get_pluggable_range(true).end >= start + size - 1 &&
	    region_intersects(start, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) == REGION_DISJOINT)
		return -ENOMEM;
	return add_memory(nid, start, size, flags);
}

/* User space does something with a block before it is removed. */
static int __maybe_unused fake_remove_memory(u64 start, u64 size)
{
	if (host.before_remove)
		host.before_remove(start);
	return remove_memory(start, size);
}

/* The host backs more of a block when all of its pages have been looked at. */
static void fake_online_page(struct page *page, unsigned int order)
{
	const unsigned long end_pfn = page_to_pfn(page) + (1UL << order);
	const unsigned int heard = host.heard[DM_MEM_HOT_ADD_RESPONSE];

	hv_online_page(page, order);
	if (!host.nr_late || !IS_ALIGNED(end_pfn, ha_pages_in_chunk))
		return;
	host_say_hot_add(host.late_pfn, host.nr_late);
	host.nr_late = 0;
	host_hears(DM_MEM_HOT_ADD_RESPONSE, heard);
}

/* When nobody holds the lock, as many pages are counted as bits are set. */
static void __maybe_unused fake_xa_unlock_bh(struct xarray *xa)
{
	unsigned long index, *bitmap, nr = 0;

	if (host.counts_bits) {
		xa_for_each(xa, index, bitmap)
			nr += bitmap_weight(bitmap, PAGES_IN_2M);
		if (nr != dm_device.num_pages_ballooned)
			host_complain("pages are counted without the lock");
	}
	spin_unlock_bh(&xa->xa_lock);
}

/* The hypervisor. */

static bool fake_query_ext_cap(u64 cap)
{
	return cap == HV_EXT_CAPABILITY_MEMORY_COLD_DISCARD_HINT &&
	       host.cold_discard;
}

static u64 fake_rep_hypercall(u16 code, u16 count, u16 header, void *input,
			      void *output)
{
	const struct hv_memory_hint *hint = input;

	if (code != HV_EXT_CALL_MEMORY_HEAT_HINT ||
	    hint->heat_type != HV_EXTMEM_HEAT_HINT_COLD_DISCARD)
		host_complain("wrong hypercall");
	if (host.discard_status)
		return host.discard_status;

	for (int i = 0; i < count; i++) {
		const union hv_gpa_page_range *range = &hint->ranges[i];
		unsigned long pfn = range->page.basepfn;
		unsigned long nr = range->page.additional_pages + 1;

		if (range->page.largepage) {
			pfn = range->base_large_pfn << HV_LARGE_REPORTING_ORDER;
			nr <<= HV_LARGE_REPORTING_ORDER;
		}
		/* The host drops their content. */
		for (; nr; pfn++, nr--) {
			if (pfn >= HOST_MAX_PFN || !pfn_to_online_page(pfn) ||
			    PageOffline(pfn_to_page(pfn)) || test_bit(pfn, host.held))
				host_complain("was to discard what is not free");
			host.discarded++;
			if (pfn == host.waits_for_discard)
				WRITE_ONCE(host.waits_for_discard, 0);
		}
	}
	return HV_STATUS_SUCCESS;
}

/* The host's side. */

/* Wait until the driver has nothing more to do. */
static void host_settle(void)
{
	unsigned long timeout = jiffies + HOST_TIMEOUT;

	do {
		while (!list_empty(&host.to_guest) && time_before(jiffies, timeout))
			usleep_range(50, 100);
		/* Waits for the callback. */
		tasklet_disable(&host.channel->callback_event);
		tasklet_enable(&host.channel->callback_event);
		flush_work(&dm_device.balloon_wrk.wrk);
		flush_work(&dm_device.ha_wrk.wrk);
	} while (!list_empty(&host.to_guest) && time_before(jiffies, timeout));
	if (!list_empty(&host.to_guest))
		host_complain("is not listened to");
}

/* Has there been one more of these messages? */
static bool host_hears(u16 type, unsigned int before)
{
	return wait_event_timeout(host.wait, READ_ONCE(host.heard[type]) != before,
				  HOST_TIMEOUT);
}

/* Ask for pages; returns how many came. */
static unsigned long host_balloon(u32 nr_pages)
{
	const unsigned long before = host.nr_held;
	const unsigned int heard = host.heard[DM_BALLOON_RESPONSE];

	host_say_balloon(nr_pages);
	if (!host_hears(DM_BALLOON_RESPONSE, heard))
		host_complain("got no answer to a balloon request");
	host_settle();
	return host.nr_held - before;
}

#define HOST_MAX_RANGES \
	((HV_HYP_PAGE_SIZE - sizeof(struct dm_unballoon_request)) / \
	 sizeof(union dm_mem_page_range))

/* A message that gives pages back. */
struct host_unballoon {
	struct dm_unballoon_request msg;
	union dm_mem_page_range ranges[HOST_MAX_RANGES];
};

static void host_add_range(struct host_unballoon *buf, unsigned long pfn,
			   unsigned long nr)
{
	union dm_mem_page_range *range = &buf->ranges[buf->msg.range_count++];

	range->finfo.start_page = pfn;
	range->finfo.page_cnt = nr;
}

static void host_say_unballoon(struct host_unballoon *buf, bool more)
{
	buf->msg.hdr.type = DM_UNBALLOON_REQUEST;
	buf->msg.hdr.size = struct_size(&buf->msg, range_array, buf->msg.range_count);
	buf->msg.more_pages = more;
	host_say(&buf->msg, buf->msg.hdr.size);
	memset(buf, 0, sizeof(*buf));
}

/* Let the host forget pages, before it gives them back. */
static void host_forget(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--) {
		if (test_bit(pfn, host.held))
			host_hold(pfn, false);
		else
			host_complain("has forgotten the page already");
	}
}

/* Give back everything, in the longest ranges possible. */
static void host_unballoon_all(void)
{
	struct host_unballoon *buf = kzalloc(sizeof(*buf), GFP_KERNEL | __GFP_NOFAIL);
	const unsigned int heard = host.heard[DM_UNBALLOON_RESPONSE];
	unsigned long pfn, end;

	for (pfn = find_first_bit(host.held, HOST_MAX_PFN); pfn < HOST_MAX_PFN;
	     pfn = find_next_bit(host.held, HOST_MAX_PFN, end)) {
		end = find_next_zero_bit(host.held, HOST_MAX_PFN, pfn);
		host_add_range(buf, pfn, end - pfn);
		host_forget(pfn, end - pfn);
		if (buf->msg.range_count == HOST_MAX_RANGES)
			host_say_unballoon(buf, true);
	}
	host_say_unballoon(buf, false);
	if (!host_hears(DM_UNBALLOON_RESPONSE, heard))
		host_complain("got no answer to an unballoon request");
	host_settle();
	kfree(buf);
}

static void host_say_hot_add(unsigned long pfn, unsigned long nr)
{
	struct dm_hot_add msg = {
		.hdr.type = DM_MEM_HOT_ADD_REQUEST,
		.hdr.size = sizeof(msg),
		.range.finfo.start_page = pfn,
		.range.finfo.page_cnt = nr,
	};

	host_say(&msg, sizeof(msg));
}

static void host_say_hot_add_region(unsigned long pfn, unsigned long nr,
				    unsigned long region, unsigned long region_nr)
{
	struct {
		struct dm_hot_add msg;
		union dm_mem_page_range region;
	} __packed buf = {
		.msg.hdr.type = DM_MEM_HOT_ADD_REQUEST,
		.msg.hdr.size = sizeof(buf),
		.msg.range.finfo.start_page = pfn,
		.msg.range.finfo.page_cnt = nr,
		.region.finfo.start_page = region,
		.region.finfo.page_cnt = region_nr,
	};

	host_say(&buf, sizeof(buf));
}

/* Offer memory in that region, or wherever it fits; returns how much was taken. */
static unsigned long host_hot_add_region(unsigned long pfn, unsigned long nr,
					 unsigned long region,
					 unsigned long region_nr)
{
	const unsigned int heard = host.heard[DM_MEM_HOT_ADD_RESPONSE];

	if (region_nr)
		host_say_hot_add_region(pfn, nr, region, region_nr);
	else
		host_say_hot_add(pfn, nr);
	if (!host_hears(DM_MEM_HOT_ADD_RESPONSE, heard))
		host_complain("got no answer to a hot-add request");
	host_settle();
	return host.hot_add.page_count;
}

static unsigned long host_hot_add(unsigned long pfn, unsigned long nr)
{
	return host_hot_add_region(pfn, nr, 0, 0);
}

/* The device comes, without its driver. */
static void fake_device_release(struct device *device)
{
	kfree(container_of(device, struct hv_device, device));
}

static int host_create(void)
{
	memset(&host, 0, offsetof(typeof(host), held));
	host.wrong = NULL;
	spin_lock_init(&host.lock);
	INIT_LIST_HEAD(&host.to_guest);
	init_waitqueue_head(&host.wait);

	host.channel = kzalloc_obj(*host.channel);
	host.dev = kzalloc_obj(*host.dev);
	if (!host.held)
		host.held = bitmap_zalloc(HOST_MAX_PFN, GFP_KERNEL);
	if (!host.channel || !host.dev || !host.held)
		return -ENOMEM;
	tasklet_init(&host.channel->callback_event, fake_event, 0);
	host.channel->device_obj = host.dev;
	host.dev->channel = host.channel;
	device_initialize(&host.dev->device);
	host.dev->device.release = fake_device_release;
	return 0;
}

static void host_destroy(void)
{
	tasklet_kill(&host.channel->callback_event);
	put_device(&host.dev->device);
	kfree(host.channel);
}

static int host_create_pages(void)
{
	int cpu;

	fake_input_arg = alloc_percpu(void *);
	if (!fake_input_arg)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		*per_cpu_ptr(fake_input_arg, cpu) = (void *)get_zeroed_page(GFP_KERNEL);
		if (!*per_cpu_ptr(fake_input_arg, cpu))
			return -ENOMEM;
	}
	return 0;
}

static void host_destroy_pages(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)*per_cpu_ptr(fake_input_arg, cpu));
	free_percpu(fake_input_arg);
}
