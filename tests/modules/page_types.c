// SPDX-License-Identifier: GPL-2.0
/*
 * What does dump_page() call each page type? Ours is not freed with one, and
 * nobody looks at it meanwhile. The test reads the answers in the kernel log.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmdebug.h>
#include <linux/module.h>

static int __init page_types_init(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned int type;

	if (!page)
		return -ENOMEM;
	for (type = PGTY_buddy; type < PGTY_mapcount_underflow; type++) {
		page->page_type = type << 24;
		dump_page(page, "by the test of page types");
	}
	page->page_type = UINT_MAX;
	__free_page(page);
	return 0;
}
module_init(page_types_init);

MODULE_DESCRIPTION("Dump a page of each type");
MODULE_LICENSE("GPL");
