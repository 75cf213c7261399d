// SPDX-License-Identifier: GPL-2.0
/*
 * What others do to pages while memory goes offline and comes back, on command.
 * Any number of writers to /dev/pfn_races work at once, until they get a signal:
 *
 *   get SEED            try to get a reference on each page frame, once
 *   near COUNT SEED     the same, often, of the pages on both sides of a place
 *                       where offline pages begin or end, and of COUNT of these
 *   flip COUNT          take a page offline and give it back so many times
 *   peek COUNT          read the type of that page like ordinary memory, so many
 *                       times, for a data race that KCSAN has to notice
 *   contig COUNT SEED   allocate contiguous memory so many times: mostly ranges
 *                       that begin or end where offline pages end or begin
 *
 * read() tells what all of them have seen. Nobody gets a reference on a page
 * that is offline before and after; and memory that was allocated belongs to
 * nobody else.
 *
 * As for everybody who walks page frames, a struct page may go away with its
 * memory block. Nothing but the very last step of memory offlining is kept off
 * while we look, by the notifier.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#ifdef CONFIG_OFFLINE_PAGE
#include <linux/offline_page.h>
#endif
#include <linux/prandom.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#define MAX_SECTIONS	1024
#define MAX_RANGE	1024	/* pages */
#define MAX_SEARCH	(128UL * 1024)

/* Readers use struct pages; who changes @gone makes some come or go. */
static DECLARE_RWSEM(gone_lock);
static DECLARE_BITMAP(gone, MAX_SECTIONS);

static atomic_long_t nr_walks, nr_got, nr_got_balloon, nr_got_offline;
static atomic_long_t nr_contig, nr_contig_next, nr_contig_failed, nr_contig_bad;

static void set_gone(const struct memory_notify *arg, bool value)
{
	const unsigned long first = pfn_to_section_nr(arg->start_pfn);
	const unsigned long nr = arg->nr_pages / PAGES_PER_SECTION;

	down_write(&gone_lock);
	if (value)
		bitmap_set(gone, first, nr);
	else
		bitmap_clear(gone, first, nr);
	up_write(&gone_lock);
}

static int pfn_races_notify(struct notifier_block *nb, unsigned long action, void *arg)
{
	if (action == MEM_GOING_ONLINE)
		set_gone(arg, false);
	else if (action == MEM_OFFLINE || action == MEM_CANCEL_ONLINE)
		set_gone(arg, true);
	return NOTIFY_OK;
}

static struct notifier_block pfn_races_nb = {
	.notifier_call = pfn_races_notify,
};

static struct page *online_page(unsigned long pfn)
{
	return test_bit(pfn_to_section_nr(pfn), gone) ? NULL : pfn_to_online_page(pfn);
}

/* References to anything: no page is looked at before we have one. */

static void get_page_frame(struct page *page, bool hold)
{
	const bool before = PageOffline(page);
	struct folio *folio = page_folio(page);

	if (!folio_try_get(folio))
		return;
	if (page_folio(page) != folio) {
		folio_put(folio);
		return;
	}
	atomic_long_inc(&nr_got);
#ifdef CONFIG_OFFLINE_PAGE
	if (PageMovableOffline(page))
		atomic_long_inc(&nr_got_balloon);
#endif
	if (before && PageOffline(page) && !atomic_long_fetch_inc(&nr_got_offline))
		pr_err("pfn_races: got a reference on offline page %#lx, refcount is %d\n",
		       page_to_pfn(page), page_ref_count(page));
	if (hold)
		udelay(5);
	folio_put(folio);
}

static int get_all(u64 seed)
{
	const unsigned long end_pfn = section_nr_to_pfn(MAX_SECTIONS);
	struct rnd_state rnd;
	unsigned long pfn, i;

	prandom_seed_state(&rnd, seed);
	for (pfn = 0; pfn < end_pfn; pfn += pageblock_nr_pages) {
		if (signal_pending(current))
			return -EINTR;
		down_read(&gone_lock);
		for (i = pfn; online_page(pfn) && i < pfn + pageblock_nr_pages; i++)
			get_page_frame(pfn_to_page(i), !(prandom_u32_state(&rnd) % 64));
		up_read(&gone_lock);
		cond_resched();
	}
	atomic_long_inc(&nr_walks);
	return 0;
}

static bool page_is_offline(unsigned long pfn)
{
	struct page *page = online_page(pfn);

	return page && PageOffline(page);
}

/* The next PFN from @pfn on where offline pages begin or have ended, or @pfn. */
static unsigned long next_border(unsigned long pfn)
{
	const unsigned long end_pfn = pfn + MAX_SEARCH;
	const bool offline = page_is_offline(pfn);
	unsigned long next;

	for (next = pfn + 1; next < end_pfn; next++) {
		if (page_is_offline(next) != offline)
			return next;
	}
	return pfn;
}

static unsigned long random_online_pfn(struct rnd_state *rnd)
{
	unsigned long pfn;
	int tries;

	for (tries = 0; tries < 10 * MAX_SECTIONS; tries++) {
		pfn = prandom_u32_state(rnd) % section_nr_to_pfn(MAX_SECTIONS);
		if (online_page(pfn))
			return pfn;
	}
	return 0;
}

#define NEAR_ROUNDS	64

/* What comes next is likely to happen there: drivers go through memory in order. */
static int get_near(unsigned int count, u64 seed)
{
	struct rnd_state rnd;
	unsigned long border, pfn;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	while (count--) {
		if (signal_pending(current))
			return -EINTR;
		down_read(&gone_lock);
		border = next_border(random_online_pfn(&rnd));
		for (i = 0; i < NEAR_ROUNDS; i++) {
			for (pfn = border - min(border, pageblock_nr_pages);
			     pfn < border + pageblock_nr_pages; pfn++) {
				if (online_page(pfn))
					get_page_frame(pfn_to_page(pfn),
						       !(prandom_u32_state(&rnd) % 4096));
			}
			cond_resched();
		}
		up_read(&gone_lock);
		cond_resched();
	}
	return 0;
}

/* Contiguous memory */

static void use_range(unsigned long start_pfn, unsigned long nr_pages)
{
	unsigned long pfn;
	bool bad = false;

	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++) {
		bad |= PageOffline(pfn_to_page(pfn));
		*(unsigned long *)pfn_to_kaddr(pfn) = pfn;
	}
	msleep(20);
	for (pfn = start_pfn; pfn < start_pfn + nr_pages; pfn++)
		bad |= *(unsigned long *)pfn_to_kaddr(pfn) != pfn;
	if (bad && !atomic_long_fetch_inc(&nr_contig_bad))
		pr_err("pfn_races: %lu pages from %#lx are not ours alone\n", nr_pages, start_pfn);
	free_contig_range(start_pfn, nr_pages);
}

/*
 * Whole pageblocks are isolated for a range: they have to be online, too, and in
 * one zone, which the first one of x86 is not.
 */
static bool can_allocate(unsigned long start_pfn, unsigned long nr_pages)
{
	const unsigned long first = pageblock_start_pfn(start_pfn);
	const unsigned long last = pageblock_end_pfn(start_pfn + nr_pages - 1) - 1;
	struct zone *zone;

	if (!online_page(start_pfn) || !online_page(start_pfn + nr_pages - 1))
		return false;
	zone = page_zone(pfn_to_page(start_pfn));
	return zone_spans_pfn(zone, first) && zone_spans_pfn(zone, last) &&
	       page_zone(pfn_to_page(start_pfn + nr_pages - 1)) == zone;
}

/* A range of random size that is somewhere, or next to offline pages. */
static bool allocate_range(struct rnd_state *rnd, unsigned long *start_pfn,
			   unsigned long *nr_pages)
{
	const bool next_to_offline = prandom_u32_state(rnd) % 4;
	unsigned long pfn;
	int rc;

	*nr_pages = 1 + prandom_u32_state(rnd) % MAX_RANGE;
	down_read(&gone_lock);
	pfn = random_online_pfn(rnd);
	if (next_to_offline)
		pfn = next_border(pfn);
	if (pfn >= *nr_pages && !page_is_offline(pfn - 1))
		pfn -= *nr_pages;
	if (!can_allocate(pfn, *nr_pages))
		rc = -EINVAL;
	else
		rc = alloc_contig_range(pfn, pfn + *nr_pages, ACR_FLAGS_NONE,
					GFP_KERNEL | __GFP_NOWARN);
	up_read(&gone_lock);
	*start_pfn = pfn;
	if (!rc && next_to_offline)
		atomic_long_inc(&nr_contig_next);
	return !rc;
}

static bool allocate_anywhere(struct rnd_state *rnd, unsigned long *start_pfn,
			      unsigned long *nr_pages)
{
	struct page *page;

	*nr_pages = 1 + prandom_u32_state(rnd) % MAX_RANGE;
	page = alloc_contig_pages(*nr_pages, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
				  numa_mem_id(), NULL);
	if (page)
		*start_pfn = page_to_pfn(page);
	return page;
}

static int allocate_contig(unsigned int count, u64 seed)
{
	unsigned long start_pfn, nr_pages;
	struct rnd_state rnd;
	bool ok;

	prandom_seed_state(&rnd, seed);
	while (count--) {
		if (signal_pending(current))
			return -EINTR;
		if (prandom_u32_state(&rnd) % 8)
			ok = allocate_range(&rnd, &start_pfn, &nr_pages);
		else
			ok = allocate_anywhere(&rnd, &start_pfn, &nr_pages);
		atomic_long_inc(ok ? &nr_contig : &nr_contig_failed);
		if (ok)
			use_range(start_pfn, nr_pages);
		cond_resched();
	}
	return 0;
}

static struct page *flipped;
static unsigned int peeked;	/* so that the compiler does not skip it */

#ifdef CONFIG_OFFLINE_PAGE
static int flip(unsigned int count)
{
	while (count--) {
		struct page *page = alloc_offline_pages(GFP_KERNEL, 0);

		if (!page)
			return -ENOMEM;
		WRITE_ONCE(flipped, page);
		free_offline_page(page);
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
#else
static int flip(unsigned int count)
{
	return -EOPNOTSUPP;
}
#endif

static noinline int peek(unsigned int count)
{
	int rc = 0;

	down_read(&gone_lock);
	while (count-- && !rc) {
		struct page *page = READ_ONCE(flipped);

		/* Neither READ_ONCE() nor data_race() */
		if (page && online_page(page_to_pfn(page)))
			WRITE_ONCE(peeked, page->page_type);
		if (signal_pending(current))
			rc = -EINTR;
		cond_resched();
	}
	up_read(&gone_lock);
	return rc;
}

/* Commands */

static ssize_t pfn_races_write(struct file *file, const char __user *buf, size_t size,
			       loff_t *pos)
{
	char command[64] = "";
	unsigned int count;
	u64 seed;
	int rc;

	if (size >= sizeof(command) || copy_from_user(command, buf, size))
		return -EINVAL;
	if (sscanf(command, "get %llu", &seed) == 1)
		rc = get_all(seed);
	else if (sscanf(command, "near %u %llu", &count, &seed) == 2)
		rc = get_near(count, seed);
	else if (sscanf(command, "flip %u", &count) == 1)
		rc = flip(count);
	else if (sscanf(command, "peek %u", &count) == 1)
		rc = peek(count);
	else if (sscanf(command, "contig %u %llu", &count, &seed) == 2)
		rc = allocate_contig(count, seed);
	else
		rc = -EINVAL;
	return rc ?: size;
}

static ssize_t pfn_races_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	char text[256];
	int len;

	len = scnprintf(text, sizeof(text),
			"walks=%ld got=%ld got_balloon=%ld got_offline=%ld contig=%ld contig_next=%ld contig_failed=%ld contig_bad=%ld\n",
			atomic_long_read(&nr_walks), atomic_long_read(&nr_got),
			atomic_long_read(&nr_got_balloon), atomic_long_read(&nr_got_offline),
			atomic_long_read(&nr_contig), atomic_long_read(&nr_contig_next),
			atomic_long_read(&nr_contig_failed), atomic_long_read(&nr_contig_bad));
	return simple_read_from_buffer(buf, size, pos, text, len);
}

static const struct file_operations pfn_races_fops = {
	.owner = THIS_MODULE,
	.read = pfn_races_read,
	.write = pfn_races_write,
};

static struct miscdevice pfn_races_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pfn_races",
	.fops = &pfn_races_fops,
};

static int __init pfn_races_init(void)
{
	int rc = register_memory_notifier(&pfn_races_nb);

	if (rc)
		return rc;
	rc = misc_register(&pfn_races_device);
	if (rc)
		unregister_memory_notifier(&pfn_races_nb);
	return rc;
}
module_init(pfn_races_init);

static void __exit pfn_races_exit(void)
{
	misc_deregister(&pfn_races_device);
	unregister_memory_notifier(&pfn_races_nb);
}
module_exit(pfn_races_exit);

MODULE_DESCRIPTION("Get references and allocate memory while memory goes offline");
MODULE_LICENSE("GPL");
