// SPDX-License-Identifier: GPL-2.0
/* Files below a folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "input.h"

static int open_below(const struct input *in, const char *path)
{
	return openat(in->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static ssize_t read_below(const struct input *in, int file, void *buf,
			  size_t size, uint64_t pos)
{
	size_t done = 0;

	(void)in;
	while (done < size) {
		ssize_t n = pread(file, (char *)buf + done, size - done,
				  pos + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		done += n;
	}
	return done;
}

static void close_below(const struct input *in, int file)
{
	(void)in;
	close(file);
}

static bool list_below(const struct input *in, const char *path,
		       void (*each)(void *arg, const char *name), void *arg)
{
	int fd = openat(in->root, path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		each(arg, entry->d_name);
	closedir(dir);
	return true;
}

bool input_below(struct input *in, const char *folder)
{
	*in = (struct input) {
		.open = open_below,
		.read = read_below,
		.close = close_below,
		.list = list_below,
		.root = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY),
	};
	return in->root >= 0;
}
