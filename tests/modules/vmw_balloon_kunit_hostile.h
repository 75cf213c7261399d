/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMware balloon driver and a host that means no good: whatever it says, the guest's memory
 * stays as it is, and the driver goes on.
 *
 * The host does not say that it has a page, or has it not, where that is a lie: what the guest
 * gives away is gone then, and nobody could tell.
 */
#ifndef VMW_BALLOON_KUNIT_HOSTILE_H
#define VMW_BALLOON_KUNIT_HOSTILE_H

#include <linux/prandom.h>

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Of the nonsense");

#define NR_ROUNDS	20
#define NR_NONSENSE	60

/* The host asks for less from here on: all that there is would be the guest's end. */
#define MOST_HELD	40000

static struct rnd_state rnd;

/* The host behaves from now on: the driver has what it should have. */
static void expect_sane(struct kunit *test)
{
	host.lie = NULL;
	host.scribble = NULL;
	host.refuse = NULL;
	host.capabilities = BATCHED_2M;
	host.target = 0;
	host_reset();
	work();
	work();
	expect(test, 0);
	resize(3000);
	expect(test, 3072);
	resize(0);
	expect_gone(test);
}

static unsigned long odd_capabilities;

static bool lie_about_capabilities(unsigned long cmd, struct host_registers *registers)
{
	if (cmd != VMW_BALLOON_CMD_START || !registers->bx)
		return false;
	host_start(registers->bx, &registers->cx);
	host.granted = odd_capabilities;
	registers->ax = VMW_BALLOON_SUCCESS_WITH_CAPABILITIES;
	registers->cx = odd_capabilities;
	return true;
}

/* Let the driver work, as work() does, but for no longer than that should take. */
static bool work_ends(void)
{
	mod_delayed_work(system_freezable_wq, &balloon.dwork, 0);
	for (int i = 0; i < 500; i++) {
		msleep(20);
		if (!(work_busy(&balloon.dwork.work) & WORK_BUSY_RUNNING))
			return true;
	}
	return false;
}

static void start_with_capabilities(struct kunit *test, unsigned long capabilities)
{
	odd_capabilities = capabilities;
	host.lie = lie_about_capabilities;
	host.target = 2000;
	host_reset();
	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE_MSG(test, work_ends(), "the driver does not come to an end");
	KUNIT_EXPECT_STREQ(test, host.complaint ?: "", "");
	host.target = 0;
}

/* There is nothing that the driver may do, and it tries again to agree on something. */
static void test_no_capabilities(struct kunit *test)
{
	load(test, LEGACY);
	balloon.batch_max_pages = 0;	/* as before it has agreed on anything */
	start_with_capabilities(test, 0);
	start_with_capabilities(test, VMW_BALLOON_SIGNALLED_WAKEUP_CMD);
	start_with_capabilities(test, VMW_BALLOON_BATCHED_2M_CMDS);
	expect_sane(test);
}

static void test_any_capabilities(struct kunit *test)
{
	load(test, BATCHED_4K);
	for (unsigned long caps = 0; caps < 2 * VMW_BALLOON_64_BIT_TARGET; caps++)
		start_with_capabilities(test, caps | (caps & 1 ? GENMASK(62, 7) : 0));
	expect_sane(test);
}

static void scribble(struct vmballoon_batch_entry *batch, unsigned long nr_entries)
{
	for (int i = 0; i < 20; i++) {
		const u32 entry = prandom_u32_state(&rnd) % nr_entries;

		batch[entry].pfn = prandom_u32_state(&rnd) % 2 ?
				   prandom_u32_state(&rnd) % host.max_pfn :
				   batch[prandom_u32_state(&rnd) % nr_entries].pfn;
		batch[entry].reserved = prandom_u32_state(&rnd);
	}
}

static bool refuse_some(unsigned long cmd, unsigned long pfn)
{
	host.refusal = prandom_u32_state(&rnd) % 31 + 1;
	return prandom_u32_state(&rnd) % 50 == 0;
}

/* It is the guest that says which pages it gives, and what it says is the host's to overwrite. */
static void test_other_pages_in_the_batch(struct kunit *test)
{
	load(test, BATCHED_4K);
	prandom_seed_state(&rnd, seed);
	host.scribble = scribble;
	host.refuse = refuse_some;
	for (int i = 0; i < 20; i++) {
		resize(i % 2 ? 0 : 4000);
		expect(test, atomic64_read(&balloon.size));
	}
	expect_sane(test);
}

static void test_any_target(struct kunit *test)
{
	const unsigned long targets[] = { ULONG_MAX, LONG_MAX + 1UL, ULONG_MAX - 1, BIT(63) + 100 };

	load(test, BATCHED_2M | VMW_BALLOON_64_BIT_TARGET);
	for (int i = 0; i < ARRAY_SIZE(targets); i++) {
		resize(3000);
		resize(targets[i]);
		/* To the driver it is negative, and may be within its slack. */
		KUNIT_EXPECT_LE(test, atomic64_read(&balloon.size), 3072);
		expect(test, atomic64_read(&balloon.size));
	}
	expect_sane(test);
}

static unsigned long odd_target(void)
{
	const unsigned long target = prandom_u32_state(&rnd);

	if (host.nr_held > MOST_HELD)
		return target % 1000;
	return target % 8 ? target % MOST_HELD : ULONG_MAX - target;
}

/* Any status but one of those that say that it was done. */
static bool lie_at_random(unsigned long cmd, struct host_registers *registers)
{
	const u32 kind = prandom_u32_state(&rnd) % 64;

	host.target = odd_target();
	if (cmd == VMW_BALLOON_CMD_START)
		host.capabilities = prandom_u32_state(&rnd) & VMW_BALLOON_CAPABILITIES;
	switch (kind) {
	case 0:
		registers->ax = prandom_u32_state(&rnd) % 20 + 1;
		break;
	case 1:
		registers->ax = prandom_u32_state(&rnd) | BIT(31);
		break;
	case 2:
		if (cmd == VMW_BALLOON_CMD_START)
			return false;
		registers->ax = VMW_BALLOON_SUCCESS_WITH_CAPABILITIES;
		break;
	case 3:
		host_reset();
		return false;
	default:
		if (prandom_u32_state(&rnd) % 2)
			return false;
		odd_capabilities = (u64)prandom_u32_state(&rnd) << 32 | prandom_u32_state(&rnd);
		return lie_about_capabilities(cmd, registers);
	}
	registers->cx = prandom_u32_state(&rnd);
	registers->bx = prandom_u32_state(&rnd) % MOST_HELD;
	return true;
}

static const void *next_round(struct kunit *test, const void *prev, char *desc)
{
	const unsigned long round = (unsigned long)prev + 1;

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "seed %lu", seed + round);
	return round <= NR_ROUNDS ? (void *)round : NULL;
}

static void test_nonsense(struct kunit *test)
{
	unsigned long most = 0;

	prandom_seed_state(&rnd, seed + (unsigned long)test->param_value);
	load(test, BATCHED_2M);
	host.lie = lie_at_random;
	host.scribble = scribble;
	host.refuse = refuse_some;
	for (int i = 0; i < NR_NONSENSE && test->status == KUNIT_SUCCESS; i++) {
		if (prandom_u32_state(&rnd) % 16 == 0)
			host_reset();
		work();
		KUNIT_EXPECT_STREQ(test, host.complaint ?: "", "");
		most = max(most, host.nr_held);
	}
	pr_info("seed %lu, round %lu: at most %lu pages held\n", seed,
		(unsigned long)test->param_value, most);
	expect_sane(test);
}

static struct kunit_case vmw_balloon_hostile_cases[] = {
	KUNIT_CASE(test_no_capabilities),
	KUNIT_CASE(test_any_capabilities),
	KUNIT_CASE(test_other_pages_in_the_batch),
	KUNIT_CASE(test_any_target),
	KUNIT_CASE_PARAM(test_nonsense, next_round),
	{}
};

static struct kunit_suite vmw_balloon_hostile_suite = {
	.name = "vmw_balloon_hostile",
	.attr = { .speed = KUNIT_SPEED_SLOW },
	.init = vmw_balloon_init,
	.exit = vmw_balloon_exit,
	.test_cases = vmw_balloon_hostile_cases,
};

#endif /* VMW_BALLOON_KUNIT_HOSTILE_H */
