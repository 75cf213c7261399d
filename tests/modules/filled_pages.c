// SPDX-License-Identifier: GPL-2.0
/*
 * Pages filled with a text that says what they are: offline ones, those of a
 * balloon, and for comparison pages that are simply in use. Whoever reads an
 * offline page or saves it then has the text. All are given back on unload.
 *
 * On a kernel without <linux/offline_page.h>, they go offline as drivers did it
 * there.
 */
#include <linux/balloon.h>
#include <linux/mm.h>
#include <linux/module.h>
#if __has_include("linux/offline_page.h")
#include <linux/offline_page.h>
#endif

#define TEXT	16	/* bytes, with the 0 at the end */

static unsigned int pages = 1000;
module_param(pages, uint, 0444);
MODULE_PARM_DESC(pages, "of each kind");

static ulong used_pfn;
module_param(used_pfn, ulong, 0444);
MODULE_PARM_DESC(used_pfn, "one of the pages in use");

static struct balloon_dev_info balloon;
static unsigned int nr_ballooned;
static LIST_HEAD(pages_offline);
static LIST_HEAD(pages_used);

static void fill(struct page *page, const char text[TEXT])
{
	char *content = page_address(page);
	size_t i;

	for (i = 0; i < PAGE_SIZE; i += TEXT)
		memcpy(content + i, text, TEXT);
}

#if __has_include("linux/offline_page.h")
static struct page *take_offline(void)
{
	return alloc_offline_page(GFP_KERNEL);
}

static void put_online(struct page *page)
{
	free_offline_page(page);
}
#else
static struct page *take_offline(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page)
		__SetPageOffline(page);
	return page;
}

static void put_online(struct page *page)
{
	__ClearPageOffline(page);
	__free_page(page);
}
#endif

static int stay(struct balloon_dev_info *info, struct page *newpage,
		struct page *page, enum migrate_mode mode)
{
	return -EAGAIN;
}

static int add_one_of_each(void)
{
	struct page *page;

	page = take_offline();
	if (!page)
		return -ENOMEM;
	fill(page, "page is offline");
	list_add(&page->lru, &pages_offline);

	page = balloon_page_alloc();
	if (!page)
		return -ENOMEM;
	fill(page, "page in balloon");
	balloon_page_enqueue(&balloon, page);
	nr_ballooned++;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	fill(page, "page is in use.");
	list_add(&page->lru, &pages_used);
	used_pfn = page_to_pfn(page);
	return 0;
}

static void filled_pages_exit(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &pages_offline, lru) {
		list_del(&page->lru);
		put_online(page);
	}
	for (; nr_ballooned; nr_ballooned--)
		put_page(balloon_page_dequeue(&balloon));
	list_for_each_entry_safe(page, next, &pages_used, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}
module_exit(filled_pages_exit);

static int __init filled_pages_init(void)
{
	unsigned int i;
	int rc;

	balloon_devinfo_init(&balloon);
	balloon.migratepage = stay;
	for (i = 0; i < pages; i++) {
		rc = add_one_of_each();
		if (rc) {
			filled_pages_exit();
			return rc;
		}
	}
	return 0;
}
module_init(filled_pages_init);

MODULE_DESCRIPTION("Offline pages that can be recognised");
MODULE_LICENSE("GPL");
