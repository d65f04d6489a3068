// SPDX-License-Identifier: GPL-2.0
/* Which host route makes room for another, or for the administrator's limit. */
#include "evict.h"

#include <linux/kernel.h>
#include <linux/random.h>

/* One that is linked: an attacker must not be able to tell which. */
static struct hostroute *pick_unproven(struct hostroute_table *table)
{
	u32 n = table->pool[HOSTROUTE_RANK_UNPROVEN].count;

	lockdep_assert_held(&table->lock);
	return n ? xa_load(&table->unproven, reciprocal_scale(get_random_u32(), n)) :
		   NULL;
}

/* The least recently used route, with a second chance for used ones, as long
 * as there are @chances left.
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

/* Where many go by the administrator's word, the next to expire. (At random each would
 * leave a hole somewhere, and the nodes of the ids would be given back all at the end.)
 */
static struct hostroute *pick_oldest_unproven(struct hostroute_table *table)
{
	lockdep_assert_held(&table->lock);
	return list_first_entry_or_null(&table->pool[HOSTROUTE_RANK_UNPROVEN].age,
					struct hostroute, age);
}

/*
 * There is room, but none to spare: a share of the table as large as that of
 * unproven routes is what is left. Whether an unproven route takes of it is left to
 * chance, the less room the less. Else who has all but filled the table could see
 * by his own records whether one more learned route is there, and so whether
 * his guess of a sequence number was right.
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

/* Unproven routes make room for others of their own rank only. */
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

/*
 * May a new route of this rank come in, and if need be for whom? at_limit says
 * whether messages may evict routes of their own rank. That is what they do,
 * and leave unproven routes, which have their own limit, alone: these are what
 * anybody can make and see, and they must not tell what was learned. But where
 * a learned route would be refused they do give way: what nobody can prove must
 * not keep out what somebody can. The administrator's own always come in, as
 * long as there is another to go, the weakest first.
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

/* Is max_routes in the way of a new route? What anybody can send says nothing. */
bool hostroute_evict_limit_bites(enum hostroute_victim victim,
				 enum hostroute_rank rank)
{
	return rank != HOSTROUTE_RANK_UNPROVEN &&
	       (victim == HOSTROUTE_VICTIM_TRUSTED || victim == HOSTROUTE_VICTIM_ITSELF);
}

/* NULL: there is room. */
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
 * hostroute_evict_enter - put a new route in, in the place of another if need be
 * @table:	the table
 * @model:	what the route is like
 * @victim:	what hostroute_evict_for() said
 *
 * No route goes unless everything that can fail has been done.
 *
 * Context: the table's lock. Return: the route, or NULL if memory is short.
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

/* Which goes next because the administrator lowered a limit; NULL. @chances: see
 * pick_trusted(). Context: the table's lock.
 */
struct hostroute *hostroute_evict_for_limit(struct hostroute_table *table,
					    int *chances)
{
	return pick_oldest_unproven(table) ?: pick_trusted(table, chances);
}

/* Which goes next because memory is short: the weakest first, a pinned one never; NULL.
 * @chances: see pick_trusted(). Context: the table's lock.
 */
struct hostroute *hostroute_evict_for_memory(struct hostroute_table *table,
					     int *chances)
{
	return pick_unproven(table) ?: pick_trusted(table, chances);
}
