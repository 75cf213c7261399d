// SPDX-License-Identifier: GPL-2.0
/*
 * Instead of libFuzzer, where there is no clang: each input as it is, cut short,
 * and with bytes changed by chance, always the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t random_state = 88172645463325252ULL;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* What parsers trip over: a digit, a quote, an end of line, anything. */
static void damage(uint8_t *data, size_t size)
{
	static const char bytes[] = "0123456789afx-{}[]\":,\n \\/+.\xff";
	int i, changes = 1 + next_random() % 4;

	for (i = 0; i < changes; i++)
		data[next_random() % size] = next_random() % 4 ?
			(uint8_t)bytes[next_random() % sizeof(bytes)] :
			(uint8_t)next_random();
}

static void run(const uint8_t *data, size_t size)
{
	/* Of its very size, so that reading behind it is noticed. */
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(const char *path, unsigned long rounds)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data, *changed;
	size_t size;
	unsigned long i;

	if (!f || fseek(f, 0, SEEK_END)) {
		perror(path);
		exit(1);
	}
	size = ftell(f);
	rewind(f);
	data = malloc(size + 1);
	changed = malloc(size + 1);
	if (fread(data, 1, size, f) != size)
		exit(1);
	fclose(f);
	run(data, size);
	for (i = 0; i < rounds && size; i++) {
		memcpy(changed, data, size);
		damage(changed, size);
		run(changed, next_random() % 4 ? size : next_random() % size);
	}
	free(changed);
	free(data);
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 3) {
		fputs("usage: replay ROUNDS INPUT...\n", stderr);
		return 2;
	}
	for (i = 2; i < argc; i++)
		replay(argv[i], strtoul(argv[1], NULL, 10));
	printf("%d inputs, %s changes of each\n", argc - 2, argv[1]);
	return 0;
}
