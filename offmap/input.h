/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files that are read: those of this machine, of a copy of them below a
 * folder, or, for the fuzzer, of nowhere but its own memory.
 */
#ifndef OFFMAP_INPUT_H
#define OFFMAP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct input {
	/* Returns a handle, or -1 with errno set. */
	int (*open)(const struct input *in, const char *path);
	/* As pread(), but short at the end of the file only. */
	ssize_t (*read)(const struct input *in, int file, void *buf,
			size_t size, uint64_t pos);
	void (*close)(const struct input *in, int file);
	/* Calls each() for the names in a folder; false with errno set. */
	bool (*list)(const struct input *in, const char *path,
		     void (*each)(void *arg, const char *name), void *arg);
	int root;		/* of input_below() */
	const void *memory;	/* of the fuzzer */
};

/* Paths have no "/" at their start. False with errno set. */
bool input_below(struct input *in, const char *folder);

#define LINE_SIZE 4096

/* A text file, line by line. */
struct lines {
	const struct input *in;
	const char *path;
	int file;
	uint64_t pos;		/* in the file, of what comes into buf next */
	size_t begin, end;	/* of what is in buf and not yet told */
	unsigned long number;	/* of the line that next_line() has returned */
	const char *wrong;	/* why next_line() has returned NULL, or NULL */
	char buf[2 * LINE_SIZE];
};

bool lines_open(struct lines *lines, const struct input *in, const char *path);
/* The next line, without its end; NULL at the end, or if something is wrong. */
char *next_line(struct lines *lines);
void lines_close(struct lines *lines);

/*
 * A number without sign, in decimal or, if @base is 16, in hex with or without
 * "0x"; false if there is none or it does not fit. Moves @text behind it.
 */
bool take_number(const char **text, int base, uint64_t *value);
/* The same, if nothing else is there. */
bool only_number(const char *text, int base, uint64_t *value);

#endif
