// SPDX-License-Identifier: GPL-2.0
/* What does dump_page() say of a page frame? The answer is in the kernel log. */
#include <linux/mm.h>
#include <linux/mmdebug.h>
#include <linux/module.h>

static ulong pfn;
module_param(pfn, ulong, 0444);

static int __init dump_page_init(void)
{
	if (!pfn_valid(pfn))
		return -EINVAL;
	dump_page(pfn_to_page(pfn), "by the test of dump_page()");
	return 0;
}
module_init(dump_page_init);

static void __exit dump_page_exit(void)
{
}
module_exit(dump_page_exit);

MODULE_DESCRIPTION("Dump a page");
MODULE_LICENSE("GPL");
