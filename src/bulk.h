/* SPDX-License-Identifier: GPL-2.0 */
/* Work on many host routes at once: limits, flush, expiry, memory. */
#ifndef HOSTROUTE_BULK_H
#define HOSTROUTE_BULK_H

#include "table.h"

void hostroute_bulk_trim(struct hostroute_table *table, u32 routes, u32 unproven);
u64 hostroute_bulk_sweep(struct hostroute_table *table, u64 now);
void hostroute_bulk_flush(struct hostroute_table *table, bool pinned_too);
void hostroute_bulk_forget_vrf(struct hostroute_table *table, int l3mdev);
unsigned long hostroute_bulk_shrink(struct hostroute_table *table, unsigned long n);
void hostroute_bulk_drop_clones(struct hostroute_table *table);

#endif
