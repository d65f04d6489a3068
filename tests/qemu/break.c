// SPDX-License-Identifier: GPL-2.0
/* Does what the harness must notice: make check-harness. */
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0400);

static int __init break_init(void)
{
	if (!strcmp(what, "warn"))
		WARN(1, "for the harness to notice\n");
	if (!strcmp(what, "leak")) {
		int i;

		for (i = 0; i < 10; i++)
			if (!kmalloc(100, GFP_KERNEL))
				return -ENOMEM;
	}
	return 0;
}

static void __exit break_exit(void)
{
}

module_init(break_init);
module_exit(break_exit);

MODULE_DESCRIPTION("Breaks things for make check-harness");
MODULE_LICENSE("GPL");
