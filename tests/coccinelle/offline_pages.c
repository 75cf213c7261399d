// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver must not do to offline pages, for tests/test_coccinelle.py. Not
 * compiled.
 */

static void sets_type(struct page *page)
{
	__SetPageOffline(page);	/* wrong */
}

static void clears_movable_type(struct page *page)
{
	__ClearPageMovableOffline(page);	/* wrong */
}

static void sets_type_of_folio(struct folio *folio)
{
	__folio_set_offline(folio);	/* wrong */
}

static void writes_type(struct page *page)
{
	page->page_type = PGTY_offline << 24;	/* wrong */
}

static void sets_flag(struct page *page)
{
	set_bit(PG_offline_skippable, &page->flags.f);	/* wrong */
}

static void takes_reference(struct list_head *list)
{
	struct page *page = alloc_offline_page(GFP_KERNEL);

	if (!page)
		return;
	get_page(page);	/* wrong */
	list_add(&page->lru, list);
}

static void takes_reference_later(struct page *page)
{
	struct page *p;

	p = alloc_offline_pages(GFP_KERNEL, 3);
	if (p)
		init_page_count(p);	/* wrong */
}

static void frees_by_old_call(struct page *page)
{
	if (PageOffline(page)) {
		pr_info("free\n");
		__free_page(page);	/* wrong */
	}
}

static int frees_range(unsigned long pfn)
{
	int rc = alloc_offline_page_range(pfn, 512, GFP_KERNEL);

	if (rc)
		return rc;
	free_contig_range(pfn, 512);	/* wrong */
	return 0;
}

static void online_with_reference(struct page *page, unsigned int order)
{
	int i;

	for (i = 0; i < 1 << order; i++)
		init_page_count(page + i);	/* wrong */
}

static int starts(void)
{
	return set_online_page_callback(&online_with_reference);
}

static void exposes(struct page *page, unsigned int order)
{
	generic_online_page(page, order);	/* wrong */
}

/* Nothing is wrong from here on. */

static void tests_type(struct page *page)
{
	if (PageOffline(page) || PageMovableOffline(page))
		return;
	get_page(page);
}

static void lends(struct page **lent)
{
	struct page *page = alloc_offline_page(GFP_KERNEL);

	if (!page)
		return;
	lend_offline_page(page);
	get_page(page);
	*lent = page;
}

static void frees(unsigned long pfn)
{
	free_offline_page_range(pfn, 512);
}
