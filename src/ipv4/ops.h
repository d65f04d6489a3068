/* SPDX-License-Identifier: GPL-2.0 */
/* The operations of clones. */
#ifndef HOSTROUTE_IPV4_OPS_H
#define HOSTROUTE_IPV4_OPS_H

#include <net/dst.h>

/* As dst_ops->update_pmtu: @mtu in bytes; any context but hardirq. */
typedef void (*hostroute_update_pmtu)(struct dst_entry *dst, struct sock *sk,
				      struct sk_buff *skb, u32 mtu,
				      bool confirm_neigh);

int hostroute_ops_init(hostroute_update_pmtu update_pmtu);
void hostroute_ops_exit(void);

#endif
