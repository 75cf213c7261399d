// SPDX-License-Identifier: GPL-2.0
/*
 * offmap: what a machine's memory is: free, used, offline. See offmap.8.
 *
 * Exit status: 0, or 2 if something is wrong; of --diff, 1 if there is a
 * difference.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "watch.h"

enum { EXIT_DIFFER = 1, EXIT_WRONG = 2 };

enum output { TABLE, MAP, JSON, SVG };

struct options {
	enum output output;
	bool diff, watch;
	double seconds;
	unsigned long count;
	const char *root, *read;
	struct style style;
	int colour, utf8;	/* -1: as the terminal likes it */
};

static const char usage[] =
	"usage: offmap [OPTION]...\n"
	"       offmap --diff A B\n"
	"What each node, zone and block of memory holds: free, used, offline pages.\n"
	"\n"
	"  -m, --map            draw it\n"
	"  -j, --json           for programs; a snapshot for --read and --diff\n"
	"  -s, --svg            a picture\n"
	"  -d, --diff A B       what has changed between two snapshots; 1: something has\n"
	"  -w, --watch[=SEC]    show it again every 2 or SEC seconds\n"
	"  -c, --count=N        ... N times\n"
	"  -r, --read=FILE      show a snapshot, not this machine; -: standard input\n"
	"      --root=DIR       read the files of /proc and /sys below DIR\n"
	"  -a, --all            a line for each memory block\n"
	"  -p, --pages          numbers of pages, not sizes\n"
	"  -u, --unit=SIZE      per character of the map, for example 4M\n"
	"      --width=N        of the map; otherwise that of the terminal\n"
	"      --color=WHEN     always, never or auto\n"
	"      --ascii, --utf8  otherwise as the locale says\n"
	"  -h, --help\n";

static int wrong(const char *what, const char *why)
{
	fprintf(stderr, "offmap: %s: %s\n", what, why);
	return EXIT_WRONG;
}

/* "4M" */
static bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;

	if (!take_number(&text, 10, size) || *size >> 20)
		return false;
	unit = *text ? strchr(units, *text) : NULL;
	if (unit) {
		*size <<= 10 * (unit - units + 1);
		text++;
	}
	return !*text && *size;
}

static bool parse_colour(const char *when, int *colour)
{
	static const char *const words[] = { "never", "always", "auto" };
	int i;

	for (i = 0; i < 3; i++) {
		if (!strcmp(when, words[i])) {
			*colour = i == 2 ? -1 : i;
			return true;
		}
	}
	return false;
}

static bool parse_number(const char *text, unsigned long *number)
{
	uint64_t value;

	if (!only_number(text, 10, &value) || !value || value >> 31)
		return false;
	*number = value;
	return true;
}

static bool parse_option(struct options *o, int c)
{
	unsigned long number;
	char *end;

	switch (c) {
	case 'm':
		o->output = MAP;
		return true;
	case 'j':
		o->output = JSON;
		return true;
	case 's':
		o->output = SVG;
		return true;
	case 'd':
		o->diff = true;
		return true;
	case 'a':
		o->style.all = true;
		return true;
	case 'p':
		o->style.pages = true;
		return true;
	case 'r':
		o->read = optarg;
		return true;
	case 'R':
		o->root = optarg;
		return true;
	case 'w':
		o->watch = true;
		o->seconds = optarg ? strtod(optarg, &end) : 2;
		return !optarg || (end != optarg && !*end &&
				   o->seconds >= 0.01 && o->seconds < 1e6);
	case 'c':
		return parse_number(optarg, &o->count);
	case 'u':
		return parse_size(optarg, &o->style.unit);
	case 'W':
		if (!parse_number(optarg, &number) || number > 10000)
			return false;
		o->style.width = number;
		return true;
	case 'C':
		return parse_colour(optarg, &o->colour);
	case 'A':
	case 'U':
		o->utf8 = c == 'U';
		return true;
	}
	return false;
}

/* Static programs have no locales: as setlocale() chooses, without it. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static bool terminal_has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!no || !*no) && term &&
	       strcmp(term, "dumb");
}

static void choose_style(struct options *o)
{
	const unsigned int width = o->style.width;

	o->style.colour = o->colour < 0 ? terminal_has_colour() : o->colour;
	o->style.utf8 = o->utf8 < 0 ? locale_is_utf8() : o->utf8;
	o->style.width = 80;
	terminal_size(&o->style);
	if (width)
		o->style.width = width;
	if (!o->watch)
		o->style.height = 0;	/* it may scroll */
}

static int diff_files(const struct options *o, char **names)
{
	struct snapshot a = {}, b = {};
	int code = EXIT_WRONG;

	if (!read_json_file(&a, names[0]))
		fprintf(stderr, "offmap: %s\n", a.error);
	else if (!read_json_file(&b, names[1]))
		fprintf(stderr, "offmap: %s\n", b.error);
	else if (a.page_size != b.page_size)
		wrong("--diff", "the page sizes differ");
	else
		code = show_diff(stdout, &a, &b, &o->style) ? EXIT_DIFFER : 0;
	snapshot_free(&a);
	snapshot_free(&b);
	return code;
}

static int show_once(const struct options *o, const struct view *view)
{
	struct snapshot s = {};
	const bool good = o->read ? read_json_file(&s, o->read) :
				    collect(&s, view->in, view->attempts);
	size_t i;

	if (!good) {
		fprintf(stderr, "offmap: %s\n", s.error);
		for (i = 0; i < s.nr_unseen; i++)
			fprintf(stderr, "offmap: cannot see: %s\n", s.unseen[i]);
	} else if (o->output == JSON) {
		show_json(stdout, &s);
	} else if (o->output == SVG) {
		show_svg(stdout, &s);
	} else {
		show_view(stdout, &s, NULL, view);
	}
	snapshot_free(&s);
	return good ? 0 : EXIT_WRONG;
}

static int run(const struct options *o)
{
	struct input in;
	struct view view = {
		.in = &in,
		/* What does not live does not change. */
		.attempts = o->root ? 1 : 5,
		.map = o->output == MAP,
		.style = o->style,
		.terminal = o->watch && isatty(STDOUT_FILENO),
	};
	int code;

	if (!o->read && !input_below(&in, o->root ?: "/"))
		return wrong(o->root ?: "/", strerror(errno));
	code = o->watch ? watch(&view, o->seconds, o->count) :
			  show_once(o, &view);
	if (!o->read)
		close(in.root);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "map", no_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },
		{ "svg", no_argument, NULL, 's' },
		{ "diff", no_argument, NULL, 'd' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'c' },
		{ "read", required_argument, NULL, 'r' },
		{ "root", required_argument, NULL, 'R' },
		{ "all", no_argument, NULL, 'a' },
		{ "pages", no_argument, NULL, 'p' },
		{ "unit", required_argument, NULL, 'u' },
		{ "width", required_argument, NULL, 'W' },
		{ "color", required_argument, NULL, 'C' },
		{ "ascii", no_argument, NULL, 'A' },
		{ "utf8", no_argument, NULL, 'U' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	struct options o = { .colour = -1, .utf8 = -1 };
	int c, code;

	while ((c = getopt_long(argc, argv, "mjsdw::c:r:apu:h", names, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (!parse_option(&o, c)) {
			if (c != '?')
				wrong(optarg ?: argv[optind - 1], "makes no sense here");
			fputs("offmap --help lists the options\n", stderr);
			return EXIT_WRONG;
		}
	}
	if (argc - optind != (o.diff ? 2 : 0) ||
	    (o.watch && (o.read || o.output == JSON || o.output == SVG)) ||
	    (o.diff && (o.read || o.root || o.watch || o.output != TABLE))) {
		fputs(usage, stderr);
		return EXIT_WRONG;
	}
	choose_style(&o);
	code = o.diff ? diff_files(&o, argv + optind) : run(&o);
	if (fflush(stdout) || ferror(stdout))
		return wrong("standard output", strerror(errno));
	return code;
}
