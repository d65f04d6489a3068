/* SPDX-License-Identifier: GPL-2.0 */
/* What this host itself reports about a path. */
#ifndef HOSTROUTE_IPV4_LOCAL_H
#define HOSTROUTE_IPV4_LOCAL_H

#include <net/dst.h>

void hostroute_local_update_pmtu(struct dst_entry *dst, struct sock *sk,
				 struct sk_buff *skb, u32 mtu, bool confirm_neigh);

#endif
