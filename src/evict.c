// SPDX-License-Identifier: GPL-2.0
/* Eviction: which host route has to leave for another, a lower limit, or memory. */
#include "evict.h"

#include <linux/kernel.h>
#include <linux/random.h>

/* A linked route at random: an attacker must not be able to tell which one leaves. */
static struct hostroute *pick_unproven(struct hostroute_table *table)
{
	u32 n = table->pool[HOSTROUTE_RANK_UNPROVEN].count;

	lockdep_assert_held(&table->lock);
	return n ? xa_load(&table->unproven, reciprocal_scale(get_random_u32(), n)) :
		   NULL;
}

/* The least recently used route. A used one gets a second chance as long as @chances are
 * left.
 */
static struct hostroute *pick_trusted(struct hostroute_table *table, int *chances)
{
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	for (; *chances; --*chances) {
		route = list_first_entry_or_null(&table->lru, struct hostroute,
						 lru);
		if (!route || !READ_ONCE(route->used))
			return route;
		WRITE_ONCE(route->used, false);
		list_move_tail(&route->lru, &table->lru);
	}
	return list_first_entry_or_null(&table->lru, struct hostroute, lru);
}

/* The next to expire, for when the administrator lowers a limit and many routes leave.
 * (If they left at random, each would leave a hole somewhere in the ids, and the nodes of
 * the ids would be freed all at the end.)
 */
static struct hostroute *pick_oldest_unproven(struct hostroute_table *table)
{
	lockdep_assert_held(&table->lock);
	return list_first_entry_or_null(&table->pool[HOSTROUTE_RANK_UNPROVEN].age,
					struct hostroute, age);
}

/*
 * The table is not full. If less than a share of it (as large as that of the unproven
 * routes) is free, chance decides whether a new unproven route takes some of that: the
 * less is free, the less likely. Otherwise an attacker who nearly filled the table could
 * see from the attacker's own entries whether a learned route was added, and so whether a
 * guessed sequence number was right.
 */
static bool room_for_unproven(const struct hostroute_table *table)
{
	u32 share = hostroute_table_share(table->limits.max_routes);
	u32 room = table->limits.max_routes - table->count;

	lockdep_assert_held(&table->lock);
	if (table->pool[HOSTROUTE_RANK_UNPROVEN].count == table->count)
		return true;
	return room >= share || reciprocal_scale(get_random_u32(), share) < room;
}

/* A new unproven route can evict only another of its rank. */
static enum hostroute_victim victim_of_unproven(const struct hostroute_table *table)
{
	const struct hostroute_limits *limits = &table->limits;
	u32 unproven = table->pool[HOSTROUTE_RANK_UNPROVEN].count;

	if (unproven < limits->max_unproven && table->count < limits->max_routes &&
	    room_for_unproven(table))
		return HOSTROUTE_VICTIM_NONE;
	return limits->max_unproven && unproven &&
	       READ_ONCE(limits->at_limit) == HOSTROUTE_AT_LIMIT_EVICT ?
	       HOSTROUTE_VICTIM_UNPROVEN : HOSTROUTE_VICTIM_ITSELF;
}

/**
 * hostroute_evict_for - may a new route come in, and which has to leave for it?
 * @table:	the table
 * @rank:	rank of the new route
 *
 * at_limit says whether a message may evict a route of its own rank. If it may, a trusted
 * route evicts a trusted one, and not an unproven one. Unproven routes have a limit of
 * their own, and anybody can make them and see whether they are there: this must not
 * reveal what was learned. But if a trusted route would be refused otherwise, it evicts
 * an unproven one: what nobody can prove must not keep out what somebody can. A pinned
 * route always comes in as long as there is a route to evict that is not pinned, the
 * weakest first.
 *
 * Context: table->lock.
 * Return: the rank to evict from, HOSTROUTE_VICTIM_NONE or HOSTROUTE_VICTIM_ITSELF.
 */
enum hostroute_victim hostroute_evict_for(const struct hostroute_table *table,
					  enum hostroute_rank rank)
{
	const struct hostroute_limits *limits = &table->limits;
	bool evict = READ_ONCE(limits->at_limit) == HOSTROUTE_AT_LIMIT_EVICT;
	u32 learned = table->pool[HOSTROUTE_RANK_TRUSTED].count;

	lockdep_assert_held(&table->lock);
	if (!limits->max_routes)
		return HOSTROUTE_VICTIM_ITSELF;
	if (rank == HOSTROUTE_RANK_UNPROVEN)
		return victim_of_unproven(table);
	if (table->count < limits->max_routes)
		return HOSTROUTE_VICTIM_NONE;
	if (rank == HOSTROUTE_RANK_TRUSTED && learned && evict)
		return HOSTROUTE_VICTIM_TRUSTED;
	if (table->pool[HOSTROUTE_RANK_UNPROVEN].count)
		return HOSTROUTE_VICTIM_UNPROVEN;
	return rank == HOSTROUTE_RANK_PINNED && learned ? HOSTROUTE_VICTIM_TRUSTED :
							  HOSTROUTE_VICTIM_ITSELF;
}

/**
 * hostroute_evict_limit_bites - does max_routes stand in the way of a new route?
 * @victim:	what hostroute_evict_for() returned
 * @rank:	rank of the new route
 *
 * Context: any.
 * Return: true if so; never for the unproven rank, for anybody can send such claims.
 */
bool hostroute_evict_limit_bites(enum hostroute_victim victim,
				 enum hostroute_rank rank)
{
	return rank != HOSTROUTE_RANK_UNPROVEN &&
	       (victim == HOSTROUTE_VICTIM_TRUSTED || victim == HOSTROUTE_VICTIM_ITSELF);
}

/* The route to evict, or NULL if none has to leave. */
static struct hostroute *pick_one(struct hostroute_table *table, enum hostroute_victim victim)
{
	int chances = HOSTROUTE_SECOND_CHANCES;

	switch (victim) {
	case HOSTROUTE_VICTIM_UNPROVEN:
		return pick_unproven(table);
	case HOSTROUTE_VICTIM_TRUSTED:
		return pick_trusted(table, &chances);
	default:
		return NULL;
	}
}

/**
 * hostroute_evict_enter - add a new route, in the place of another if necessary
 * @table:	the table
 * @model:	copied to the route
 * @victim:	what hostroute_evict_for() returned; not HOSTROUTE_VICTIM_ITSELF
 *
 * No route is evicted before all steps that can fail are done.
 *
 * Context: table->lock.
 * Return: the route, or NULL if memory is short.
 */
struct hostroute *hostroute_evict_enter(struct hostroute_table *table,
					const struct hostroute *model,
					enum hostroute_victim victim)
{
	struct hostroute *old = pick_one(table, victim);
	struct hostroute *route = hostroute_index_create(table, model, old);

	lockdep_assert_held(&table->lock);
	if (route)
		hostroute_index_link(table, route, old, HOSTROUTE_EVICTED);
	return route;
}

/**
 * hostroute_evict_for_limit - the next route to leave because a limit was lowered
 * @table:	the table
 * @chances:	how many used routes may still be passed over; counted down
 *
 * Context: table->lock.
 * Return: the route, still linked; NULL if only pinned ones are left.
 */
struct hostroute *hostroute_evict_for_limit(struct hostroute_table *table,
					    int *chances)
{
	return pick_oldest_unproven(table) ?: pick_trusted(table, chances);
}

/**
 * hostroute_evict_for_memory - the next route to leave because memory is short
 * @table:	the table
 * @chances:	how many used routes may still be passed over; counted down
 *
 * The weakest rank leaves first.
 *
 * Context: table->lock.
 * Return: the route, still linked; NULL if only pinned ones are left.
 */
struct hostroute *hostroute_evict_for_memory(struct hostroute_table *table,
					     int *chances)
{
	return pick_unproven(table) ?: pick_trusted(table, chances);
}
