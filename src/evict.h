/* SPDX-License-Identifier: GPL-2.0 */
/* Eviction: which host route has to leave for another. */
#ifndef HOSTROUTE_EVICT_H
#define HOSTROUTE_EVICT_H

#include "index.h"

/* How many used routes are passed over in one hold of table->lock. After that even a used
 * one is evicted.
 */
#define HOSTROUTE_SECOND_CHANCES	64

/* The rank of the route that has to leave for a new one. */
enum hostroute_victim {
	HOSTROUTE_VICTIM_NONE,		/* none: the table is not full */
	HOSTROUTE_VICTIM_UNPROVEN,
	HOSTROUTE_VICTIM_TRUSTED,
	HOSTROUTE_VICTIM_ITSELF,		/* the new route is refused */
};

enum hostroute_victim hostroute_evict_victim_for(const struct hostroute_table *table,
						 enum hostroute_rank rank);
struct hostroute *hostroute_evict_pick(struct hostroute_table *table,
				       enum hostroute_victim victim);
struct hostroute *hostroute_evict_pick_for_limit(struct hostroute_table *table,
						 int *chances);
struct hostroute *hostroute_evict_pick_for_memory(struct hostroute_table *table,
						  int *chances);

/**
 * hostroute_evict_limit_bites - does max_routes stand in the way of a new route?
 * @victim:	what hostroute_evict_victim_for() returned
 * @rank:	rank of the new route
 *
 * Context: any.
 * Return: true if so; never for the unproven rank, for anybody can send such claims.
 */
static inline bool hostroute_evict_limit_bites(enum hostroute_victim victim,
					       enum hostroute_rank rank)
{
	return rank != HOSTROUTE_RANK_UNPROVEN &&
	       (victim == HOSTROUTE_VICTIM_TRUSTED || victim == HOSTROUTE_VICTIM_ITSELF);
}

/**
 * hostroute_evict_enter - add a new route, in the place of another if necessary
 * @table:	the table
 * @model:	copied to the route
 * @victim:	what hostroute_evict_victim_for() returned; not HOSTROUTE_VICTIM_ITSELF
 *
 * No route is evicted before all steps that can fail are done.
 *
 * Context: table->lock.
 * Return: the route, or NULL if memory is short.
 */
static inline struct hostroute *
hostroute_evict_enter(struct hostroute_table *table, const struct hostroute *model,
		      enum hostroute_victim victim)
{
	struct hostroute *old = NULL;

	if (victim != HOSTROUTE_VICTIM_NONE)
		old = hostroute_evict_pick(table, victim);
	return hostroute_index_enter(table, model, old, HOSTROUTE_EVICTED);
}

#endif
