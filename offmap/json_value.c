// SPDX-License-Identifier: GPL-2.0
/* A parser of JSON. */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "json_value.h"
#include "memory.h"

#define MAX_DEPTH	16
#define MAX_VALUES	(4UL << 20)

struct parser {
	char *text, *end;
	const char *wrong;
	size_t nr_values;
};

static bool parse_value(struct parser *p, struct json_value *v, int depth);

static bool bad(struct parser *p, const char *wrong)
{
	if (!p->wrong)
		p->wrong = wrong;
	return false;
}

static char peek(struct parser *p)
{
	while (p->text < p->end && strchr(" \t\r\n", *p->text))
		p->text++;
	return *p->text;	/* NUL at the end */
}

static bool take(struct parser *p, char c)
{
	if (peek(p) != c || p->text == p->end)
		return false;
	p->text++;
	return true;
}

/* What a snapshot has no use for becomes a "?". */
static char unescape(struct parser *p)
{
	const char c = *p->text++;
	int i;

	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return '?';
	case 'u':
		for (i = 0; i < 4; i++, p->text++)
			if (!*p->text || !strchr("0123456789abcdefABCDEF", *p->text))
				break;
		if (i == 4)
			return '?';
		break;
	}
	bad(p, "an escape that JSON does not have");
	return '\0';
}

/* In place: nothing becomes longer. */
static const char *parse_string(struct parser *p)
{
	char *start, *to;

	if (!take(p, '"')) {
		bad(p, "a string is missing");
		return NULL;
	}
	start = p->text;
	to = p->text;
	while (p->text < p->end && *p->text != '"') {
		char c = *p->text++;

		if ((unsigned char)c < ' ') {
			bad(p, "a control character in a string");
			return NULL;
		}
		if (c == '\\')
			c = unescape(p);
		if (!c || p->text > p->end) {
			bad(p, "a string does not end");
			return NULL;
		}
		*to++ = c;
	}
	if (p->text == p->end) {
		bad(p, "a string does not end");
		return NULL;
	}
	p->text++;
	*to = '\0';
	return start;
}

static bool parse_number(struct parser *p, uint64_t *number)
{
	const char *text = p->text;

	if (!take_number(&text, 10, number) || strchr(".eE", *text ?: ' '))
		return bad(p, "a number that is not whole, or too large");
	p->text = (char *)text;
	return true;
}

static bool parse_members(struct parser *p, struct json_value *v, int depth)
{
	const char end = v->type == JSON_OBJECT ? '}' : ']';
	struct json_value **last = &v->first;

	if (take(p, end))
		return true;
	do {
		struct json_value *member;

		if (++p->nr_values > MAX_VALUES)
			return bad(p, "there is too much of it");
		member = xrealloc(NULL, 1, sizeof(*member));
		memset(member, 0, sizeof(*member));
		*last = member;
		last = &member->next;
		v->nr++;
		if (v->type == JSON_OBJECT) {
			member->key = parse_string(p);
			if (!member->key)
				return false;
			if (!take(p, ':'))
				return bad(p, "a colon is missing");
		}
		if (!parse_value(p, member, depth + 1))
			return false;
	} while (take(p, ','));
	return take(p, end) || bad(p, "a comma or a bracket is missing");
}

static bool parse_word(struct parser *p, const char *word)
{
	const size_t len = strlen(word);

	if (strncmp(p->text, word, len))
		return bad(p, "this is no value");
	p->text += len;
	return true;
}

static bool parse_value(struct parser *p, struct json_value *v, int depth)
{
	if (depth > MAX_DEPTH)
		return bad(p, "too many brackets within each other");
	switch (peek(p)) {
	case '{':
	case '[':
		v->type = *p->text++ == '{' ? JSON_OBJECT : JSON_ARRAY;
		return parse_members(p, v, depth);
	case '"':
		v->type = JSON_STRING;
		v->string = parse_string(p);
		return v->string;
	case 't':
		v->type = JSON_BOOL;
		v->number = 1;
		return parse_word(p, "true");
	case 'f':
		v->type = JSON_BOOL;
		return parse_word(p, "false");
	case 'n':
		return parse_word(p, "null");
	case '\0':
		return bad(p, "it ends too early");
	default:
		v->type = JSON_NUMBER;
		return parse_number(p, &v->number);
	}
}

struct json_value *json_parse(char *text, size_t size, const char **wrong,
			      unsigned long *line)
{
	struct json_value *top = xrealloc(NULL, 1, sizeof(*top));
	struct parser p = { .text = text, .end = text + size };
	const char *c;

	memset(top, 0, sizeof(*top));
	if (parse_value(&p, top, 0) && (peek(&p) || p.text != p.end))
		bad(&p, "something follows it");
	if (!p.wrong)
		return top;
	json_free(top);
	*wrong = p.wrong;
	*line = 1;
	/* Strings have got NULs, but no newline is in one. */
	for (c = text; c < p.text && c < p.end; c++)
		*line += *c == '\n';
	return NULL;
}

void json_free(struct json_value *value)
{
	while (value) {
		struct json_value *next = value->next;

		json_free(value->first);
		free(value);
		value = next;
	}
}

const struct json_value *json_get(const struct json_value *object,
				  const char *key, enum json_type type)
{
	const struct json_value *v;

	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (v = object->first; v; v = v->next)
		if (!strcmp(v->key, key))
			return v->type == type ? v : NULL;
	return NULL;
}
