/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The real VMware balloon driver, between the real mm and a fake hypervisor.
 *
 * The driver talks to its host by one inlined instruction, "inl %dx". Here that
 * is the name of an assembler macro, which calls a function.
 *
 * The fake keeps book on what the guest has given to it, page frame by page
 * frame, and writes into it, as a hypervisor may, who gives the memory to
 * somebody else: a frame that the guest uses nevertheless is noticed.
 */
#ifndef VMW_BALLOON_KUNIT_HOST_H
#define VMW_BALLOON_KUNIT_HOST_H

/* Everything that the driver includes, before its names get another meaning. */
#include <linux/balloon.h>
#include <linux/debugfs.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/vmw_vmci_api.h>
#include <linux/vmw_vmci_defs.h>
#include <linux/workqueue.h>
#include <asm/hypervisor.h>

/* As on the stack of the macro below. */
struct host_registers {
	unsigned long ax, cx, dx, bx, si;
};

void vmw_balloon_kunit_inl(struct host_registers *registers);

/*
 * The driver's constraints name ax, cx, dx, bx and si; the other registers that
 * a function may change are ours to keep.
 */
asm(".macro inl port\n"
	"	push %rdi\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %r10\n"
	"	push %r11\n"
	"	push %rsi\n"
	"	push %rbx\n"
	"	push %rdx\n"
	"	push %rcx\n"
	"	push %rax\n"
	"	mov %rsp, %rdi\n"
	"	call vmw_balloon_kunit_inl\n"
	"	pop %rax\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rbx\n"
	"	pop %rsi\n"
	"	pop %r11\n"
	"	pop %r10\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %rdi\n"
	".endm\n");

static int host_doorbell_create(struct vmci_handle *handle, u32 flags,
				u32 priv_flags, vmci_callback notify_cb,
				void *client_data);
static int host_doorbell_destroy(struct vmci_handle handle);

/* The driver is not loaded with the module, but by each case. */
#undef late_initcall
#define late_initcall(fn)
#undef module_exit
#define module_exit(fn)
#undef __init
#define __init
#undef __exit
#define __exit

#define x86_hyper_type		X86_HYPER_VMWARE
/* What the driver does each second waits until a case asks for it. */
#define round_jiffies_relative(delay)	(3600 * (delay))
#define vmci_doorbell_create	host_doorbell_create
#define vmci_doorbell_destroy	host_doorbell_destroy

#include <drivers/misc/vmw_balloon.c>

#undef round_jiffies_relative
#undef vmci_doorbell_create
#undef vmci_doorbell_destroy

#define HUGE_FRAMES	BIT(VMW_BALLOON_2M_ORDER)

#define LEGACY		0UL
#define BATCHED_4K	(VMW_BALLOON_BASIC_CMDS | VMW_BALLOON_BATCHED_CMDS)
#define BATCHED_2M	(BATCHED_4K | VMW_BALLOON_BATCHED_2M_CMDS)

/* What the host has of a frame. */
enum { NOT_HELD, HELD_4K, HELD_2M };

static struct {
	spinlock_t lock;		/* protects all that commands change */
	unsigned long max_pfn;
	u8 *held;
	unsigned long nr_held;
	unsigned long nr_held_2m;	/* of nr_held */

	unsigned long capabilities;	/* LEGACY: knows of no capabilities */
	unsigned long granted;
	bool started;
	bool resetting;			/* answers only to START */
	unsigned long target;

	/* What a case may add, called with the lock held. */
	bool (*refuse)(unsigned long cmd, unsigned long pfn);
	unsigned long refusal;		/* with which status */
	/* Returns whether it has answered instead of the host, who does nothing then. */
	bool (*lie)(unsigned long cmd, struct host_registers *registers);
	/* What else it writes to the page with the batch. */
	void (*scribble)(struct vmballoon_batch_entry *batch, unsigned long nr_entries);
	/* The same, without any lock of the host. */
	void (*before)(unsigned long cmd);

	vmci_callback doorbell;
	void *doorbell_data;
	bool doorbell_enabled;

	unsigned long calls[VMW_BALLOON_CMD_NUM];
	const char *complaint;		/* the first, about the guest */
	unsigned long complaint_pfn;
} host;

static void host_complain(const char *complaint, unsigned long pfn)
{
	if (host.complaint)
		return;
	host.complaint = complaint;
	host.complaint_pfn = pfn;
}

static u64 *host_mark(unsigned long pfn, unsigned int offset)
{
	return pfn_to_kaddr(pfn) + offset;
}

#define HOST_MARK(pfn) (0x686f73742d6f776eULL ^ (pfn))

static void host_use(unsigned long pfn)
{
	*host_mark(pfn, 0) = HOST_MARK(pfn);
	*host_mark(pfn, PAGE_SIZE - sizeof(u64)) = HOST_MARK(pfn);
}

static bool host_used(unsigned long pfn)
{
	return *host_mark(pfn, 0) == HOST_MARK(pfn) &&
	       *host_mark(pfn, PAGE_SIZE - sizeof(u64)) == HOST_MARK(pfn);
}

static void host_forget(void)
{
	memset(host.held, NOT_HELD, host.max_pfn);
	host.nr_held = 0;
	host.nr_held_2m = 0;
}

/* The host has lost all that it knew, and says so to every command but START. */
static void host_reset(void)
{
	host_forget();
	host.resetting = true;
}

/* The guest gives or wants back one page, of 1 or HUGE_FRAMES frames. */
static unsigned long host_page(unsigned long cmd, unsigned long pfn,
			       unsigned long frames, bool lock)
{
	const u8 kind = frames == 1 ? HELD_4K : HELD_2M;
	unsigned long i;

	if (pfn + frames > host.max_pfn || !IS_ALIGNED(pfn, frames)) {
		host_complain("there is no such page", pfn);
		return VMW_BALLOON_ERROR_PPN_INVALID;
	}
	for (i = pfn; i < pfn + frames; i++) {
		if (host.held[i] == (lock ? NOT_HELD : kind))
			continue;
		host_complain(lock ? "locked twice" : "unlocked, but not held so", i);
		return lock ? VMW_BALLOON_ERROR_PPN_LOCKED : VMW_BALLOON_ERROR_PPN_UNLOCKED;
	}
	if (host.refuse && host.refuse(cmd, pfn))
		return host.refusal;

	for (i = pfn; i < pfn + frames; i++) {
		if (lock)
			host_use(i);
		else if (!host_used(i))
			host_complain("used by the guest while the host had it", i);
		host.held[i] = lock ? kind : NOT_HELD;
	}
	host.nr_held += lock ? frames : -frames;
	if (kind == HELD_2M)
		host.nr_held_2m += lock ? frames : -frames;
	return VMW_BALLOON_SUCCESS;
}

static unsigned long host_batch(unsigned long cmd, unsigned long batch_pfn,
				unsigned long nr_entries, unsigned long frames,
				bool lock)
{
	struct vmballoon_batch_entry *batch = pfn_to_kaddr(batch_pfn);
	unsigned long i;

	if (!nr_entries || nr_entries > PAGE_SIZE / sizeof(*batch)) {
		host_complain("a batch of impossible size", batch_pfn);
		return VMW_BALLOON_ERROR_CMD_INVALID;
	}
	for (i = 0; i < nr_entries && !host.resetting; i++) {
		if (batch[i].status || batch[i].reserved)
			host_complain("reserved bits are set", batch[i].pfn);
		batch[i].status = host_page(cmd, batch[i].pfn, frames, lock);
	}
	if (host.scribble)
		host.scribble(batch, nr_entries);
	return host.resetting ? VMW_BALLOON_ERROR_RESET : VMW_BALLOON_SUCCESS;
}

static unsigned long host_start(unsigned long wanted, unsigned long *capabilities)
{
	host_forget();
	host.resetting = false;
	host.started = wanted;
	host.granted = wanted & host.capabilities;
	if (host.capabilities == LEGACY)
		return VMW_BALLOON_SUCCESS;
	*capabilities = host.granted;
	return VMW_BALLOON_SUCCESS_WITH_CAPABILITIES;
}

static bool host_knows(unsigned long cmd)
{
	switch (cmd) {
	case VMW_BALLOON_CMD_LOCK:
	case VMW_BALLOON_CMD_UNLOCK:
		return host.capabilities == LEGACY || host.granted & VMW_BALLOON_BASIC_CMDS;
	case VMW_BALLOON_CMD_BATCHED_LOCK:
	case VMW_BALLOON_CMD_BATCHED_UNLOCK:
		return host.granted & VMW_BALLOON_BATCHED_CMDS;
	case VMW_BALLOON_CMD_BATCHED_2M_LOCK:
	case VMW_BALLOON_CMD_BATCHED_2M_UNLOCK:
		return host.granted & VMW_BALLOON_BATCHED_2M_CMDS;
	}
	return true;
}

static unsigned long host_command(unsigned long cmd, unsigned long arg1,
				  unsigned long arg2, unsigned long *capabilities)
{
	if (cmd == VMW_BALLOON_CMD_START)
		return host_start(arg1, capabilities);
	if (host.resetting)
		return VMW_BALLOON_ERROR_RESET;
	if (!host_knows(cmd)) {
		host_complain("a command without the capability for it", cmd);
		return VMW_BALLOON_ERROR_CMD_INVALID;
	}

	switch (cmd) {
	case VMW_BALLOON_CMD_GET_TARGET:
	case VMW_BALLOON_CMD_GUEST_ID:
		return VMW_BALLOON_SUCCESS;
	case VMW_BALLOON_CMD_LOCK:
		return host_page(cmd, arg1, 1, true);
	case VMW_BALLOON_CMD_UNLOCK:
		return host_page(cmd, arg1, 1, false);
	case VMW_BALLOON_CMD_BATCHED_LOCK:
		return host_batch(cmd, arg1, arg2, 1, true);
	case VMW_BALLOON_CMD_BATCHED_UNLOCK:
		return host_batch(cmd, arg1, arg2, 1, false);
	case VMW_BALLOON_CMD_BATCHED_2M_LOCK:
		return host_batch(cmd, arg1, arg2, HUGE_FRAMES, true);
	case VMW_BALLOON_CMD_BATCHED_2M_UNLOCK:
		return host_batch(cmd, arg1, arg2, HUGE_FRAMES, false);
	case VMW_BALLOON_CMD_VMCI_DOORBELL_SET:
		host.doorbell_enabled = (u32)arg1 != VMCI_INVALID_ID;
		return VMW_BALLOON_SUCCESS;
	}
	host_complain("an unknown command", cmd);
	return VMW_BALLOON_ERROR_CMD_INVALID;
}

void vmw_balloon_kunit_inl(struct host_registers *registers)
{
	const unsigned long cmd = registers->cx;
	unsigned long flags;

	if (host.before)
		host.before(cmd);

	spin_lock_irqsave(&host.lock, flags);
	if (registers->ax != VMW_BALLOON_HV_MAGIC || (u16)registers->dx != VMW_BALLOON_HV_PORT)
		host_complain("another port, or the magic is wrong", registers->dx);
	if (cmd < VMW_BALLOON_CMD_NUM)
		host.calls[cmd]++;
	if (!host.lie || !host.lie(cmd, registers))
		registers->ax = host_command(cmd, registers->bx, registers->si, &registers->cx);
	if (cmd < VMW_BALLOON_CMD_NUM && VMW_BALLOON_CMD_WITH_TARGET_MASK & BIT(cmd))
		registers->bx = host.target;
	spin_unlock_irqrestore(&host.lock, flags);
}

static int host_doorbell_create(struct vmci_handle *handle, u32 flags,
				u32 priv_flags, vmci_callback notify_cb,
				void *client_data)
{
	if (host.doorbell)
		host_complain("a second doorbell", 0);
	host.doorbell = notify_cb;
	host.doorbell_data = client_data;
	*handle = vmci_make_handle(1, 2);
	return VMCI_SUCCESS;
}

static int host_doorbell_destroy(struct vmci_handle handle)
{
	if (!host.doorbell || !vmci_handle_is_equal(handle, vmci_make_handle(1, 2)))
		host_complain("no such doorbell", 0);
	host.doorbell = NULL;
	return VMCI_SUCCESS;
}

/* Power on; everything else is 0 or none until a case says otherwise. */
static int host_init(void)
{
	int nid;

	memset(&host, 0, sizeof(host));
	spin_lock_init(&host.lock);
	host.refusal = VMW_BALLOON_ERROR_PPN_PINNED;
	for_each_online_node(nid)
		host.max_pfn = max(host.max_pfn, pgdat_end_pfn(NODE_DATA(nid)));
	host.held = vzalloc(host.max_pfn);
	return host.held ? 0 : -ENOMEM;
}

static void host_exit(void)
{
	vfree(host.held);
	host.held = NULL;
}

#endif /* VMW_BALLOON_KUNIT_HOST_H */
