/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The real CMM of pseries, between the real mm and a fake hypervisor.
 *
 * The fake keeps book on what the guest has loaned to it, in chunks that are
 * smaller than a page, and writes into it, as a hypervisor may, who gives the
 * memory to somebody else: a chunk that the guest uses nevertheless is noticed
 * when it is wanted back.
 */
#ifndef CMM_KUNIT_HOST_H
#define CMM_KUNIT_HOST_H

/* Everything that the driver includes, before its names get another meaning. */
#include <linux/balloon.h>
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/stringify.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/firmware.h>
#include <asm/hvcall.h>
#include <asm/mmu.h>
#include <asm/plpar_wrappers.h>
#include <arch/powerpc/platforms/pseries/pseries.h>

static long host_page_init(unsigned long opcode, unsigned long flags,
			   unsigned long address, unsigned long unused);
static long host_get_mpp(struct hvcall_mpp_data *mpp_data);
static unsigned long host_sleep(unsigned int msecs);
static struct task_struct *host_thread(int (*thread)(void *), void *data);
static int host_stop(struct task_struct *task);

#define CHUNK_SIZE	SZ_4K
#define CHUNKS		(PAGE_SIZE / CHUNK_SIZE)	/* of a page */

/* The driver is not loaded with the module, but by each case. */
#undef module_init
#define module_init(fn)
#undef module_exit
#define module_exit(fn)

#undef firmware_has_feature
#define firmware_has_feature(feature)	((feature) == FW_FEATURE_CMO)
#define cmo_get_page_size()		CHUNK_SIZE
#define plpar_hcall_norets		host_page_init
#define h_get_mpp			host_get_mpp
#define msleep_interruptible		host_sleep
#undef kthread_run
#define kthread_run(thread, data, name)	host_thread(thread, data)
#define kthread_stop			host_stop

#include <arch/powerpc/platforms/pseries/cmm.c>

#undef kthread_stop
#undef msleep_interruptible

static struct {
	spinlock_t lock;	/* protects the book */
	unsigned long max_pfn;
	u32 *loaned;		/* a bit for each chunk of a page */
	unsigned long nr_loaned;	/* pages with a chunk that is loaned */

	unsigned long target;	/* in pages */
	long mpp_rc;
	bool no_thread;

	/* What a case may add: an error, for a chunk of a page; called with the lock held. */
	long (*refuse)(unsigned long flags, unsigned long pfn, unsigned long chunk);
	/* The same, without the lock. */
	void (*before)(unsigned long flags, unsigned long pfn);

	/* The driver's thread sleeps until a case lets it work. */
	wait_queue_head_t wait;
	bool asleep, awake;

	const char *complaint;	/* the first, about the guest */
	unsigned long complaint_pfn;
} host;

static void host_complain(const char *complaint, unsigned long pfn)
{
	if (host.complaint)
		return;
	host.complaint = complaint;
	host.complaint_pfn = pfn;
}

#define HOST_MARK(address) (0x686f73742d6f776eULL ^ (address))

static long host_chunk(unsigned long flags, unsigned long address)
{
	const unsigned long pfn = PHYS_PFN(address);
	const unsigned long chunk = (address & ~PAGE_MASK) / CHUNK_SIZE;
	u64 *content = __va(address);
	long rc;

	if (pfn >= host.max_pfn || !IS_ALIGNED(address, CHUNK_SIZE)) {
		host_complain("there is no such page", pfn);
		return H_PARAMETER;
	}
	rc = host.refuse ? host.refuse(flags, pfn, chunk) : H_SUCCESS;
	if (rc)
		return rc;

	host.nr_loaned -= !!host.loaned[pfn];
	if (flags == H_PAGE_SET_LOANED) {
		host.loaned[pfn] |= BIT(chunk);
		*content = HOST_MARK(address);
	} else {
		if (host.loaned[pfn] & BIT(chunk) && *content != HOST_MARK(address))
			host_complain("used by the guest while the host had it", pfn);
		host.loaned[pfn] &= ~BIT(chunk);
	}
	host.nr_loaned += !!host.loaned[pfn];
	return H_SUCCESS;
}

static long host_page_init(unsigned long opcode, unsigned long flags,
			   unsigned long address, unsigned long unused)
{
	unsigned long irqflags;
	long rc;

	if (opcode != H_PAGE_INIT || unused ||
	    (flags != H_PAGE_SET_LOANED && flags != H_PAGE_SET_ACTIVE)) {
		host_complain("an unknown call", opcode);
		return H_FUNCTION;
	}
	if (host.before)
		host.before(flags, PHYS_PFN(address));

	spin_lock_irqsave(&host.lock, irqflags);
	rc = host_chunk(flags, address);
	spin_unlock_irqrestore(&host.lock, irqflags);
	return rc;
}

static long host_get_mpp(struct hvcall_mpp_data *mpp_data)
{
	memset(mpp_data, 0, sizeof(*mpp_data));
	mpp_data->loan_request = ((long)host.target - atomic_long_read(&loaned_pages)) *
				 (long)PAGE_SIZE;
	return host.mpp_rc;
}

static unsigned long host_sleep(unsigned int msecs)
{
	host.awake = false;
	host.asleep = true;
	wake_up(&host.wait);
	wait_event_idle(host.wait, host.awake || kthread_should_stop());
	host.asleep = false;
	return 0;
}

static struct task_struct *host_thread(int (*thread)(void *), void *data)
{
	struct task_struct *task;

	if (host.no_thread)
		return ERR_PTR(-ENOMEM);
	task = kthread_create(thread, data, "cmmthread");
	if (!IS_ERR(task))
		wake_up_process(task);
	return task;
}

static int host_stop(struct task_struct *task)
{
	if (IS_ERR(task)) {
		host_complain("stops what is no thread", PTR_ERR(task));
		return 0;
	}
	return kthread_stop(task);
}

/* Let the driver do now what it does once in a second. */
static void work(void)
{
	wait_event_idle(host.wait, host.asleep);
	host.asleep = false;
	host.awake = true;
	wake_up(&host.wait);
	wait_event_idle(host.wait, host.asleep);
}

/* Everything else is 0 or none until a case says otherwise. */
static int host_init(void)
{
	int nid;

	memset(&host, 0, sizeof(host));
	spin_lock_init(&host.lock);
	init_waitqueue_head(&host.wait);
	for_each_online_node(nid)
		host.max_pfn = max(host.max_pfn, pgdat_end_pfn(NODE_DATA(nid)));
	host.loaned = vzalloc(array_size(host.max_pfn, sizeof(*host.loaned)));
	return host.loaned ? 0 : -ENOMEM;
}

static void host_exit(void)
{
	vfree(host.loaned);
	host.loaned = NULL;
}

#endif /* CMM_KUNIT_HOST_H */
