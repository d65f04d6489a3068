// SPDX-License-Identifier: GPL-2.0
/*
 * A host route in its table: its age, its MTU, its class, and its place among those of
 * its rank. The unproven are in an array (one is evicted at random), the trusted in the
 * lru list, both in a list by age.
 */
#include "table.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "trace.h"

#include <linux/minmax.h>

/**
 * hostroute_table_expires - when a route, or what lowered it, ends by age
 * @table:	whose limits apply
 * @route:	under RCU or the table's lock
 *
 * The limit is read anew each time: a changed one acts on every route at once.
 * Return: boot time in ns, 0: never.
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

/* 64 bits of nanoseconds do not wrap in 584 years of uptime. */
bool hostroute_table_lapsed(const struct hostroute_table *table,
			    const struct hostroute *route, u64 now)
{
	u64 end = hostroute_table_expires(table, route);

	return end && now >= end;
}

/**
 * hostroute_table_expired - has a route outlived its last accepted message?
 * @table:	whose limits apply
 * @route:	to judge; under RCU or the table's lock
 * @now:	boot time, ns
 *
 * Return: false for a pinned one, always.
 */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now)
{
	return hostroute_rank_of(route) != HOSTROUTE_RANK_PINNED &&
	       hostroute_table_lapsed(table, route, now);
}

/* It happened to this one: counted, and shown to those who watch. */
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
	/* Who claimed this may have claimed less. */
	if (unproven && mtu <= READ_ONCE(table->limits.min_mtu_unproven))
		mtu = HOSTROUTE_MTU_MIN;
	if (mtu < table->smallest_any)
		WRITE_ONCE(table->smallest_any, mtu);
}

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

/* The last of the array moves into the hole: storing where there is something
 * takes no memory, so this cannot fail.
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

/* One of this class more, or less. */
static void count_class(struct hostroute_table *table, enum hostroute_class class,
			int n)
{
	lockdep_assert_held(&table->lock);
	if (class == HOSTROUTE_CLASS_FORWARDED)
		WRITE_ONCE(table->forwarded, table->forwarded + n);
}

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

/* @heir: has its slot already, or NULL. */
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

void hostroute_table_change_class(struct hostroute_table *table,
				  struct hostroute *route,
				  enum hostroute_class class)
{
	/* Not out and in again: for an instant nothing would seem to apply. */
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

/* The count does not move. What was learned is of no account any more. */
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

/* A pinned route that was lowered is the administrator's value again. */
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
