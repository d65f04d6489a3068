/* SPDX-License-Identifier: GPL-2.0 */
/* A datagram socket's own clone, without a host route. */
#ifndef HOSTROUTE_IPV4_OWN_H
#define HOSTROUTE_IPV4_OWN_H

#include "../net.h"

#include <net/dst.h>

bool hostroute_own_swap(struct sock *sk, struct hostroute_addr daddr,
			struct dst_entry *old, struct dst_entry *new);
void hostroute_own_set(struct hostroute_net *hn, struct sock *sk,
		       struct hostroute_addr daddr, u32 mtu);

#endif
