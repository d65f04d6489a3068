/* SPDX-License-Identifier: GPL-2.0 */
/* Which host route makes room for another. */
#ifndef HOSTROUTE_EVICT_H
#define HOSTROUTE_EVICT_H

#include "index.h"

/* Used routes that are passed over in one hold of the lock before one goes anyway. */
#define HOSTROUTE_SECOND_CHANCES	64

/* Who has to go for a new route. */
enum hostroute_victim {
	HOSTROUTE_VICTIM_NONE,		/* there is room */
	HOSTROUTE_VICTIM_UNPROVEN,
	HOSTROUTE_VICTIM_TRUSTED,
	HOSTROUTE_VICTIM_ITSELF,		/* it is refused */
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
