/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The longest stretch of instructions with interrupts off, on a CPU that cannot
 * be asked: from a cli to the next sti or iret. zone->lock is taken with
 * interrupts off alone, so that a stretch is at least as long as it is held.
 *
 * What an interrupt or exception does is left out: it begins where the kernel is
 * entered, and ends with iret, whoever runs until then. Who was interrupted had
 * interrupts on.
 */
#ifndef MASKED_H
#define MASKED_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "qemu-plugin-v1.h"

#define MASKED_TRAIL	12	/* enough to leave the function that took a lock */
#define MASKED_ENTRIES	128

struct stretch {
	uint64_t length;
	uint64_t trail[MASKED_TRAIL];
	int nr;
};

static struct {
	uint64_t now;		/* instructions since the guest started */
	uint64_t since;
	bool masked, interrupted;
	struct stretch current, longest;
	uint64_t entries[MASKED_ENTRIES];
	int nr_entries;
} masked;

static inline void masked_reset(void)
{
	masked.since = masked.now;
	masked.current.nr = 0;
	memset(&masked.longest, 0, sizeof(masked.longest));
}

static inline void masked_end(void)
{
	if (!masked.masked)
		return;
	masked.masked = false;
	masked.current.length = masked.now - masked.since;
	if (!masked.interrupted && masked.current.length > masked.longest.length)
		masked.longest = masked.current;
}

static inline bool masked_entry(uint64_t address)
{
	if (masked.nr_entries == MASKED_ENTRIES)
		return false;
	masked.entries[masked.nr_entries++] = address;
	return true;
}

/* A block is entered. Only a kernel that is there has entries: most are far away. */
static inline void masked_pass(uint64_t address, uint64_t length)
{
	int i;

	masked.now += length;
	if (masked.masked && masked.current.nr < MASKED_TRAIL)
		masked.current.trail[masked.current.nr++] = address;
	if (!masked.nr_entries || address < masked.entries[0] ||
	    address > masked.entries[masked.nr_entries - 1])
		return;
	for (i = 0; i < masked.nr_entries; i++) {
		if (address == masked.entries[i]) {
			masked.interrupted = true;
			/* As if there had been a cli. */
			masked.masked = true;
		}
	}
}

static void on_cli(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (masked.masked)
		return;
	masked.masked = true;
	masked.since = masked.now;
	masked.current.nr = 0;
}

static void on_sti(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	masked_end();
}

static void on_iret(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	masked_end();
	masked.interrupted = false;
}

static inline void masked_watch(struct qemu_plugin_insn *insn)
{
	const uint8_t *bytes = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	qemu_plugin_vcpu_udata_cb_t callback = NULL;

	if (size == 1 && bytes[0] == 0xfa)
		callback = on_cli;
	else if (size == 1 && bytes[0] == 0xfb)
		callback = on_sti;
	else if (bytes[size - 1] == 0xcf && (size == 1 || (size == 2 && bytes[0] == 0x48)))
		callback = on_iret;
	if (callback)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, callback,
						       QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static inline void masked_print(FILE *out)
{
	int i;

	fprintf(out, "masked %" PRIu64, masked.longest.length);
	for (i = 0; i < masked.longest.nr; i++)
		fprintf(out, " %" PRIx64, masked.longest.trail[i]);
	fprintf(out, "\n");
}

#endif /* MASKED_H */
