// SPDX-License-Identifier: GPL-2.0
/*
 * What every memory block of the running kernel holds: how many pages are
 * free in the buddy, how many are logically offline, and which reference
 * counts the offline pages have.
 *
 * Type and refcount come from struct page itself, read through the vmemmap
 * region of /proc/kcore with the offsets of the VMCOREINFO note; so the same
 * program works with and without /sys/kernel/debug/offline_pages. Three
 * sources are compared (struct page, /proc/kpageflags and, where it exists,
 * the debugfs file); the program fails when they go on telling different
 * things.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KCORE		"/proc/kcore"
#define KPAGEFLAGS	"/proc/kpageflags"
#define MEMORY		"/sys/devices/system/memory"
#define DEBUGFS		"/sys/kernel/debug/offline_pages"

#define KPF_BUDDY	10
#define KPF_OFFLINE	23

#define MAX_STRUCT_PAGE	256
#define ATTEMPTS	5	/* snapshots, before sources count as different */
#define REREADS		10	/* of one page, until its type holds still */

enum exit_code { EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_DIFFER = 3 };

/* What one source says about the offline pages of one memory block. */
struct view {
	unsigned long offline;
	int low, high;		/* refcounts; valid if offline != 0 */
};

struct block {
	unsigned long id;
	unsigned long start_pfn;
	char state[20];
	char zone[20];
	bool online;
	unsigned long buddy;
	unsigned long refcounted;	/* offline, yet refcount != 0 */
	unsigned long movable;		/* offline, of the type that balloons use */
	unsigned long unstable;		/* pages whose type would not hold still */
	unsigned long kpf_offline;	/* of either type */
	struct view page;		/* from struct page */
	struct view debugfs;
	unsigned long debugfs_movable;
	unsigned long never_onlined, skippable;
};

/* How this kernel lays out its memmap. */
static struct {
	unsigned long page_size;
	unsigned long vmemmap;
	unsigned long size;		/* of struct page */
	unsigned long flags, type, refcount;	/* offsets in it */
	uint32_t offline;		/* page_type of an offline page */
	uint32_t movable_offline;	/* and of a balloon page, or 0: no such type */
} layout;

static unsigned long block_size, block_pages;
static struct block *blocks;
static size_t nr_blocks;
static bool have_debugfs, list_ranges;
static long list_type = -1;	/* of the pages to list one by one */

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *fmt, ...)
{
	va_list ap;

	fputs("pagestate: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_ERROR);
}

static void *xmalloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		die("out of memory");
	return p;
}

static int xopen(const char *path, const char *config)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s (%s)", path, strerror(errno), config);
	return fd;
}

/* Returns the bytes read: less than @size at the end of the file only. */
static size_t read_at(int fd, const char *path, void *buf, size_t size, off_t pos)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, pos + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: reading at 0x%llx: %s", path,
			    (unsigned long long)pos + done, strerror(errno));
		if (!n)
			break;
		done += n;
	}
	return done;
}

/* The first line of a sysfs file; false if the block has gone meanwhile. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, size, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

/* ---- the layout of the memmap ---- */

static const char *find_key(const char *info, const char *key)
{
	size_t len = strlen(key);
	const char *line;

	for (line = info; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == '=')
			return line + len + 1;
		if (!*line)
			break;
	}
	return NULL;
}

static const char *vmcoreinfo(const char *info, const char *key)
{
	const char *value = find_key(info, key);

	if (!value)
		die("VMCOREINFO lacks %s", key);
	return value;
}

static char *find_vmcoreinfo(char *notes, size_t size)
{
	size_t pos = 0;

	while (pos + sizeof(Elf64_Nhdr) <= size) {
		Elf64_Nhdr *note = (Elf64_Nhdr *)(notes + pos);
		size_t name = pos + sizeof(*note);
		size_t desc = name + ((note->n_namesz + 3) & ~3UL);

		if (desc + note->n_descsz > size)
			break;
		if (!strcmp(notes + name, "VMCOREINFO")) {
			notes[desc + note->n_descsz] = '\0';
			return notes + desc;
		}
		pos = desc + ((note->n_descsz + 3) & ~3UL);
	}
	die("%s has no VMCOREINFO note", KCORE);
}

/*
 * Learns the layout and returns what turns a virtual address into a position
 * in /proc/kcore; that changes when memory is added, so ask again.
 */
static unsigned long read_layout(int kcore)
{
	unsigned long to_offset = 0;
	bool have_load = false;
	char *notes = NULL;
	size_t notes_size = 0;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdr;
	const char *info, *movable;
	int i;

	if (read_at(kcore, KCORE, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_phentsize != sizeof(*phdr))
		die("%s is not a 64-bit ELF core", KCORE);

	phdr = xmalloc(ehdr.e_phnum * sizeof(*phdr));
	if (read_at(kcore, KCORE, phdr, ehdr.e_phnum * sizeof(*phdr),
		    ehdr.e_phoff) != ehdr.e_phnum * sizeof(*phdr))
		die("%s: program headers cut short", KCORE);
	for (i = 0; i < ehdr.e_phnum; i++) {
		if (phdr[i].p_type == PT_NOTE && !notes) {
			notes = xmalloc(phdr[i].p_filesz + 1);
			notes_size = read_at(kcore, KCORE, notes,
					     phdr[i].p_filesz, phdr[i].p_offset);
		} else if (phdr[i].p_type == PT_LOAD) {
			to_offset = phdr[i].p_offset - phdr[i].p_vaddr;
			have_load = true;
		}
	}
	if (!notes || !have_load)
		die("%s lacks notes or memory", KCORE);

	info = find_vmcoreinfo(notes, notes_size);
	layout.page_size = strtoul(vmcoreinfo(info, "PAGESIZE"), NULL, 10);
	layout.vmemmap = strtoul(vmcoreinfo(info, "SYMBOL(vmemmap)"), NULL, 16);
	layout.size = strtoul(vmcoreinfo(info, "SIZE(page)"), NULL, 10);
	layout.flags = strtoul(vmcoreinfo(info, "OFFSET(page.flags)"), NULL, 10);
	/* page_type shares its word with _mapcount */
	layout.type = strtoul(vmcoreinfo(info, "OFFSET(page._mapcount)"), NULL, 10);
	layout.refcount = strtoul(vmcoreinfo(info, "OFFSET(page._refcount)"),
				  NULL, 10);
	layout.offline = strtol(vmcoreinfo(info,
					   "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"),
				NULL, 10);
	movable = find_key(info, "NUMBER(PAGE_MOVABLE_OFFLINE_MAPCOUNT_VALUE)");
	layout.movable_offline = movable ? strtol(movable, NULL, 10) : 0;
	if (!layout.page_size || !layout.size || layout.size > MAX_STRUCT_PAGE ||
	    layout.type + 4 > layout.size || layout.refcount + 4 > layout.size)
		die("VMCOREINFO makes no sense: struct page of %lu bytes",
		    layout.size);
	free(notes);
	free(phdr);
	return to_offset;
}

/* ---- the content of a page, as /proc/kcore has it ---- */

static void print_content(unsigned long pfn)
{
	int kcore = xopen(KCORE, "CONFIG_PROC_KCORE, root");
	unsigned long address, i, used = 0;
	unsigned char *content;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	read_layout(kcore);
	address = pfn * layout.page_size;
	content = xmalloc(layout.page_size);
	if (read_at(kcore, KCORE, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		die("%s is cut short", KCORE);
	for (i = 0; i < ehdr.e_phnum; i++) {
		if (read_at(kcore, KCORE, &phdr, sizeof(phdr),
			    ehdr.e_phoff + i * sizeof(phdr)) != sizeof(phdr))
			die("%s: program headers cut short", KCORE);
		/* what is not RAM has no physical address: -1 */
		if (phdr.p_type == PT_LOAD && phdr.p_paddr != -1UL &&
		    address - phdr.p_paddr < phdr.p_memsz)
			break;
	}
	if (i == ehdr.e_phnum)
		die("%s does not have page 0x%lx", KCORE, pfn);
	if (read_at(kcore, KCORE, content, layout.page_size,
		    phdr.p_offset + address - phdr.p_paddr) != layout.page_size)
		die("%s: page 0x%lx is cut short", KCORE, pfn);
	for (i = 0; i < layout.page_size; i++)
		used += content[i] != 0;
	puts(used ? "data" : "zero");
}

/* ---- the memory blocks ---- */

static int by_pfn(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->start_pfn < y->start_pfn ? -1 : x->start_pfn > y->start_pfn;
}

static void read_blocks(void)
{
	struct dirent *entry;
	char path[PATH_MAX], line[64];
	DIR *dir = opendir(MEMORY);

	if (!dir)
		die("%s: %s (CONFIG_MEMORY_HOTPLUG)", MEMORY, strerror(errno));
	if (!read_line(MEMORY "/block_size_bytes", line, sizeof(line)))
		die("cannot read %s/block_size_bytes", MEMORY);
	block_size = strtoul(line, NULL, 16);
	block_pages = block_size / layout.page_size;
	if (!block_pages)
		die("memory block size %s makes no sense", line);

	free(blocks);
	blocks = NULL;
	nr_blocks = 0;
	while ((entry = readdir(dir))) {
		struct block *b;
		char *end;
		unsigned long id;

		if (strncmp(entry->d_name, "memory", 6))
			continue;
		id = strtoul(entry->d_name + 6, &end, 10);
		if (end == entry->d_name + 6 || *end)
			continue;
		blocks = realloc(blocks, (nr_blocks + 1) * sizeof(*blocks));
		if (!blocks)
			die("out of memory");
		b = &blocks[nr_blocks];
		memset(b, 0, sizeof(*b));
		b->id = id;
		snprintf(path, sizeof(path), MEMORY "/memory%lu/phys_index", id);
		if (!read_line(path, line, sizeof(line)))
			continue;
		b->start_pfn = strtoul(line, NULL, 16) * block_pages;
		snprintf(path, sizeof(path), MEMORY "/memory%lu/state", id);
		if (!read_line(path, b->state, sizeof(b->state)))
			continue;
		b->online = !strcmp(b->state, "online");
		strcpy(b->zone, "-");
		snprintf(path, sizeof(path), MEMORY "/memory%lu/valid_zones", id);
		if (b->online && !read_line(path, b->zone, sizeof(b->zone)))
			continue;
		nr_blocks++;
	}
	closedir(dir);
	qsort(blocks, nr_blocks, sizeof(*blocks), by_pfn);
}

/* ---- struct page and /proc/kpageflags ---- */

static uint32_t type_of(const char *page)
{
	uint32_t type;

	memcpy(&type, page + layout.type, sizeof(type));
	return type;
}

static int refcount_of(const char *page)
{
	int refcount;

	memcpy(&refcount, page + layout.refcount, sizeof(refcount));
	return refcount;
}

static void list_page(unsigned long pfn, const char *page)
{
	unsigned long flags;

	memcpy(&flags, page + layout.flags, sizeof(flags));
	printf("0x%lx %d 0x%lx\n", pfn, refcount_of(page), flags);
}

static void add_page(struct view *v, int low, int high, unsigned long nr)
{
	if (!v->offline || low < v->low)
		v->low = low;
	if (!v->offline || high > v->high)
		v->high = high;
	v->offline += nr;
}

static void end_range(struct view *range, unsigned long end_pfn)
{
	if (list_ranges && range->offline)
		printf("0x%lx %lu offline %d %d\n", end_pfn - range->offline,
		       range->offline, range->low, range->high);
	range->offline = 0;
}

/*
 * Type, refcount, type: what this reads is believed only when both types are
 * equal. The first type comes from one copy of the memmap, the refcount and
 * the second type from the next.
 */
static void scan_block(int kcore, unsigned long to_offset, int kpageflags,
		       struct block *b)
{
	const size_t size = block_pages * layout.size;
	const off_t pos = layout.vmemmap + b->start_pfn * layout.size + to_offset;
	static char *first, *second;
	static uint64_t *flags;
	struct view range = {};
	unsigned long i;

	if (!first) {
		first = xmalloc(size);
		second = xmalloc(size);
		flags = xmalloc(block_pages * sizeof(*flags));
	}
	memset(flags, 0, block_pages * sizeof(*flags));
	read_at(kpageflags, KPAGEFLAGS, flags, block_pages * sizeof(*flags),
		b->start_pfn * sizeof(*flags));
	if (read_at(kcore, KCORE, first, size, pos) != size ||
	    read_at(kcore, KCORE, second, size, pos) != size)
		die("%s: the memmap of block %lu is cut short", KCORE, b->id);

	for (i = 0; i < block_pages; i++) {
		char *one = first + i * layout.size;
		char *two = second + i * layout.size;
		int tries = 0;

		b->buddy += flags[i] >> KPF_BUDDY & 1;
		b->kpf_offline += flags[i] >> KPF_OFFLINE & 1;
		while (type_of(one) != type_of(two) && tries++ < REREADS) {
			memcpy(one, two, layout.size);
			read_at(kcore, KCORE, two, layout.size,
				pos + i * layout.size);
		}
		if (type_of(one) != type_of(two))
			b->unstable++;
		else if (list_type == type_of(two) >> 24)
			list_page(b->start_pfn + i, two);
		if (layout.movable_offline && type_of(one) == type_of(two) &&
		    type_of(two) == layout.movable_offline)
			b->movable++;
		if (type_of(one) != type_of(two) ||
		    type_of(two) != layout.offline) {
			end_range(&range, b->start_pfn + i);
			continue;
		}
		add_page(&b->page, refcount_of(two), refcount_of(two), 1);
		add_page(&range, refcount_of(two), refcount_of(two), 1);
		b->refcounted += refcount_of(two) != 0;
	}
	end_range(&range, b->start_pfn + i);
}

/* ---- the debugfs file ---- */

static struct block *block_of(unsigned long pfn)
{
	size_t i;

	for (i = 0; i < nr_blocks; i++)
		if (pfn - blocks[i].start_pfn < block_pages)
			return &blocks[i];
	return NULL;
}

static bool has_flag(const char *flags, const char *name)
{
	size_t len = strlen(name);

	while (*flags) {
		size_t n = strcspn(flags, ",");

		if (n == len && !strncmp(flags, name, n))
			return true;
		flags += n + (flags[n] == ',');
	}
	return false;
}

/* Returns false if a range lies in no memory block: the system moved on. */
static bool read_debugfs(void)
{
	char line[256], type[32], flags[128];
	FILE *f = fopen(DEBUGFS, "re");
	bool known = true;

	have_debugfs = f;
	if (!f && errno != ENOENT)
		die("%s: %s", DEBUGFS, strerror(errno));
	if (!f)
		return true;
	while (fgets(line, sizeof(line), f)) {
		unsigned long pfn, nr;
		struct block *b;
		int low, high;

		if (*line == '#')
			continue;
		if (sscanf(line, "0x%lx %lu %31s %127s %d %d", &pfn, &nr, type,
			   flags, &low, &high) != 6)
			die("%s: cannot understand: %s", DEBUGFS, line);
		b = block_of(pfn);
		if (!b || pfn + nr > b->start_pfn + block_pages) {
			known = false;
			continue;
		}
		if (!strcmp(type, "movable_offline"))
			b->debugfs_movable += nr;
		if (strcmp(type, "offline"))
			continue;
		add_page(&b->debugfs, low, high, nr);
		if (has_flag(flags, "never_onlined"))
			b->never_onlined += nr;
		if (has_flag(flags, "skippable"))
			b->skippable += nr;
	}
	if (ferror(f))
		die("%s: %s", DEBUGFS, strerror(errno));
	fclose(f);
	return known;
}

/* ---- one picture of all, and how it is shown ---- */

static bool views_differ(const struct view *a, const struct view *b)
{
	return a->offline != b->offline ||
	       (a->offline && (a->low != b->low || a->high != b->high));
}

/* Returns what the sources disagree about, or NULL. */
static const char *snapshot(void)
{
	static char what[200];
	int kcore = xopen(KCORE, "CONFIG_PROC_KCORE, root");
	int kpageflags = xopen(KPAGEFLAGS, "CONFIG_PROC_PAGE_MONITOR, root");
	unsigned long to_offset = read_layout(kcore);
	bool known;
	size_t i;

	read_blocks();
	known = read_debugfs();
	for (i = 0; i < nr_blocks; i++)
		if (blocks[i].online)
			scan_block(kcore, to_offset, kpageflags, &blocks[i]);
	close(kpageflags);
	close(kcore);

	if (!known)
		return "debugfs names pages outside of all memory blocks";
	for (i = 0; i < nr_blocks; i++) {
		const struct block *b = &blocks[i];

		if (!b->online)
			continue;
		if (b->page.offline + b->movable != b->kpf_offline)
			snprintf(what, sizeof(what),
				 "block %lu: %lu and %lu offline in struct page, %lu in kpageflags",
				 b->id, b->page.offline, b->movable, b->kpf_offline);
		else if (have_debugfs && b->movable != b->debugfs_movable)
			snprintf(what, sizeof(what),
				 "block %lu: %lu movable offline in struct page, %lu in debugfs",
				 b->id, b->movable, b->debugfs_movable);
		else if (have_debugfs && views_differ(&b->page, &b->debugfs))
			snprintf(what, sizeof(what),
				 "block %lu: %lu offline, refcount %d..%d in struct page; %lu, %d..%d in debugfs",
				 b->id, b->page.offline, b->page.low, b->page.high,
				 b->debugfs.offline, b->debugfs.low,
				 b->debugfs.high);
		else
			continue;
		return what;
	}
	return NULL;
}

/* JSON null, or "-" in the table, for what nobody can tell. */
static const char *number(char *buf, bool known, long value, const char *unknown)
{
	if (!known)
		return unknown;
	sprintf(buf, "%ld", value);
	return buf;
}

static void print_json(const char *differ)
{
	char n[6][24];
	size_t i;

	printf("{\"page_size\": %lu, \"block_size\": %lu, \"debugfs\": %s, \"differ\": %s%s%s, \"blocks\": [",
	       layout.page_size, block_size, have_debugfs ? "true" : "false",
	       differ ? "\"" : "", differ ?: "null", differ ? "\"" : "");
	for (i = 0; i < nr_blocks; i++) {
		const struct block *b = &blocks[i];
		bool flags = b->online && have_debugfs;

		printf("%s\n{\"block\": %lu, \"start_pfn\": %lu, \"pages\": %lu, \"state\": \"%s\", \"zone\": \"%s\"",
		       i ? "," : "", b->id, b->start_pfn, block_pages, b->state,
		       b->zone);
		printf(", \"buddy\": %s, \"offline\": %s, \"refcounted\": %s, \"movable_offline\": %s",
		       number(n[0], b->online, b->buddy, "null"),
		       number(n[1], b->online, b->page.offline, "null"),
		       number(n[2], b->online, b->refcounted, "null"),
		       number(n[3], b->online, b->movable, "null"));
		printf(", \"refcount_min\": %s, \"refcount_max\": %s, \"unstable\": %lu",
		       number(n[0], b->page.offline, b->page.low, "null"),
		       number(n[1], b->page.offline, b->page.high, "null"),
		       b->unstable);
		printf(", \"never_onlined\": %s, \"skippable\": %s}",
		       number(n[0], flags, b->never_onlined, "null"),
		       number(n[1], flags, b->skippable, "null"));
	}
	puts("]}");
}

static void print_table(void)
{
	unsigned long offline = 0, refcounted = 0;
	size_t i;

	printf("%5s %-21s %-13s %-8s %7s %7s %7s %7s %13s %9s %12s %6s\n", "block",
	       "physical range", "state", "zone", "pages", "buddy", "movable",
	       "offline", "never-onlined", "skippable", "refcount", "!= 0");
	for (i = 0; i < nr_blocks; i++) {
		const struct block *b = &blocks[i];
		bool flags = b->online && have_debugfs;
		char n[6][24], span[32] = "-";

		if (b->page.offline)
			snprintf(span, sizeof(span), "%d..%d", b->page.low,
				 b->page.high);
		printf("%5lu %9lx-%-11lx %-13s %-8s %7lu %7s %7s %7s %13s %9s %12s %6s\n",
		       b->id, b->start_pfn * layout.page_size,
		       (b->start_pfn + block_pages) * layout.page_size - 1,
		       b->state, b->zone, block_pages,
		       number(n[0], b->online, b->buddy, "-"),
		       number(n[5], b->online, b->movable, "-"),
		       number(n[1], b->online, b->page.offline, "-"),
		       number(n[2], flags, b->never_onlined, "-"),
		       number(n[3], flags, b->skippable, "-"), span,
		       number(n[4], b->online, b->refcounted, "-"));
		offline += b->page.offline;
		refcounted += b->refcounted;
	}
	printf("%lu offline pages, %lu of them with a refcount other than 0\n",
	       offline, refcounted);
}

/*
 * Pages of any type, of memory that need not be in an online block: those that
 * follow each other and are alike in one line.
 */
static void print_pages(unsigned long start_pfn, unsigned long nr_pages)
{
	int kcore = xopen(KCORE, "CONFIG_PROC_KCORE, root");
	unsigned long to_offset = read_layout(kcore), first = 0, i;
	char *pages = xmalloc(nr_pages * layout.size);

	if (read_at(kcore, KCORE, pages, nr_pages * layout.size, layout.vmemmap +
		    start_pfn * layout.size + to_offset) != nr_pages * layout.size)
		die("%s: the memmap of PFN 0x%lx is cut short", KCORE, start_pfn);
	close(kcore);
	for (i = 1; i <= nr_pages; i++) {
		const char *page = pages + first * layout.size;
		const char *next = pages + i * layout.size;

		if (i < nr_pages && type_of(page) == type_of(next) &&
		    refcount_of(page) == refcount_of(next))
			continue;
		printf("0x%lx %lu ", start_pfn + first, i - first);
		if (type_of(page) == layout.offline)
			printf("offline");
		else if (type_of(page) == UINT32_MAX)
			printf("none");
		else
			printf("0x%x", type_of(page));
		printf(" %d\n", refcount_of(page));
		first = i;
	}
	free(pages);
}

int main(int argc, char **argv)
{
	const char *differ = NULL, *content_of = NULL;
	bool json = false;
	int i;

	if (argc == 4 && !strcmp(argv[1], "--pages") && atol(argv[3]) > 0) {
		print_pages(strtoul(argv[2], NULL, 0), atol(argv[3]));
		return 0;
	}
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--ranges")) {
			list_ranges = true;
		} else if (!strcmp(argv[i], "--of-type") && i + 1 < argc) {
			list_type = strtol(argv[++i], NULL, 16);
		} else if (!strcmp(argv[i], "--content") && i + 1 < argc) {
			content_of = argv[++i];
		} else {
			fputs("usage: pagestate [--json | --ranges | --pages START_PFN NR_PAGES |\n"
			      "                 --of-type TYPE | --content PFN]\n"
			      "--ranges: start_pfn nr_pages type lowest highest refcount\n"
			      "--pages: start_pfn nr_pages type (or mapcount) refcount\n"
			      "--of-type: pfn refcount flags of each page of that type, f6 for example\n"
			      "--content: zero or data, as /proc/kcore shows it\n",
			      stderr);
			return EXIT_USAGE;
		}
	}

	if (content_of) {
		print_content(strtoul(content_of, NULL, 0));
		return 0;
	}

	for (i = 0; i < ATTEMPTS; i++) {
		differ = snapshot();
		if (!differ || list_ranges || list_type >= 0)
			break;
		usleep(100 * 1000);
	}
	if (json)
		print_json(differ);
	else if (!list_ranges && list_type < 0)
		print_table();
	if (differ)
		fprintf(stderr, "pagestate: the sources differ: %s\n", differ);
	return differ ? EXIT_DIFFER : 0;
}
