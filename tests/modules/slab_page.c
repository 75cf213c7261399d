// SPDX-License-Identifier: GPL-2.0
/*
 * One page of the slab allocator, of order 0, in a range of page frames, as long
 * as the module is loaded. Nothing else stays there that was allocated for it.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static int nid = NUMA_NO_NODE;
module_param(nid, int, 0444);
MODULE_PARM_DESC(nid, "the node of the range");

static ulong start_pfn;
module_param(start_pfn, ulong, 0444);

static ulong nr_pages;
module_param(nr_pages, ulong, 0444);

static ulong slab_pfn;
module_param(slab_pfn, ulong, 0444);
MODULE_PARM_DESC(slab_pfn, "the page that was found");

struct object {
	struct list_head list;
	char content[1000];
};

static struct kmem_cache *cache;
static struct object *kept;

static bool wanted(const struct object *object)
{
	const unsigned long pfn = page_to_pfn(virt_to_page(object));

	return pfn >= start_pfn && pfn < start_pfn + nr_pages;
}

static int find(struct list_head *others)
{
	struct object *object;

	for (;;) {
		object = kmem_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE |
					       __GFP_NOWARN, nid);
		if (!object)
			return -ENOMEM;
		if (wanted(object))
			break;
		list_add(&object->list, others);
		cond_resched();
	}
	kept = object;
	slab_pfn = page_to_pfn(virt_to_page(kept));
	if (PageCompound(virt_to_page(kept)))
		return -EINVAL;		/* boot with slab_max_order=0 */
	return 0;
}

static void slab_page_exit(void)
{
	if (kept)
		kmem_cache_free(cache, kept);
	kmem_cache_destroy(cache);
}
module_exit(slab_page_exit);

static int __init slab_page_init(void)
{
	struct object *object, *next;
	LIST_HEAD(others);
	int rc;

	cache = kmem_cache_create("slab_page", sizeof(*object), 0, SLAB_NO_MERGE, NULL);
	if (!cache)
		return -ENOMEM;

	rc = find(&others);
	list_for_each_entry_safe(object, next, &others, list)
		kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	if (rc)
		slab_page_exit();
	return rc;
}
module_init(slab_page_init);

MODULE_DESCRIPTION("Keep a page of the slab allocator in a range");
MODULE_LICENSE("GPL");
