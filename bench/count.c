// SPDX-License-Identifier: GPL-2.0
/*
 * A TCG plugin that counts instructions, loads and stores of a guest between two
 * marks (marks.h), by translation block. QEMU translates a straight run of
 * instructions as a block; it is the address that a block starts at by which
 * lab/bench.py finds the function.
 *
 * A block counts as a whole when it is entered: an exception in its middle makes
 * the count too high by what follows. A string instruction with a rep prefix
 * counts once for each repetition, as with -icount.
 *
 * It also finds the longest stretch with interrupts off (masked.h).
 *
 * Arguments: out=FILE, and entry=ADDRESS for each place where the kernel is
 * entered by an interrupt or exception. What was executed before the first mark,
 * and then each time between two marks, is appended to the file:
 *
 *	region boot|counted
 *	ADDRESS INSTRUCTIONS LOADS STORES	(hexadecimal, then decimal)
 *	...
 *	masked INSTRUCTIONS ADDRESS...	(the longest stretch: its first blocks)
 *	end
 *
 * A line "counting" tells of the first mark, until the region follows.
 *
 * For guests with one CPU: the counters are not atomic.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "masked.h"
#include "qemu-plugin-v1.h"

#define BUCKETS	(1 << 16)

/* Translated again, maybe with other flags, a block keeps its counters. */
struct block {
	struct block *next;	/* in the bucket */
	uint64_t address;
	uint64_t length;	/* in instructions */
	uint64_t executions;
	uint64_t accesses;	/* loads and stores: by the code that QEMU generates */
	uint64_t stores;
	uint64_t seen[3];	/* executions, accesses, stores at the last mark */
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

static struct block *buckets[BUCKETS];
static FILE *out;
static bool booted, counting;

static struct block *find_block(uint64_t address, uint64_t length)
{
	struct block **head = &buckets[(address >> 1) % BUCKETS];
	struct block *block;

	for (block = *head; block; block = block->next)
		if (block->address == address && block->length == length)
			return block;
	block = calloc(1, sizeof(*block));
	if (!block) {
		perror("count");
		exit(1);
	}
	block->address = address;
	block->length = length;
	block->next = *head;
	*head = block;
	return block;
}

/* What has been executed since the last mark; print it if somebody asked. */
static void take(const char *region)
{
	struct block *block;
	int i;

	if (region)
		fprintf(out, "region %s\n", region);
	for (i = 0; i < BUCKETS; i++) {
		for (block = buckets[i]; block; block = block->next) {
			uint64_t executions = block->executions - block->seen[0];
			uint64_t accesses = block->accesses - block->seen[1];
			uint64_t stores = block->stores - block->seen[2];

			if (region && executions)
				fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
					block->address, executions * block->length,
					accesses - stores, stores);
			block->seen[0] = block->executions;
			block->seen[1] = block->accesses;
			block->seen[2] = block->stores;
		}
	}
	if (region) {
		masked_print(out);
		fprintf(out, "end\n");
		fflush(out);
	}
}

static void on_begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	take(booted ? NULL : "boot");
	booted = true;
	counting = true;
	masked_reset();
	fprintf(out, "counting\n");
	fflush(out);
}

static void on_end(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	take(counting ? "counted" : NULL);
	counting = false;
}

static void find_mark(struct qemu_plugin_insn *insn)
{
	static const uint8_t opcode[] = MARK_OPCODE;
	const uint8_t *bytes = qemu_plugin_insn_data(insn);
	uint32_t displacement;

	if (qemu_plugin_insn_size(insn) != sizeof(opcode) + sizeof(displacement) ||
	    memcmp(bytes, opcode, sizeof(opcode)))
		return;
	memcpy(&displacement, bytes + sizeof(opcode), sizeof(displacement));
	if (displacement == MARK_BEGIN)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin,
						       QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (displacement == MARK_END)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_end,
						       QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void on_block(unsigned int vcpu, void *data)
{
	struct block *block = data;

	(void)vcpu;
	block->executions++;
	masked_pass(block->address, block->length);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, length = qemu_plugin_tb_n_insns(tb);
	struct block *block = find_block(qemu_plugin_tb_vaddr(tb), length);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
	for (i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		find_mark(insn);
		masked_watch(insn);
		/*
		 * QEMU 7.2 is wrong by one when it looks for who asked: it takes
		 * a store for what _R asks for, and anything for what _W does.
		 * The test of the plugin fails with a QEMU that does not.
		 */
		qemu_plugin_register_vcpu_mem_inline(insn, QEMU_PLUGIN_MEM_RW,
						     QEMU_PLUGIN_INLINE_ADD_U64,
						     &block->accesses, 1);
		qemu_plugin_register_vcpu_mem_inline(insn, QEMU_PLUGIN_MEM_R,
						     QEMU_PLUGIN_INLINE_ADD_U64,
						     &block->stores, 1);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const struct qemu_info *info,
					   int argc, char **argv);

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const struct qemu_info *info,
					   int argc, char **argv)
{
	int i;

	if (!info->system_emulation || info->system.max_vcpus != 1) {
		fprintf(stderr, "count: for a machine with one CPU\n");
		return -1;
	}
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (strncmp(argv[i], "entry=", 6) ||
			 !masked_entry(strtoull(argv[i] + 6, NULL, 16)))
			break;
	}
	if (i < argc) {
		fprintf(stderr, "count: argument %s: not out=FILE or entry=ADDRESS, or too many\n",
			argv[i]);
		return -1;
	}
	if (!out) {
		perror("count: out=FILE");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
