/* SPDX-License-Identifier: GPL-2.0 */
/* JSON, as far as a snapshot needs it: numbers are whole and not negative. */
#ifndef OFFMAP_JSON_VALUE_H
#define OFFMAP_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type type;
	uint64_t number;		/* or 0 and 1 */
	const char *string;
	const char *key;		/* in an object; else NULL */
	size_t nr;			/* of elements */
	struct json_value *first;	/* of them; the others by next */
	struct json_value *next;
};

/*
 * Parses a text, which must end with a NUL at @size and is changed by it.
 * NULL if it is no JSON; then *wrong says why and *line where.
 */
struct json_value *json_parse(char *text, size_t size, const char **wrong,
			      unsigned long *line);
void json_free(struct json_value *value);

/* The member of that name and type; NULL: there is none, or it is no object. */
const struct json_value *json_get(const struct json_value *object,
				  const char *key, enum json_type type);

#endif
