// SPDX-License-Identifier: GPL-2.0
/* One look at all that there is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect.h"

static void read_kernel(struct snapshot *s, const struct input *in)
{
	struct lines lines;
	const char *line;

	if (!lines_open(&lines, in, OSRELEASE))
		return;
	line = next_line(&lines);
	copy_name(s->kernel, sizeof(s->kernel), line ? line : "");
	lines_close(&lines);
}

static bool collect_once(struct snapshot *s, const struct input *in)
{
	s->page_size = sysconf(_SC_PAGESIZE);
	s->time = time(NULL);
	read_kernel(s, in);
	return read_zones(s, in) && read_blocks(s, in) && scan_pages(s, in) &&
	       read_iomem(s, in);
}

bool collect(struct snapshot *s, const struct input *in, unsigned int attempts)
{
	char error[sizeof(s->error)];
	bool good;

	do {
		snapshot_free(s);
		good = collect_once(s, in);
	} while ((!good || s->disagree) && --attempts);
	if (!good) {
		memcpy(error, s->error, sizeof(error));
		snapshot_free(s);
		memcpy(s->error, error, sizeof(error));
		return false;
	}
	if (s->disagree)
		unseen(s, "/%s and /%s disagree about %" PRIu64 " pages: memory moves",
		       KPAGEFLAGS, OFFLINE_PAGES, s->disagree);
	if (!s->nr_blocks)
		return fail(s, "there is nothing to see");
	return true;
}
