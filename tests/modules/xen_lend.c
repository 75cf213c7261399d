// SPDX-License-Identifier: GPL-2.0
/*
 * A user of the pages that Xen's balloon lends, which does with them what a test
 * says. One command per write to /dev/xen_lend:
 *
 *   lend N     get N pages from the balloon
 *   return     give all of them back
 *   get I      take a reference on page I, also after it was given back
 *   put I      drop that reference
 *   race N     N times, get and return a page while another thread fails to
 *              get more than there are
 *
 * mmap() maps all pages that are lent to user space. read() tells the balloon's
 * number of pages that are lent.
 */
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <xen/balloon.h>
#include <xen/xen.h>

#define MAX_PAGES	4096

static DEFINE_MUTEX(lock);
static struct page *lent[MAX_PAGES], *more[MAX_PAGES];
static unsigned int nr_lent;

static int lend(unsigned int nr)
{
	int rc;

	if (nr_lent || !nr || nr > MAX_PAGES)
		return -EINVAL;
	rc = xen_alloc_ballooned_pages(nr, lent);
	if (!rc)
		nr_lent = nr;
	return rc;
}

static void give_back(void)
{
	xen_free_ballooned_pages(nr_lent, lent);
	nr_lent = 0;
}

/* More than the balloon has, and more than it can get. */
static int fail_to_lend(void *unused)
{
	while (!kthread_should_stop()) {
		if (!xen_alloc_ballooned_pages(U32_MAX / 2, more))
			pr_err("xen_lend: got all there is\n");
		cond_resched();
	}
	return 0;
}

static int race(unsigned int nr)
{
	struct task_struct *other;
	struct page *page;
	int rc = 0;

	/* The other thread gets these before it fails. */
	if (balloon_stats.balloon_low + balloon_stats.balloon_high >= MAX_PAGES)
		return -E2BIG;
	other = kthread_run(fail_to_lend, NULL, "fail_to_lend");
	if (IS_ERR(other))
		return PTR_ERR(other);
	while (nr-- && !rc) {
		rc = xen_alloc_ballooned_pages(1, &page);
		if (!rc)
			xen_free_ballooned_pages(1, &page);
	}
	kthread_stop(other);
	return rc;
}

static int obey(const char *command)
{
	unsigned int nr;

	if (sscanf(command, "lend %u", &nr) == 1)
		return lend(nr);
	if (sscanf(command, "race %u", &nr) == 1)
		return race(nr);
	if (sscanf(command, "get %u", &nr) == 1 && nr < MAX_PAGES && lent[nr])
		get_page(lent[nr]);
	else if (sscanf(command, "put %u", &nr) == 1 && nr < MAX_PAGES && lent[nr])
		put_page(lent[nr]);
	else if (!strncmp(command, "return", 6))
		give_back();
	else
		return -EINVAL;
	return 0;
}

static ssize_t xen_lend_write(struct file *file, const char __user *buf,
			      size_t size, loff_t *pos)
{
	char command[32] = "";
	int rc;

	if (size >= sizeof(command) || copy_from_user(command, buf, size))
		return -EINVAL;
	mutex_lock(&lock);
	rc = obey(command);
	mutex_unlock(&lock);
	return rc ?: size;
}

static ssize_t xen_lend_read(struct file *file, char __user *buf, size_t size,
			     loff_t *pos)
{
	char text[32];
	int len = scnprintf(text, sizeof(text), "%ld\n",
			    (long)balloon_stats.target_unpopulated);

	return simple_read_from_buffer(buf, size, pos, text, len);
}

static int xen_lend_mmap(struct file *file, struct vm_area_struct *vma)
{
	return vm_map_pages(vma, lent, nr_lent);
}

static const struct file_operations xen_lend_fops = {
	.owner = THIS_MODULE,
	.read = xen_lend_read,
	.write = xen_lend_write,
	.mmap = xen_lend_mmap,
};

static struct miscdevice xen_lend_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xen_lend",
	.fops = &xen_lend_fops,
};

static int __init xen_lend_init(void)
{
	return xen_domain() ? misc_register(&xen_lend_device) : -ENODEV;
}
module_init(xen_lend_init);

static void __exit xen_lend_exit(void)
{
	misc_deregister(&xen_lend_device);
	give_back();
}
module_exit(xen_lend_exit);

MODULE_DESCRIPTION("Use pages that Xen's balloon lends");
MODULE_LICENSE("GPL");
