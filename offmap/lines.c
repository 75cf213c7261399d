// SPDX-License-Identifier: GPL-2.0
/* Text: lines of a file, and numbers in a line. */
#include <errno.h>
#include <string.h>

#include "input.h"

bool lines_open(struct lines *lines, const struct input *in, const char *path)
{
	lines->in = in;
	lines->path = path;
	lines->pos = 0;
	lines->begin = 0;
	lines->end = 0;
	lines->number = 0;
	lines->wrong = NULL;
	lines->file = in->open(in, path);
	return lines->file >= 0;
}

void lines_close(struct lines *lines)
{
	lines->in->close(lines->in, lines->file);
}

/* False if there is no more. */
static bool fill(struct lines *lines)
{
	size_t left = lines->end - lines->begin;
	ssize_t n;

	memmove(lines->buf, lines->buf + lines->begin, left);
	lines->begin = 0;
	lines->end = left;
	n = lines->in->read(lines->in, lines->file, lines->buf + left,
			    sizeof(lines->buf) - 1 - left, lines->pos);
	if (n < 0)
		lines->wrong = strerror(errno);
	if (n <= 0)
		return false;
	lines->pos += n;
	lines->end += n;
	return true;
}

char *next_line(struct lines *lines)
{
	char *line = lines->buf + lines->begin;
	size_t size = lines->end - lines->begin;
	char *newline = memchr(line, '\n', size);

	if (!newline && size < LINE_SIZE && fill(lines)) {
		line = lines->buf;
		size = lines->end;
		newline = memchr(line, '\n', size);
	}
	if (lines->wrong || !size)
		return NULL;

	lines->number++;
	if (newline) {
		size = newline - line;
	} else if (size >= LINE_SIZE) {
		lines->wrong = "a line is too long";
		return NULL;
	}
	/* Without a newline it is the last one, and buf has room for a NUL. */
	lines->begin += size + !!newline;
	line[size] = '\0';
	if (strlen(line) != size) {
		lines->wrong = "there is a NUL in a line";
		return NULL;
	}
	return line;
}

static int digit(char c, int base)
{
	int value = 99;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value < base ? value : -1;
}

bool take_number(const char **text, int base, uint64_t *value)
{
	const char *s = *text;
	uint64_t sum = 0;

	if (base == 16 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	if (digit(*s, base) < 0)
		return false;
	for (; digit(*s, base) >= 0; s++)
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit(*s, base), &sum))
			return false;
	*text = s;
	*value = sum;
	return true;
}

bool only_number(const char *text, int base, uint64_t *value)
{
	return take_number(&text, base, value) && !*text;
}
