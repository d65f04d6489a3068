/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Linking, look-up and unlinking of host routes. learn.c and admin.c decide what comes
 * into the table, evict.c and bulk.c decide what leaves it.
 */
#ifndef HOSTROUTE_INDEX_H
#define HOSTROUTE_INDEX_H

#include "table.h"

#include <linux/lockdep.h>
#include <linux/minmax.h>

void hostroute_index_module_init(void);
int hostroute_index_init(struct hostroute_table *table,
			 struct hostroute_stats __percpu *stats,
			 const struct hostroute_limits *limits);
void hostroute_index_exit(struct hostroute_table *table);

/* Read functions. Context: RCU */
struct hostroute *hostroute_index_find(struct hostroute_table *table,
				       const struct hostroute_key *key);
struct hostroute *hostroute_index_next(struct hostroute_table *table,
				       unsigned long *id);
u64 hostroute_index_serial(struct hostroute_table *table);

/* Sizes. They take table->lock */
void hostroute_index_hold_size(struct hostroute_table *table);
void hostroute_index_resize(struct hostroute_table *table);

/* Write functions. Context: table->lock */
struct hostroute *hostroute_index_enter(struct hostroute_table *table,
					const struct hostroute *model,
					struct hostroute *old, enum hostroute_outcome why);
struct hostroute *hostroute_index_expire(struct hostroute_table *table,
					 struct hostroute *route);
void hostroute_index_take_out(struct hostroute_table *table, struct hostroute *route,
			      enum hostroute_outcome why);
void hostroute_index_unlink(struct hostroute_table *table, struct hostroute *route,
			    enum hostroute_outcome why);

/**
 * hostroute_index_find_alive - look a destination up, and act on its age first
 * @table:	the table
 * @key:	destination and VRF
 * @now:	boot time, ns
 * @known:	saves the look-up if it is this destination's route; may be dead or NULL
 *
 * An expired route is taken out. A pinned route gets the administrator's MTU back if what
 * lowered it has expired. CPUs may get the lock in another order than that in which they
 * read the clock. So the time of the table never goes back, and the lists by age stay in
 * order.
 *
 * Context: table->lock; RCU if @known is not NULL.
 * Return: the route, not expired; NULL if there is none.
 */
static inline struct hostroute *
hostroute_index_find_alive(struct hostroute_table *table,
			   const struct hostroute_key *key, u64 now,
			   struct hostroute *known)
{
	struct hostroute *route = known;

	lockdep_assert_held(&table->lock);
	if (!known || hostroute_is_dead(known) || !hostroute_key_equal(&known->key, key))
		route = hostroute_index_find(table, key);
	table->now = max(table->now, now);
	if (!route || !hostroute_table_lapsed(table, route, table->now))
		return route;
	return hostroute_index_expire(table, route);
}

#endif
