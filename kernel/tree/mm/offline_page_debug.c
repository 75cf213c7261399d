// SPDX-License-Identifier: GPL-2.0
/*
 * A list of all offline pages, with their reference counts
 *
 * /sys/kernel/debug/offline_pages has one line for each run of offline pages
 * that agree in type and flags and lie in one memory block:
 *
 *	start_pfn nr_pages type flags refcount_min refcount_max
 *
 * The system is not stopped: pages may come and go meanwhile, and the file as
 * a whole is no snapshot. A refcount is only believed if the page was offline
 * both before and after reading it; to be sure that it did not leave and come
 * back in between, read again when nothing changes.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/seq_file.h>

#include "internal.h"

struct offline_run {
	unsigned long start_pfn;
	unsigned long nr_pages;
	unsigned int type;
	unsigned long flags;
	int ref_min;
	int ref_max;
};

static const struct {
	int bit;
	const char *name;
} flag_names[] = {
	{ PG_offline_never_onlined, "never_onlined" },
	{ PG_offline_skippable, "skippable" },
#ifdef CONFIG_MIGRATION
	{ PG_movable_ops, "movable_ops" },
#endif
#ifdef CONFIG_MEMORY_FAILURE
	{ PG_hwpoison, "hwpoison" },
#endif
};

static unsigned long shown_flags(const struct page *page)
{
	const unsigned long flags = READ_ONCE(page->flags.f);
	unsigned long shown = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(flag_names); i++)
		shown |= flags & BIT(flag_names[i].bit);
	return shown;
}

/*
 * Read the state of a page that we do not own: the flags and the refcount
 * belong to an offline page of this type if it was one both before and after.
 */
static bool read_offline_page(unsigned long pfn, unsigned int *type,
			      unsigned long *flags, int *ref)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || !page_is_logically_offline(page))
		return false;

	*type = READ_ONCE(page->page_type);
	/* Pairs with the barrier between refcount and type in offline_page.c */
	smp_rmb();
	*ref = page_ref_count(page);
	*flags = shown_flags(page);
	/* Nothing read above may be younger than the second look. */
	smp_rmb();
	return READ_ONCE(page->page_type) == *type &&
	       page_is_logically_offline(page);
}

/* Find the first run of offline pages at or after a PFN. */
static bool find_run(unsigned long pfn, struct offline_run *run)
{
	const unsigned long block_pages = PHYS_PFN(memory_block_size_bytes());
	const unsigned long max_pfn_now = READ_ONCE(highest_memmap_pfn);
	unsigned long flags;
	unsigned int type;
	int ref;

	for (; pfn <= max_pfn_now; pfn++) {
		if (!(pfn % PAGES_PER_SECTION))
			cond_resched();
		if (!pfn_to_online_page(pfn)) {
			pfn |= PAGES_PER_SUBSECTION - 1;
			continue;
		}
		if (read_offline_page(pfn, &type, &flags, &ref))
			break;
	}
	if (pfn > max_pfn_now)
		return false;

	*run = (struct offline_run) {
		.start_pfn = pfn,
		.nr_pages = 1,
		.type = type,
		.flags = flags,
		.ref_min = ref,
		.ref_max = ref,
	};
	while (++pfn % block_pages &&
	       read_offline_page(pfn, &type, &flags, &ref) &&
	       type == run->type && flags == run->flags) {
		run->nr_pages++;
		run->ref_min = min(run->ref_min, ref);
		run->ref_max = max(run->ref_max, ref);
	}
	return true;
}

/* The position is a PFN plus one; zero stands for the header. */
static void *offline_pages_start(struct seq_file *m, loff_t *pos)
{
	struct offline_run *run = m->private;

	get_online_mems();
	if (!*pos)
		return SEQ_START_TOKEN;
	return find_run(*pos - 1, run) ? run : NULL;
}

static void *offline_pages_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct offline_run *run = m->private;
	unsigned long pfn = 0;

	if (v != SEQ_START_TOKEN)
		pfn = run->start_pfn + run->nr_pages;
	*pos = pfn + 1;
	return find_run(pfn, run) ? run : NULL;
}

static void offline_pages_stop(struct seq_file *m, void *v)
{
	put_online_mems();
}

static int offline_pages_show(struct seq_file *m, void *v)
{
	const struct offline_run *run = v;
	const char *separator = "";
	int i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# start_pfn nr_pages type flags refcount_min refcount_max\n");
		return 0;
	}

	seq_printf(m, "%#lx %lu %s ", run->start_pfn, run->nr_pages,
		   run->type >> 24 == PGTY_offline ? "offline" :
						      "movable_offline");
	for (i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (!(run->flags & BIT(flag_names[i].bit)))
			continue;
		seq_printf(m, "%s%s", separator, flag_names[i].name);
		separator = ",";
	}
	if (!run->flags)
		seq_putc(m, '-');
	seq_printf(m, " %d %d\n", run->ref_min, run->ref_max);
	return 0;
}

static const struct seq_operations offline_pages_sops = {
	.start = offline_pages_start,
	.next = offline_pages_next,
	.stop = offline_pages_stop,
	.show = offline_pages_show,
};

static int offline_pages_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &offline_pages_sops,
				sizeof(struct offline_run));
}

static const struct file_operations offline_pages_fops = {
	.owner = THIS_MODULE,
	.open = offline_pages_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int __init offline_pages_debugfs_init(void)
{
	debugfs_create_file("offline_pages", 0400, NULL, NULL,
			    &offline_pages_fops);
	return 0;
}
late_initcall(offline_pages_debugfs_init);
