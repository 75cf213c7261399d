// SPDX-License-Identifier: GPL-2.0
/* Show, look again, show what has become of it. */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = true;
}

void terminal_size(struct style *style)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return;
	style->width = size.ws_col;
	style->height = size.ws_row;
}

void show_view(FILE *out, const struct snapshot *s,
	       const struct snapshot *before, const struct view *view)
{
	size_t i;

	if (view->map)
		show_map(out, s, before, &view->style);
	else
		show_table(out, s, &view->style);
	for (i = 0; i < s->nr_unseen; i++)
		fprintf(out, "%scannot see: %s\n", i ? "" : "\n", s->unseen[i]);
}

int watch(const struct view *once, double seconds, unsigned long count)
{
	const struct timespec pause = {
		.tv_sec = seconds,
		.tv_nsec = (seconds - (time_t)seconds) * 1e9,
	};
	struct sigaction sa = { .sa_handler = on_signal };	/* no SA_RESTART */
	struct snapshot now = {}, before = {};
	struct view view = *once;
	bool first = true;
	int code = 0;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (view.terminal)
		fputs("\033[?1049h\033[?25l", stdout);
	while (!ended) {
		if (!collect(&now, view.in, view.attempts)) {
			code = 2;
			break;
		}
		if (view.terminal) {
			terminal_size(&view.style);
			fputs("\033[H\033[2J", stdout);
		} else if (!first) {
			putchar('\n');
		}
		show_view(stdout, &now, first ? NULL : &before, &view);
		if (fflush(stdout))
			break;
		snapshot_free(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		first = false;
		if (count && !--count)
			break;
		nanosleep(&pause, NULL);
	}
	if (view.terminal)
		fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (code)
		fprintf(stderr, "offmap: %s\n", now.error);
	snapshot_free(&before);
	snapshot_free(&now);
	return code;
}
