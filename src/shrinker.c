// SPDX-License-Identifier: GPL-2.0
/*
 * When memory is short, host routes that can be learned again are given back, from all
 * namespaces. How many is decided here; which ones of a table, by src/evict.c. Pinned
 * routes stay.
 */
#include "shrinker.h"
#include "../pmtu_hostroute.h"
#include "bulk.h"
#include "compat.h"

#include <linux/math64.h>
#include <linux/rculist.h>

static LIST_HEAD(all_nets);
static DEFINE_SPINLOCK(all_nets_lock);
static struct shrinker *shrinker;

static unsigned long count_all(enum hostroute_rank rank)
{
	struct hostroute_net *hn;
	unsigned long n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(hn, &all_nets, shrinker)
		n += hostroute_table_count_rank(&hn->table, rank);
	rcu_read_unlock();
	return n;
}

static unsigned long shrink_count(struct shrinker *unused,
				  struct shrink_control *control)
{
	return (count_all(HOSTROUTE_RANK_UNPROVEN) +
		count_all(HOSTROUTE_RANK_TRUSTED)) ?: SHRINK_EMPTY;
}

/* Unproven routes of all namespaces go first, then trusted ones. Each namespace gives
 * in proportion to what it has, so that one with few routes does not pay for one with
 * many. Shares are rounded down; what is left over of one goes on to the next
 * namespace, and to the next call.
 */
static unsigned long shrink_scan(struct shrinker *unused,
				 struct shrink_control *control)
{
	enum hostroute_rank rank = HOSTROUTE_RANK_UNPROVEN;
	unsigned long total = count_all(rank), freed = 0;
	static atomic64_t rest;
	struct hostroute_net *hn;
	u64 owed, share;
	u32 count;

	if (!total) {
		rank = HOSTROUTE_RANK_TRUSTED;
		total = count_all(rank);
	}
	if (!total)
		return SHRINK_STOP;
	owed = min_t(u64, atomic64_read(&rest), total - 1);
	rcu_read_lock();
	list_for_each_entry_rcu(hn, &all_nets, shrinker) {
		count = hostroute_table_count_rank(&hn->table, rank);
		owed += (u64)control->nr_to_scan * count;
		share = div64_ul(owed, total);
		owed -= share * total;
		share = min_t(u64, share, count);
		if (!share)
			continue;
		freed += hostroute_bulk_shrink(&hn->table, share);
		hostroute_net_changed(hn);
	}
	rcu_read_unlock();
	atomic64_set(&rest, owed);
	return freed;
}

/**
 * hostroute_shrinker_add - let the shrinker take routes of a namespace
 * @hn: the namespace, complete
 *
 * Context: process.
 */
void hostroute_shrinker_add(struct hostroute_net *hn)
{
	spin_lock(&all_nets_lock);
	list_add_tail_rcu(&hn->shrinker, &all_nets);
	spin_unlock(&all_nets_lock);
}

/**
 * hostroute_shrinker_remove - take a namespace from the shrinker
 * @hn: the namespace, which the shrinker may use until the next grace period is over
 *
 * Context: process.
 */
void hostroute_shrinker_remove(struct hostroute_net *hn)
{
	spin_lock(&all_nets_lock);
	list_del_rcu(&hn->shrinker);
	spin_unlock(&all_nets_lock);
}

/**
 * hostroute_shrinker_init - register the shrinker, for all namespaces
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hostroute_shrinker_init(void)
{
	shrinker = hostroute_compat_shrinker(HOSTROUTE_NAME, shrink_count, shrink_scan);
	return shrinker ? 0 : -ENOMEM;
}

/**
 * hostroute_shrinker_exit - unregister the shrinker, which does not run any more then
 *
 * Context: process, may sleep.
 */
void hostroute_shrinker_exit(void)
{
	hostroute_compat_shrinker_free(shrinker);
}
