// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of logically offline memory, for drivers with such pages and
 * for memory hotplug: there may be one without the other.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/offline_page.h>
