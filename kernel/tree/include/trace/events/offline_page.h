/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM offline_page

#if !defined(_TRACE_OFFLINE_PAGE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_OFFLINE_PAGE_H

#include <linux/page-flags.h>
#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(PG_offline_skippable);
TRACE_DEFINE_ENUM(PG_offline_never_onlined);

/*
 * The flags are those of the first page, others may differ: for pages that
 * leave offline state, as they were before. A page was never onlined if it has
 * not been in the buddy since its memory block was onlined the last time.
 */
DECLARE_EVENT_CLASS(offline_page_range,

	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),

	TP_ARGS(pfn, nr_pages, flags),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(unsigned long, nr_pages)
		__field(unsigned long, flags)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->nr_pages = nr_pages;
		__entry->flags = flags & (BIT(PG_offline_skippable) |
					  BIT(PG_offline_never_onlined));
	),

	TP_printk("pfn=0x%lx nr_pages=%lu flags=%s",
		  __entry->pfn, __entry->nr_pages,
		  __print_flags(__entry->flags, "|",
				{ 1UL << PG_offline_skippable, "skippable" },
				{ 1UL << PG_offline_never_onlined, "never_onlined" }))
);

/* Taken from the buddy, by the interface for drivers. */
DEFINE_EVENT(offline_page_range, offline_page_alloc,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* Given to the buddy, by the interface for drivers, but for poisoned pages. */
DEFINE_EVENT(offline_page_range, offline_page_free,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* Part of a memory block that goes online, handed to whoever is to free it. */
DEFINE_EVENT(offline_page_range, offline_page_online,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* Memory offlining may skip the pages from now on, or may not: see the flags. */
DEFINE_EVENT(offline_page_range, offline_page_skippable,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* Part of a memory block that goes offline, and was skipped. */
DEFINE_EVENT(offline_page_range, offline_page_skip,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* Reserved since boot, and offline from now on. */
DEFINE_EVENT(offline_page_range, offline_page_adopt,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* An ordinary page for a while. */
DEFINE_EVENT(offline_page_range, offline_page_lend,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

/* And back from there. */
DEFINE_EVENT(offline_page_range, offline_page_take_back,
	TP_PROTO(unsigned long pfn, unsigned long nr_pages, unsigned long flags),
	TP_ARGS(pfn, nr_pages, flags)
);

#endif /* _TRACE_OFFLINE_PAGE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
