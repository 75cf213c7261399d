/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What has nothing to do with offline pages, and is the same before and after:
 * how the example of docs/converting-a-driver.md is told what to do, and how it
 * comes and goes.
 */

/* "inflate" takes "NR_PAGES [PFN]": any pages, or those from PFN on. */
static int set_inflate(const char *text, const struct kernel_param *kp)
{
	unsigned long nr_pages, pfn;
	int fields = sscanf(text, "%lu %lu", &nr_pages, &pfn);
	int err = -EBUSY;

	if (fields < 1)
		return -EINVAL;
	mutex_lock(&balloon_mutex);
	if (!going_offline)
		err = fields == 1 ? inflate(nr_pages) : inflate_range(nr_pages, pfn);
	mutex_unlock(&balloon_mutex);
	return err;
}

static int get_inflated(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%lu\n", nr_ballooned);
}

/* "deflate" gives all pages back that are online. */
static int set_deflate(const char *text, const struct kernel_param *kp)
{
	int err = -EBUSY;

	mutex_lock(&balloon_mutex);
	if (!going_offline) {
		deflate();
		err = 0;
	}
	mutex_unlock(&balloon_mutex);
	return err;
}

static const struct kernel_param_ops inflate_ops = {
	.set = set_inflate,
	.get = get_inflated,
};
module_param_cb(inflate, &inflate_ops, NULL, 0600);

static const struct kernel_param_ops deflate_ops = {
	.set = set_deflate,
};
module_param_cb(deflate, &deflate_ops, NULL, 0200);

static int __init balloon_init(void)
{
	int err = agree ? set_online_page_callback(balloon_online_page) : 0;

	if (err)
		return err;
	err = register_memory_notifier(&balloon_nb);
	if (err && agree)
		restore_online_page_callback(balloon_online_page);
	return err;
}
module_init(balloon_init);

static void __exit balloon_exit(void)
{
	while (set_deflate(NULL, NULL))
		msleep(20);
	unregister_memory_notifier(&balloon_nb);
	if (agree)
		restore_online_page_callback(balloon_online_page);
	xa_destroy(&ballooned);
}
module_exit(balloon_exit);

MODULE_LICENSE("GPL");
