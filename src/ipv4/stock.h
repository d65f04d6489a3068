/* SPDX-License-Identifier: GPL-2.0 */
/* Stock routes, the kernel's own: which ones can have a clone, and how it is made. */
#ifndef HOSTROUTE_IPV4_STOCK_H
#define HOSTROUTE_IPV4_STOCK_H

#include "../clone.h"
#include "../table.h"

#include <net/dst.h>
#include <net/route.h>

bool hostroute_stock_plain(const struct dst_entry *dst);
bool hostroute_stock_clonable(const struct dst_entry *dst);
u32 hostroute_stock_estimate(const struct dst_entry *dst);
u32 hostroute_stock_hash(const struct dst_entry *dst, unsigned int bits);
struct hostroute_clone *hostroute_stock_make(struct hostroute *route,
					     struct dst_entry *stock,
					     struct mem_cgroup *memcg);
struct dst_entry *hostroute_stock_clone(struct hostroute_table *table,
					struct hostroute *route,
					struct dst_entry *stock);

#endif
