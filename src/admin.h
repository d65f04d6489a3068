/* SPDX-License-Identifier: GPL-2.0 */
/* What the administrator does to the table: pins, deletions and limits. */
#ifndef HOSTROUTE_ADMIN_H
#define HOSTROUTE_ADMIN_H

#include "table.h"

int hostroute_admin_pin(struct hostroute_table *table,
			const struct hostroute_key *key, u32 mtu, u64 now);
int hostroute_admin_del(struct hostroute_table *table,
			const struct hostroute_key *key);
int hostroute_admin_set_max_routes(struct hostroute_table *table, u32 max);
void hostroute_admin_set_max_unproven(struct hostroute_table *table, u32 max);

#endif
