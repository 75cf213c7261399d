// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer's part: an input is either JSON, if it begins with "{", or a tree
 * of files, each "path newline content", with a byte of 0xff between them. All
 * that can be shown of it is shown, and what was written as JSON has to come
 * back as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../collect.h"
#include "../show.h"

#define MAX_FILES 256

struct file {
	const char *path, *data;
	size_t path_len, size;
};

struct tree {
	struct file files[MAX_FILES];
	size_t nr;
};

static int open_memory(const struct input *in, const char *path)
{
	const struct tree *tree = in->memory;
	size_t i;

	for (i = 0; i < tree->nr; i++)
		if (tree->files[i].path_len == strlen(path) &&
		    !memcmp(tree->files[i].path, path, strlen(path)))
			return i;
	errno = ENOENT;
	return -1;
}

static ssize_t read_memory(const struct input *in, int file, void *buf,
			   size_t size, uint64_t pos)
{
	const struct file *f = &((const struct tree *)in->memory)->files[file];

	if (pos >= f->size)
		return 0;
	if (size > f->size - pos)
		size = f->size - pos;
	memcpy(buf, f->data + pos, size);
	return size;
}

static void close_memory(const struct input *in, int file)
{
	(void)in;
	(void)file;
}

/* The next component of a path below a folder; 0: it is not there. */
static size_t component(const struct file *f, const char *folder,
			const char **name)
{
	const size_t len = strlen(folder);
	const char *slash;

	if (f->path_len < len + 2 || memcmp(f->path, folder, len) ||
	    f->path[len] != '/')
		return 0;
	*name = f->path + len + 1;
	slash = memchr(*name, '/', f->path_len - len - 1);
	return slash ? (size_t)(slash - *name) : f->path_len - len - 1;
}

static bool list_memory(const struct input *in, const char *path,
			void (*each)(void *arg, const char *name), void *arg)
{
	const struct tree *tree = in->memory;
	bool any = false;
	size_t i, k;

	for (i = 0; i < tree->nr; i++) {
		const char *name, *other;
		char copy[64];
		const size_t len = component(&tree->files[i], path, &name);

		if (!len || len >= sizeof(copy))
			continue;
		for (k = 0; k < i; k++)
			if (component(&tree->files[k], path, &other) == len &&
			    !memcmp(other, name, len))
				break;
		if (k < i)
			continue;
		memcpy(copy, name, len);
		copy[len] = '\0';
		each(arg, copy);
		any = true;
	}
	errno = ENOENT;
	return any;
}

static void split(struct tree *tree, const char *data, size_t size)
{
	const char *end = data + size;

	while (data < end && tree->nr < MAX_FILES) {
		const char *stop = memchr(data, 0xff, end - data) ?: end;
		const char *newline = memchr(data, '\n', stop - data);

		/* /proc/kpageflags is binary: the last one, it goes to the end. */
		if (newline && newline - data == strlen(KPAGEFLAGS) &&
		    !memcmp(data, KPAGEFLAGS, strlen(KPAGEFLAGS)))
			stop = end;
		if (newline)
			tree->files[tree->nr++] = (struct file) {
				.path = data,
				.path_len = newline - data,
				.data = newline + 1,
				.size = stop - newline - 1,
			};
		data = stop + 1;
	}
}

static char *json_of(const struct snapshot *s, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	show_json(out, s);
	fclose(out);
	return text;
}

/* What is written can be read, and is the same. */
static void check_round_trip(const struct snapshot *s)
{
	const struct style style = {};
	struct snapshot copy = {};
	char *first, *second, *text;
	size_t size, size2;
	FILE *out = fopen("/dev/null", "w");

	first = json_of(s, &size);
	text = strdup(first);
	if (!read_json(&copy, text, size, "round trip")) {
		fprintf(stderr, "%s\n%s\n", copy.error, first);
		abort();
	}
	second = json_of(&copy, &size2);
	if (strcmp(first, second) || show_diff(out, s, &copy, &style)) {
		fprintf(stderr, "%s\n%s\n", first, second);
		abort();
	}
	fclose(out);
	snapshot_free(&copy);
	free(first);
	free(second);
	free(text);
}

static void show_all(const struct snapshot *s)
{
	static const struct style styles[] = {
		{ .width = 80 },
		{ .width = 1, .height = 5, .utf8 = true, .all = true },
		{ .width = 9999, .colour = true, .utf8 = true, .pages = true },
		{ .width = 132, .height = 24, .colour = true, .unit = 8 << 20 },
	};
	FILE *out = fopen("/dev/null", "w");
	size_t i;

	for (i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		show_table(out, s, &styles[i]);
		show_map(out, s, i % 2 ? s : NULL, &styles[i]);
	}
	show_svg(out, s);
	fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree tree = {};
	const struct input in = {
		.open = open_memory,
		.read = read_memory,
		.close = close_memory,
		.list = list_memory,
		.memory = &tree,
	};
	struct snapshot s = {};
	char *text = NULL;
	bool good;

	if (size && *data == '{') {
		text = malloc(size + 1);
		memcpy(text, data, size);
		text[size] = '\0';
		good = read_json(&s, text, size, "fuzz");
	} else {
		split(&tree, (const char *)data, size);
		good = collect(&s, &in, 2);
	}
	if (good) {
		show_all(&s);
		check_round_trip(&s);
	} else if (!*s.error) {
		abort();	/* no reason was given */
	}
	snapshot_free(&s);
	free(text);
	return 0;
}
