// SPDX-License-Identifier: GPL-2.0
/*
 * A host route in its table: its age, its MTU, its class, and its place in the pool of
 * its rank. Unproven routes are in an array, so that one can be evicted at random;
 * trusted routes are in the lru list. Both are in a list by age.
 */
#include "table.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "trace.h"

#include <linux/minmax.h>

/**
 * hostroute_table_expires - when a route expires
 * @table:	has the limits
 * @route:	a route of the table
 *
 * A pinned route does not expire, but the claim that lowered it does. The limit is read
 * anew each time, so a new limit acts on all routes at once.
 *
 * Context: RCU or table->lock.
 * Return: boot time, ns; 0: never.
 */
u64 hostroute_table_expires(const struct hostroute_table *table,
			    const struct hostroute *route)
{
	enum hostroute_rank rank = hostroute_rank_of(route);
	u32 life;

	if (rank == HOSTROUTE_RANK_PINNED && !hostroute_is_lowered(route))
		return 0;
	life = rank == HOSTROUTE_RANK_UNPROVEN ?
	       READ_ONCE(table->limits.expire_unproven) :
	       READ_ONCE(table->limits.expire);
	return life ? atomic64_read(&route->updated) + (u64)life * NSEC_PER_SEC : 0;
}

/**
 * hostroute_table_lapsed - has a route expired, or what lowered a pinned one?
 * @table:	has the limits
 * @route:	a route of the table
 * @now:	boot time, ns; does not wrap in 584 years of uptime
 *
 * Context: RCU or table->lock.
 * Return: true if so.
 */
bool hostroute_table_lapsed(const struct hostroute_table *table,
			    const struct hostroute *route, u64 now)
{
	u64 end = hostroute_table_expires(table, route);

	return end && now >= end;
}

/**
 * hostroute_table_expired - has a route expired?
 * @table:	has the limits
 * @route:	a route of the table
 * @now:	boot time, ns
 *
 * Context: RCU or table->lock.
 * Return: true if so; never for a pinned route.
 */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now)
{
	return hostroute_rank_of(route) != HOSTROUTE_RANK_PINNED &&
	       hostroute_table_lapsed(table, route, now);
}

/* Count what happened to a route, and fire the tracepoint. Context: table->lock. */
void hostroute_table_note(struct hostroute_table *table, const struct hostroute *route,
			  enum hostroute_outcome what)
{
	lockdep_assert_held(&table->lock);
	hostroute_stats_inc(table->stats, what);
	hostroute_trace_route(table->owner, route, what, false);
}

static void note_mtu(struct hostroute_table *table, const struct hostroute *route)
{
	bool unproven = hostroute_rank_of(route) == HOSTROUTE_RANK_UNPROVEN;
	u32 mtu = route->mtu;

	if (!unproven && mtu < table->smallest_mtu)
		WRITE_ONCE(table->smallest_mtu, mtu);
	/* The claim may have been lower, and was raised to this minimum. Then the route
	 * concerns datagrams of any size: src/ipv4/datagram.c clears their DF.
	 */
	if (unproven && mtu <= READ_ONCE(table->limits.min_mtu_unproven))
		mtu = HOSTROUTE_MTU_MIN;
	if (mtu < table->smallest_any)
		WRITE_ONCE(table->smallest_any, mtu);
}

/**
 * hostroute_table_set_mtu - change the MTU of a route and of its clones
 * @table:	the table
 * @route:	a route of the table
 * @mtu:	bytes; no change if it is the same
 *
 * Context: table->lock.
 */
void hostroute_table_set_mtu(struct hostroute_table *table, struct hostroute *route,
			     u32 mtu)
{
	lockdep_assert_held(&table->lock);
	if (mtu == route->mtu)
		return;
	WRITE_ONCE(route->previous_mtu, route->mtu);
	WRITE_ONCE(route->mtu, mtu);
	note_mtu(table, route);
	hostroute_clone_sync(route);
}

/**
 * hostroute_table_give_slot_back - take a route out of the array of unproven routes
 * @table:	the table
 * @route:	a route in the array
 *
 * The last entry of the array moves to its slot. This cannot fail: to store over an
 * entry takes no memory.
 *
 * Context: table->lock.
 */
void hostroute_table_give_slot_back(struct hostroute_table *table,
				    struct hostroute *route)
{
	struct hostroute *last;

	lockdep_assert_held(&table->lock);
	last = xa_load(&table->unproven, --table->slots);
	xa_store(&table->unproven, route->slot, last, 0);
	last->slot = route->slot;
	xa_erase(&table->unproven, table->slots);
}

/* Add @n routes to the count of @class. Only forwarded ones are counted by class. */
static void count_class(struct hostroute_table *table, enum hostroute_class class,
			int n)
{
	lockdep_assert_held(&table->lock);
	if (class == HOSTROUTE_CLASS_FORWARDED)
		WRITE_ONCE(table->forwarded, table->forwarded + n);
}

/**
 * hostroute_table_join - put a route in the pool of its rank
 * @table:	the table
 * @route:	in no pool; if its rank is unproven it has a slot already
 *
 * Context: table->lock.
 */
void hostroute_table_join(struct hostroute_table *table, struct hostroute *route)
{
	enum hostroute_rank rank = hostroute_rank_of(route);
	struct hostroute_pool *pool = &table->pool[rank];

	lockdep_assert_held(&table->lock);
	WRITE_ONCE(pool->count, pool->count + 1);
	count_class(table, route->class, 1);
	if (rank == HOSTROUTE_RANK_TRUSTED)
		list_add_tail(&route->lru, &table->lru);
	if (rank != HOSTROUTE_RANK_PINNED || hostroute_is_lowered(route))
		list_add_tail(&route->age, &pool->age);
	note_mtu(table, route);
}

/**
 * hostroute_table_leave - take a route out of the pool of its rank
 * @table:	the table
 * @route:	in its pool
 * @heir:	the route that takes its place, or NULL; if its rank is unproven, it has
 *		the slot of @route already
 *
 * Context: table->lock.
 */
void hostroute_table_leave(struct hostroute_table *table, struct hostroute *route,
			   const struct hostroute *heir)
{
	enum hostroute_rank rank = hostroute_rank_of(route);
	struct hostroute_pool *pool = &table->pool[rank];

	lockdep_assert_held(&table->lock);
	WRITE_ONCE(pool->count, pool->count - 1);
	count_class(table, route->class, -1);
	list_del_init(&route->lru);
	list_del_init(&route->age);
	if (rank == HOSTROUTE_RANK_UNPROVEN &&
	    !(heir && hostroute_rank_of(heir) == HOSTROUTE_RANK_UNPROVEN))
		hostroute_table_give_slot_back(table, route);
}

/* Context: table->lock. The class may only go up: a route that enters the unproven rank
 * needs a slot.
 */
void hostroute_table_change_class(struct hostroute_table *table,
				  struct hostroute *route,
				  enum hostroute_class class)
{
	/* Do not leave the pool and join it again: for an instant, no route might seem to
	 * apply, and an unproven route would lose its slot.
	 */
	if (hostroute_class_rank(class) == hostroute_rank_of(route)) {
		count_class(table, route->class, -1);
		WRITE_ONCE(route->class, class);
		count_class(table, class, 1);
		return;
	}
	hostroute_table_leave(table, route, NULL);
	WRITE_ONCE(route->class, class);
	hostroute_table_join(table, route);
}

/**
 * hostroute_table_make_pinned - turn a route into a pinned one
 * @table:	the table
 * @route:	a route of the table, of any class
 * @mtu:	bytes
 *
 * What was learned is dropped. The number of routes does not change.
 *
 * Context: table->lock.
 */
void hostroute_table_make_pinned(struct hostroute_table *table, struct hostroute *route,
				 u32 mtu)
{
	lockdep_assert_held(&table->lock);
	hostroute_table_leave(table, route, NULL);
	hostroute_table_set_mtu(table, route, mtu);
	WRITE_ONCE(route->pinned_mtu, mtu);
	WRITE_ONCE(route->class, HOSTROUTE_CLASS_PINNED);
	WRITE_ONCE(route->router, (struct hostroute_addr) {});
	WRITE_ONCE(route->ifindex, 0);
	hostroute_table_join(table, route);
	hostroute_table_note(table, route, HOSTROUTE_PINNED);
}

/* Give a pinned route that a message lowered the administrator's MTU back. Of another
 * route nothing changes. Context: table->lock.
 */
void hostroute_table_restore(struct hostroute_table *table, struct hostroute *route)
{
	if (!hostroute_is_lowered(route))
		return;
	list_del_init(&route->age);
	hostroute_table_set_mtu(table, route, route->pinned_mtu);
	WRITE_ONCE(route->router, (struct hostroute_addr) {});
	WRITE_ONCE(route->ifindex, 0);
	hostroute_table_note(table, route, HOSTROUTE_RESTORED);
}
