// SPDX-License-Identifier: GPL-2.0
/*
 * A block device with blocks of four pages, as long as the module is loaded. So
 * its pages are cached in fours, or more. They may be anywhere, as those of files.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/pagemap.h>

static char *path;
module_param(path, charp, 0444);

static struct file *file;

static int __init large_blocks_init(void)
{
	int rc;

	file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, THIS_MODULE, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	rc = set_blocksize(file, 4 * PAGE_SIZE);
	if (rc) {
		fput(file);
		return rc;
	}
	mapping_set_gfp_mask(file->f_mapping, GFP_HIGHUSER_MOVABLE);
	return 0;
}
module_init(large_blocks_init);

static void __exit large_blocks_exit(void)
{
	sync_blockdev(file_bdev(file));
	invalidate_bdev(file_bdev(file));
	fput(file);
}
module_exit(large_blocks_exit);

MODULE_DESCRIPTION("Have the page cache of a block device in large folios");
MODULE_LICENSE("GPL");
