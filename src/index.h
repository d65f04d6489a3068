/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Linking, look-up and unlinking of host routes. learn.c and admin.c decide what comes
 * into the table, evict.c and bulk.c decide what leaves it.
 */
#ifndef HOSTROUTE_INDEX_H
#define HOSTROUTE_INDEX_H

#include "table.h"

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
struct hostroute *hostroute_index_create(struct hostroute_table *table,
					 const struct hostroute *model,
					 const struct hostroute *old);
void hostroute_index_link(struct hostroute_table *table, struct hostroute *route,
			  struct hostroute *old, enum hostroute_outcome why);
void hostroute_index_take_out(struct hostroute_table *table, struct hostroute *route,
			      enum hostroute_outcome why);
void hostroute_index_unlink(struct hostroute_table *table, struct hostroute *route,
			    enum hostroute_outcome why);
struct hostroute *hostroute_index_find_alive(struct hostroute_table *table,
					     const struct hostroute_key *key, u64 now,
					     struct hostroute *known);

#endif
