// SPDX-License-Identifier: GPL-2.0
/*
 * Can the lab build a module, load it and tell what failed in it?
 */
#include <kunit/test.h>
#include <linux/module.h>

static bool fail;
module_param(fail, bool, 0444);
MODULE_PARM_DESC(fail, "let a case fail");

static void test_passes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 1);
}

static void test_fails_if_told(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, fail);
}

static struct kunit_case lab_selftest_cases[] = {
	KUNIT_CASE(test_passes),
	KUNIT_CASE(test_fails_if_told),
	{}
};

static struct kunit_suite lab_selftest_suite = {
	.name = "lab_selftest",
	.test_cases = lab_selftest_cases,
};

kunit_test_suite(lab_selftest_suite);

MODULE_DESCRIPTION("Test of the lab itself");
MODULE_LICENSE("GPL");
