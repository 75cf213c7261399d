// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes Xen's store, by way of the kernel's connection to it.
 *
 *   xenstore read PATH
 *   xenstore write PATH VALUE [PATH VALUE]...
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE		"/dev/xen/xenbus"
#define MAX_PAYLOAD	4096

enum { XS_READ = 2, XS_WRITE = 11, XS_ERROR = 16 };

struct message {
	uint32_t type;
	uint32_t request;
	uint32_t transaction;
	uint32_t length;
	char payload[MAX_PAYLOAD + 1];
};

#define HEADER	offsetof(struct message, payload)

static int fd;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "xenstore: %s: %s\n", what, why);
	exit(1);
}

static void read_all(char *to, size_t length)
{
	while (length) {
		ssize_t n = read(fd, to, length);

		if (n <= 0)
			die(STORE, n ? strerror(errno) : "end of file");
		to += n;
		length -= n;
	}
}

/* Returns what the store answers. */
static const char *ask(uint32_t type, const char *path, const char *value)
{
	static struct message m;
	size_t length = strlen(path) + 1;

	if (length + strlen(value) > MAX_PAYLOAD)
		die(path, "too long");
	m.type = type;
	memcpy(m.payload, path, length);
	memcpy(m.payload + length, value, strlen(value));
	m.length = length + strlen(value);
	if (write(fd, &m, HEADER + m.length) != (ssize_t)(HEADER + m.length))
		die(STORE, strerror(errno));

	read_all((char *)&m, HEADER);
	if (m.length > MAX_PAYLOAD)
		die(path, "the answer is too long");
	read_all(m.payload, m.length);
	m.payload[m.length] = '\0';
	if (m.type == XS_ERROR)
		die(path, m.payload);
	return m.payload;
}

int main(int argc, char **argv)
{
	int reading = argc == 3 && !strcmp(argv[1], "read");

	if (!reading && (argc < 4 || argc % 2 || strcmp(argv[1], "write"))) {
		fputs("usage: xenstore read PATH | write PATH VALUE...\n", stderr);
		return 2;
	}
	fd = open(STORE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(STORE, strerror(errno));
	if (reading)
		puts(ask(XS_READ, argv[2], ""));
	for (int i = 2; !reading && i < argc; i += 2)
		ask(XS_WRITE, argv[i], argv[i + 1]);
	return 0;
}
