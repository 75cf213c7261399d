// SPDX-License-Identifier: GPL-2.0
/* What several ways of showing have in common. */
#include <inttypes.h>
#include <string.h>

#include "show.h"

const char *amount(char buf[AMOUNT_SIZE], const struct snapshot *s,
		   int64_t pages, const struct style *style, bool sign)
{
	const uint64_t nr = pages < 0 ? -(uint64_t)pages : (uint64_t)pages;
	const char *plus = pages < 0 ? "-" : sign && pages ? "+" : "";
	const uint64_t kib = nr * (s->page_size >> 10);
	const char *unit = "KMGTP";
	uint64_t size = 1, part;

	if (style->pages || !pages) {
		snprintf(buf, AMOUNT_SIZE, "%s%" PRIu64, plus, nr);
		return buf;
	}
	/* Four digits; what is whole in a larger unit is shown in that. */
	while (unit[1] && (kib / size >= 10000 ||
			   (kib / size >= 1024 && !(kib % (1024 * size))))) {
		size *= 1024;
		unit++;
	}
	part = kib % size / (size / 10 ?: 1);
	if (kib % size && kib / size < 1000)
		snprintf(buf, AMOUNT_SIZE, "%s%" PRIu64 ".%" PRIu64 "%c", plus,
			 kib / size, part > 9 ? 9 : part, *unit);
	else
		snprintf(buf, AMOUNT_SIZE, "%s%" PRIu64 "%c", plus, kib / size,
			 *unit);
	return buf;
}

bool block_continues(const struct block *before, const struct block *b)
{
	return before->start_pfn + before->nr_pages == b->start_pfn &&
	       before->node == b->node && !strcmp(before->zones, b->zones) &&
	       !strcmp(before->state, b->state) &&
	       !strcmp(before->origin, b->origin);
}

void print_place(FILE *out, const struct block *b)
{
	fprintf(out, "node %u", b->node);
	if (strcmp(b->zones, "-"))
		fprintf(out, ", %s %s", strchr(b->zones, '+') ? "zones" : "zone",
			b->zones);
	if (strcmp(b->state, "online") && strcmp(b->state, "-"))
		fprintf(out, ", %s", b->state);
	if (*b->origin && strcmp(b->origin, "System RAM"))
		fprintf(out, ", %s", b->origin);
}
