/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the plugin is tested with, by itself, without a kernel: a multiboot image
 * that runs a loop between the marks, TIMES times, with interrupts off, and ends
 * QEMU by its device isa-debug-exit. tests/test_bench.py knows what a round of
 * the loop is.
 */
#include "marks.h"

	.set	MULTIBOOT, 0x1badb002
	.text
	.globl	_start
	.align	4
	.long	MULTIBOOT, 0, -MULTIBOOT
_start:
	mov	$TIMES, %ecx
	jmp	1f
1:	.byte	0x0f, 0x1f, 0x84, 0x00
	.long	MARK_BEGIN
	jmp	2f
2:	cli
	jmp	2f
2:	mov	word, %eax		/* a load */
	mov	%eax, word + 4		/* and a store */
	mov	%eax, word + 8		/* and another */
	push	%eax			/* and another */
	pop	%eax			/* and a load */
	dec	%ecx
	jnz	2b
	jmp	3f
3:	sti				/* until the next instruction only */
	cli
	jmp	3f
3:	.byte	0x0f, 0x1f, 0x84, 0x00
	.long	MARK_END
	jmp	4f
4:	mov	$0xf4, %edx
	out	%al, %dx
5:	hlt
	jmp	5b

	.data
word:	.long	0, 0, 0
