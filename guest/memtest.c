// SPDX-License-Identifier: GPL-2.0
/*
 * A workload that fills memory and notices when a page loses its content.
 *
 * Every page holds a stream of words that depends on a seed, the process, the
 * index of the page and its generation. Passes over the memory verify each
 * page and write its next generation, until somebody says stop; then all is
 * verified once more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATE		"/tmp/memtest.state"
#define PAGE		4096UL
#define WORDS		(PAGE / sizeof(uint64_t))
#define MAX_WORKERS	16

enum { FILLING, RUNNING, DONE, MISMATCH, DIED };

struct worker {
	pid_t pid;
	atomic_int state;
	atomic_ulong passes, verified;
	int status;			/* of waitpid(), if it died */
	/* the first mismatch */
	unsigned long page, word, pfn;
	uint64_t generation, expected, found;
};

/* Lives in a file that every invocation maps. */
struct shared {
	pid_t supervisor;
	unsigned int nr_workers;
	unsigned long pages;		/* of each worker */
	uint64_t seed;
	bool hold;
	int thp;			/* -1: the system's default */
	atomic_bool stop, damage;
	struct worker worker[MAX_WORKERS];
};

static struct shared *shared;

static void __attribute__((noreturn)) die(const char *what)
{
	if (errno)
		fprintf(stderr, "memtest: %s: %s\n", what, strerror(errno));
	else
		fprintf(stderr, "memtest: %s\n", what);
	exit(2);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
}

/* ---- the content of a page ---- */

static uint64_t first_word(unsigned int worker, unsigned long page,
			   uint64_t generation)
{
	uint64_t x = shared->seed ^ (uint64_t)worker << 56 ^ generation << 32 ^ page;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t next_word(uint64_t x)
{
	return x * 6364136223846793005ULL + 1442695040888963407ULL;
}

static void write_page(volatile uint64_t *p, uint64_t x)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++, x = next_word(x))
		p[i] = x;
}

static unsigned long pfn_of(const volatile void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)p / PAGE *
			    sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

static bool verify_page(struct worker *w, volatile uint64_t *memory,
			unsigned long page, uint64_t generation)
{
	volatile uint64_t *p = memory + page * WORDS;
	uint64_t x = first_word(w - shared->worker, page, generation);
	unsigned int i;

	for (i = 0; i < WORDS; i++, x = next_word(x)) {
		uint64_t found = p[i];

		if (found == x)
			continue;
		w->page = page;
		w->word = i;
		w->generation = generation;
		w->expected = x;
		w->found = found;
		w->pfn = pfn_of(p);
		w->state = MISMATCH;
		return false;
	}
	w->verified++;
	return true;
}

/* ---- one worker ---- */

static void work(struct worker *w)
{
	const unsigned int me = w - shared->worker;
	const size_t size = shared->pages * PAGE;
	unsigned long i, done = 0;
	uint64_t generation = 0;
	volatile uint64_t *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		exit(1);
	if (shared->thp >= 0 &&
	    madvise((void *)memory, size,
		    shared->thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		exit(1);

	for (i = 0; i < shared->pages && !shared->stop; i++)
		write_page(memory + i * WORDS, first_word(me, i, 0));
	if (i < shared->pages)
		return;
	w->state = RUNNING;

	/* Pages below done are one generation ahead of the others. */
	while (!shared->stop) {
		if (!me && atomic_exchange(&shared->damage, false))
			memory[shared->pages / 2 * WORDS + 100] ^= 1;
		if (shared->hold) {
			nap();
			continue;
		}
		if (!verify_page(w, memory, done, generation))
			return;
		write_page(memory + done * WORDS,
			   first_word(me, done, generation + 1));
		if (++done == shared->pages) {
			done = 0;
			generation++;
			w->passes++;
		}
	}
	for (i = 0; i < done; i++)
		if (!verify_page(w, memory, i, generation + 1))
			return;
	for (; i < shared->pages; i++)
		if (!verify_page(w, memory, i, generation))
			return;
	w->state = DONE;
}

static void supervise(void)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < shared->nr_workers; i++) {
		pid = fork();
		if (!pid) {
			work(&shared->worker[i]);
			_exit(0);
		}
		shared->worker[i].pid = pid;
		if (pid < 0)
			shared->worker[i].state = DIED;
	}
	while ((pid = wait(&status)) > 0) {
		for (i = 0; i < shared->nr_workers; i++) {
			struct worker *w = &shared->worker[i];

			if (w->pid != pid || w->state == DONE ||
			    w->state == MISMATCH)
				continue;
			w->status = status;
			w->state = DIED;
		}
	}
}

/* ---- the commands ---- */

static void map_state(bool create)
{
	int fd;

	if (create)
		mkdir("/tmp", 01777);
	fd = open(STATE, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0600);
	if (fd < 0 && errno == ENOENT) {
		errno = 0;
		die("not started");
	}
	if (fd < 0 || (create && ftruncate(fd, sizeof(*shared))))
		die(STATE);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (shared == MAP_FAILED)
		die(STATE);
	close(fd);
}

static bool all_left(int state)
{
	unsigned int i;

	for (i = 0; i < shared->nr_workers; i++)
		if (shared->worker[i].state == state)
			return false;
	return true;
}

/* Prints one line; returns the exit code. */
static int report(void)
{
	unsigned long passes = 0, verified = 0;
	unsigned int i;

	for (i = 0; i < shared->nr_workers; i++) {
		struct worker *w = &shared->worker[i];

		if (w->state == MISMATCH) {
			printf("mismatch process=%u page=%lu word=%lu generation=%llu expected=%016llx found=%016llx pfn=0x%lx\n",
			       i, w->page, w->word,
			       (unsigned long long)w->generation,
			       (unsigned long long)w->expected,
			       (unsigned long long)w->found, w->pfn);
			return 1;
		}
		if (w->state == DIED) {
			printf("died process=%u %s=%d\n", i,
			       WIFSIGNALED(w->status) ? "signal" : "exit",
			       WIFSIGNALED(w->status) ? WTERMSIG(w->status) :
							WEXITSTATUS(w->status));
			return 1;
		}
		if (!i || w->passes < passes)
			passes = w->passes;
		verified += w->verified;
	}
	printf("ok pages=%lu passes=%lu verified=%lu\n",
	       shared->pages * shared->nr_workers, passes, verified);
	return 0;
}

/* Returns when all memory is filled; the workers go on in the background. */
static int start(unsigned long mib, unsigned int nr_workers, bool hold, int thp)
{
	int null;
	pid_t pid;

	if (!access(STATE, F_OK)) {
		map_state(false);
		if (!kill(shared->supervisor, 0)) {
			errno = 0;
			die("already started");
		}
		munmap(shared, sizeof(*shared));
		unlink(STATE);
	}
	map_state(true);
	shared->nr_workers = nr_workers;
	shared->pages = (mib << 20) / PAGE / nr_workers;
	shared->seed = (uint64_t)time(NULL) << 20 ^ getpid();
	shared->hold = hold;
	shared->thp = thp;

	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setsid();
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		supervise();
		_exit(0);
	}
	shared->supervisor = pid;
	while (!all_left(FILLING))
		nap();
	return report();
}

static int stop(void)
{
	int code;

	map_state(false);
	shared->stop = true;
	while (!all_left(FILLING) || !all_left(RUNNING))
		nap();
	code = report();
	unlink(STATE);
	return code;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	unsigned long mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned int nr_workers = 1;
	bool hold = false, bad = false;
	int i, thp = -1;

	for (i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "--hold"))
			hold = true;
		else if (!strcmp(argv[i], "--thp=on"))
			thp = 1;
		else if (!strcmp(argv[i], "--thp=off"))
			thp = 0;
		else if (sscanf(argv[i], "--procs=%u", &nr_workers) != 1)
			bad = true;
	}
	if (!bad && !strcmp(cmd, "start") && mib && nr_workers &&
	    nr_workers <= MAX_WORKERS)
		return start(mib, nr_workers, hold, thp);
	if (!strcmp(cmd, "stop") && argc == 2)
		return stop();
	if (!strcmp(cmd, "status") && argc == 2) {
		map_state(false);
		return report();
	}
	if (!strcmp(cmd, "damage") && argc == 2) {
		map_state(false);
		shared->damage = true;
		return 0;
	}
	fputs("usage: memtest start MIB [--procs=N] [--hold] [--thp=on|off] | status | stop | damage\n"
	      "damage flips one bit of the memory, to see that it is noticed\n",
	      stderr);
	return 2;
}
