// SPDX-License-Identifier: GPL-2.0
/*
 * For how long are softirqs held off? A timer is due every few microseconds and
 * runs as a softirq; how late it is at worst is the answer, whoever is to blame: a
 * lock held with BH off, or another softirq.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/module.h>

static unsigned int period_us = 20;
module_param(period_us, uint, 0444);
MODULE_PARM_DESC(period_us, "between two looks, microseconds");

static ulong longest_ns;
module_param(longest_ns, ulong, 0644);
MODULE_PARM_DESC(longest_ns, "the worst so far; write 0 to begin anew");

static struct hrtimer timer;

static ktime_t period(void)
{
	return ns_to_ktime((u64)period_us * NSEC_PER_USEC);
}

static enum hrtimer_restart look(struct hrtimer *unused)
{
	s64 late = ktime_to_ns(ktime_sub(ktime_get(), hrtimer_get_expires(&timer)));

	if (late > 0 && late > READ_ONCE(longest_ns))
		WRITE_ONCE(longest_ns, late);
	hrtimer_forward_now(&timer, period());
	return HRTIMER_RESTART;
}

static int __init held_init(void)
{
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	timer.function = look;
	hrtimer_start(&timer, period(), HRTIMER_MODE_REL_PINNED_SOFT);
	return 0;
}

static void __exit held_exit(void)
{
	hrtimer_cancel(&timer);
}

module_init(held_init);
module_exit(held_exit);

MODULE_DESCRIPTION("How long softirqs are held off");
MODULE_LICENSE("GPL");
