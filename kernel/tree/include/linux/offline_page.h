/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Logically offline memory, for the drivers that own it. See
 * mm/offline_page.c.
 */
#ifndef _LINUX_OFFLINE_PAGE_H
#define _LINUX_OFFLINE_PAGE_H

#include <linux/alloc_tag.h>
#include <linux/nodemask_types.h>
#include <linux/types.h>

struct page;

struct page *alloc_offline_pages_noprof(gfp_t gfp, unsigned int order);
#define alloc_offline_pages(...) \
	alloc_hooks(alloc_offline_pages_noprof(__VA_ARGS__))

/**
 * alloc_offline_page - allocate a page and take it offline
 * @gfp: GFP flags of the allocation
 *
 * See alloc_offline_pages().
 *
 * Context: Process context; may sleep as @gfp says.
 * Return: The page, or NULL if there is no memory or @gfp is invalid.
 */
#define alloc_offline_page(gfp)	alloc_offline_pages(gfp, 0)

#ifdef CONFIG_CONTIG_ALLOC
int alloc_offline_page_range_noprof(unsigned long start_pfn,
				    unsigned long nr_pages, gfp_t gfp);
#define alloc_offline_page_range(...) \
	alloc_hooks(alloc_offline_page_range_noprof(__VA_ARGS__))

struct page *alloc_offline_pages_contig_noprof(unsigned long nr_pages, gfp_t gfp,
					       int nid, nodemask_t *nodemask);
#define alloc_offline_pages_contig(...) \
	alloc_hooks(alloc_offline_pages_contig_noprof(__VA_ARGS__))
#endif

void free_offline_page_range(unsigned long start_pfn, unsigned long nr_pages);
void free_offline_page(struct page *page);

void set_offline_page_range_skippable(unsigned long start_pfn,
				      unsigned long nr_pages);
void clear_offline_page_range_skippable(unsigned long start_pfn,
					unsigned long nr_pages);

int adopt_offline_page_range(unsigned long start_pfn, unsigned long nr_pages);
void lend_offline_page(struct page *page);
bool take_back_offline_page(struct page *page);

void exclude_live_page_from_kdump(struct page *page);

#endif /* _LINUX_OFFLINE_PAGE_H */
