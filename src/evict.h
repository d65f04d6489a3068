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

enum hostroute_victim hostroute_evict_for(const struct hostroute_table *table,
					  enum hostroute_rank rank);
bool hostroute_evict_limit_bites(enum hostroute_victim victim,
				 enum hostroute_rank rank);
struct hostroute *hostroute_evict_enter(struct hostroute_table *table,
					const struct hostroute *model,
					enum hostroute_victim victim);
struct hostroute *hostroute_evict_for_limit(struct hostroute_table *table,
					    int *chances);
struct hostroute *hostroute_evict_for_memory(struct hostroute_table *table,
					     int *chances);

#endif
