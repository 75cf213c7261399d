/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions that start and stop counting: nopl with a displacement that
 * no compiler emits. Whoever executes one, in user space or in the kernel.
 *
 * Each is in a translation block of its own, so that the plugin need not count
 * a part of a block.
 */
#ifndef MARKS_H
#define MARKS_H

#define MARK_BEGIN	0x6e676562	/* "begn" */
#define MARK_END	0x21646e65	/* "end!" */

/* nopl displacement(%rax,%rax,1): these bytes, then the displacement */
#define MARK_OPCODE	{ 0x0f, 0x1f, 0x84, 0x00 }

#ifndef __ASSEMBLER__
#define __MARK(displacement)						\
	asm volatile("jmp 1f\n1:\t.byte 0x0f, 0x1f, 0x84, 0x00\n\t"	\
		     ".long " #displacement "\n\tjmp 2f\n2:" ::: "memory")
#define MARK(displacement)	__MARK(displacement)
#endif

#endif /* MARKS_H */
