// SPDX-License-Identifier: GPL-2.0
/* Does what the harness must notice: make check-harness. */
#include <kunit/test.h>
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0400);
MODULE_PARM_DESC(what, "warn, leak or nothing; the suite fails in any case");

static void fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 2);
}

static void passes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fails),
	KUNIT_CASE(passes),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_break",
	.test_cases = cases,
};

kunit_test_suite(suite);

static int __init break_init(void)
{
	int i;

	if (!strcmp(what, "warn"))
		WARN(1, "for the harness to notice\n");
	/* Several: a stale pointer on a stack may hide one. */
	for (i = 0; i < 10 && !strcmp(what, "leak"); i++)
		if (!kmalloc(100, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static void __exit break_exit(void)
{
}

module_init(break_init);
module_exit(break_exit);

MODULE_DESCRIPTION("Breaks things for make check-harness");
MODULE_LICENSE("GPL");
