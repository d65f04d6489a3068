// SPDX-License-Identifier: GPL-2.0
/* Work on many host routes at once, one batch in each hold of table->lock. */
#include "bulk.h"
#include "clone.h"
#include "evict.h"
#include "index.h"

#include <linux/delay.h>
#include <linux/sched.h>

/* Routes handled in one hold of table->lock, which is how long the hooks may wait. */
#define BATCH			64

/* When so many routes have left, wait for a grace period and free them. */
#define CROWD			4096
/* So few are freed by one RCU callback each, without a wait. */
#define FEW			1024

/**
 * struct leaving - many routes that leave the table
 * @now:	routes that are out of the table and have no references; RCU readers may
 *		still look at them
 * @before:	such routes that wait for the grace period @grace
 * @count:	number of routes in @now
 * @total:	number of routes that have left so far
 * @rested:	value of @total when other tasks last got the CPU; not 0: more than one
 *		batch leaves
 * @grace:	cookie of start_poll_synchronize_rcu()
 *
 * One RCU callback for each route would be more than softirqs do at once, and ksoftirqd
 * would have to do the rest. Then all other softirqs would wait, too, until the process
 * that takes the routes out gives up the CPU, which may take until the scheduler's next
 * tick. For the same reason the hash shrinks once, after all have left: at each halving
 * it clears and frees megabytes at a time.
 */
struct leaving {
	struct list_head	now;
	struct list_head	before;
	unsigned int		count;
	unsigned int		total;
	unsigned int		rested;
	unsigned long		grace;
};

static void begin_leaving(struct leaving *leaving)
{
	INIT_LIST_HEAD(&leaving->now);
	INIT_LIST_HEAD(&leaving->before);
	leaving->count = 0;
	leaving->total = 0;
	leaving->rested = 0;
}

static void unlink_many(struct hostroute_table *table, struct hostroute *route,
			enum hostroute_outcome why, struct leaving *leaving)
{
	hostroute_index_take_out(table, route, why);
	leaving->total++;
	if (!refcount_dec_and_test(&route->ref))
		return;
	list_add(&route->lru, &leaving->now);
	leaving->count++;
}

/* Free the routes that wait, after their grace period. */
static void free_those_before(struct leaving *leaving)
{
	struct hostroute *route, *next;
	unsigned int n = 0;

	if (list_empty(&leaving->before))
		return;
	cond_synchronize_rcu(leaving->grace);
	list_for_each_entry_safe(route, next, &leaving->before, lru) {
		hostroute_free(route);
		if (++n % (4 * BATCH) == 0)
			usleep_range(20, 100);
	}
	INIT_LIST_HEAD(&leaving->before);
}

/* Let the routes that have left wait for the next grace period. */
static void wait_for_next(struct leaving *leaving)
{
	free_those_before(leaving);
	list_splice_init(&leaving->now, &leaving->before);
	leaving->count = 0;
	leaving->grace = start_poll_synchronize_rcu();
}

/* Between two batches, give the CPU to the tasks that wait for it, such as ksoftirqd. */
static void let_others_run(struct hostroute_table *table, struct leaving *leaving)
{
	cond_resched();
	if (leaving->total == leaving->rested)
		return;
	if (!leaving->rested)
		hostroute_index_hold_size(table);
	leaving->rested = leaving->total;
	if (leaving->count >= CROWD)
		wait_for_next(leaving);
	usleep_range(20, 100);
}

/* All have left: free what is not yet freed. */
static void end_leaving(struct hostroute_table *table, struct leaving *leaving)
{
	struct hostroute *route, *next;

	if (leaving->rested) {
		hostroute_index_resize(table);
	}
	free_those_before(leaving);
	if (leaving->total > FEW)
		wait_for_next(leaving);
	list_for_each_entry_safe(route, next, &leaving->now, lru)
		hostroute_free_rcu(route);
	free_those_before(leaving);
}

/**
 * hostroute_bulk_trim - set the limits, and evict what exceeds them
 * @table:	the table
 * @routes:	new max_routes; not less than the number of pinned routes
 * @unproven:	new max_unproven
 *
 * Routes leave in batches, and the limits in force come down with the counts. So a count
 * is never above its limit, routes that are learned meanwhile do not undo the work, and
 * the hooks wait for one batch at most.
 *
 * Context: process, may sleep; table->admin.
 */
void hostroute_bulk_trim(struct hostroute_table *table, u32 routes, u32 unproven)
{
	struct hostroute_pool *pool = &table->pool[HOSTROUTE_RANK_UNPROVEN];
	struct hostroute_limits *limits = &table->limits;
	struct hostroute *route;
	struct leaving leaving;
	int i;

	lockdep_assert_held(&table->admin);
	begin_leaving(&leaving);
	for (;;) {
		int chances = HOSTROUTE_SECOND_CHANCES;

		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++) {
			if (pool->count <= unproven && table->count <= routes)
				break;
			route = hostroute_evict_for_limit(table, &chances);
			unlink_many(table, route, HOSTROUTE_EVICTED, &leaving);
		}
		WRITE_ONCE(limits->max_routes, max(routes, table->count));
		WRITE_ONCE(limits->max_unproven, max(unproven, pool->count));
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
}

typedef void (*visitor)(struct hostroute_table *table, struct hostroute *route,
			int arg, struct leaving *leaving);

/* Visit each route that is linked when this is called, once. Routes that are linked
 * meanwhile are left out. It ends however fast messages arrive, because the lowest free
 * id is used first.
 */
static void for_each(struct hostroute_table *table, visitor visit, int arg)
{
	u64 last = hostroute_index_serial(table);
	struct hostroute *route;
	unsigned long id = 0;
	struct leaving leaving;
	int i;

	begin_leaving(&leaving);
	for (;;) {
		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++, id++) {
			route = hostroute_index_next(table, &id);
			if (!route)
				break;
			if (route->serial <= last)
				visit(table, route, arg, &leaving);
		}
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
}

static void flush_one(struct hostroute_table *table, struct hostroute *route,
		      int pinned_too, struct leaving *leaving)
{
	if (hostroute_rank_of(route) == HOSTROUTE_RANK_PINNED && !pinned_too)
		hostroute_table_restore(table, route);
	else
		unlink_many(table, route, HOSTROUTE_FLUSHED, leaving);
}

/**
 * hostroute_bulk_flush - take out all routes that are linked when this is called
 * @table:	the table
 * @pinned_too:	pinned ones as well; if not, these get the administrator's MTU back
 *
 * Context: process, may sleep.
 */
void hostroute_bulk_flush(struct hostroute_table *table, bool pinned_too)
{
	for_each(table, flush_one, pinned_too);
}

static void forget_one(struct hostroute_table *table, struct hostroute *route,
		       int l3mdev, struct leaving *leaving)
{
	/* RTNL may be held, and tasks that wait for it should not wait for grace periods
	 * as well. So each route is freed by a callback of its own.
	 */
	if (route->key.l3mdev == l3mdev)
		hostroute_index_unlink(table, route, HOSTROUTE_FLUSHED);
}

/**
 * hostroute_bulk_forget_vrf - take out the routes of a VRF
 * @table:	the table
 * @l3mdev:	ifindex of the VRF master, which is gone; it may be used again
 *
 * Context: process, may sleep; RTNL may be held.
 */
void hostroute_bulk_forget_vrf(struct hostroute_table *table, int l3mdev)
{
	if (READ_ONCE(table->in_vrfs))
		for_each(table, forget_one, l3mdev);
}

/* A route that has expired, or what lowered it. If there is none, NULL, and @next is when
 * the next one does, boot time in ns; 0: never.
 */
static struct hostroute *due(struct hostroute_table *table, u64 now, u64 *next)
{
	struct hostroute *route;
	u64 end;
	int i;

	lockdep_assert_held(&table->lock);
	*next = 0;
	for (i = 0; i < HOSTROUTE_RANK_COUNT; i++) {
		route = list_first_entry_or_null(&table->pool[i].age,
						 struct hostroute, age);
		if (!route)
			continue;
		if (hostroute_table_lapsed(table, route, now))
			return route;
		end = hostroute_table_expires(table, route);
		if (end && (!*next || end < *next))
			*next = end;
	}
	return NULL;
}

/**
 * hostroute_bulk_sweep - take out what has expired
 * @table:	the table
 * @now:	boot time, ns
 *
 * Context: process, may sleep.
 * Return: boot time in ns when the next route expires, 0 if none ever does.
 */
u64 hostroute_bulk_sweep(struct hostroute_table *table, u64 now)
{
	struct hostroute *route;
	struct leaving leaving;
	u64 next;
	int i;

	begin_leaving(&leaving);
	for (;;) {
		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++) {
			route = due(table, now, &next);
			if (!route)
				break;
			if (hostroute_rank_of(route) == HOSTROUTE_RANK_PINNED)
				hostroute_table_restore(table, route);
			else
				unlink_many(table, route, HOSTROUTE_EXPIRED, &leaving);
		}
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
	return next;
}

/**
 * hostroute_bulk_shrink - evict routes because memory is short
 * @table:	the table
 * @n:		maximum number of routes; pinned ones stay
 *
 * Context: any but hardirq; takes table->lock.
 * Return: number of routes evicted.
 */
unsigned long hostroute_bulk_shrink(struct hostroute_table *table, unsigned long n)
{
	struct hostroute *route = NULL;
	unsigned long done = 0;
	int i;

	do {
		int chances = HOSTROUTE_SECOND_CHANCES;

		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH && done < n; i++, done++) {
			route = hostroute_evict_for_memory(table, &chances);
			if (!route)
				break;
			hostroute_index_unlink(table, route, HOSTROUTE_RECLAIMED);
		}
		spin_unlock_bh(&table->lock);
	} while (route && done < n);
	return done;
}

/**
 * hostroute_bulk_drop_clones - drop the clones of all host routes
 * @table: the table; its routes stay
 *
 * Sockets look their route up again.
 *
 * Context: process, may sleep.
 */
void hostroute_bulk_drop_clones(struct hostroute_table *table)
{
	struct hostroute *route;
	unsigned long id = 0;

	for (;; id++) {
		rcu_read_lock();
		route = hostroute_index_next(table, &id);
		if (route && !hlist_empty(&route->clones)) {
			spin_lock_bh(&table->lock);
			hostroute_clone_drop(route, &table->lock);
			spin_unlock_bh(&table->lock);
		}
		rcu_read_unlock();
		if (!route)
			return;
		cond_resched();
	}
}
