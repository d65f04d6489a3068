/* SPDX-License-Identifier: GPL-2.0 */
/* Checks against public facts of this host: addresses and routes. */
#ifndef HOSTROUTE_IPV4_FACTS_H
#define HOSTROUTE_IPV4_FACTS_H

#include "../claim.h"
#include "../stats.h"

#include <linux/skbuff.h>
#include <net/net_namespace.h>

enum hostroute_outcome hostroute_facts_check(struct net *net,
					     const struct sk_buff *skb,
					     const struct hostroute_msg *msg,
					     struct hostroute_path *path);

enum hostroute_outcome hostroute_facts_no_socket(struct net *net,
						 const struct sk_buff *skb,
						 const struct hostroute_msg *msg);

enum hostroute_outcome hostroute_facts_check_forwarded(struct net *net,
						       const struct sk_buff *skb,
						       const struct hostroute_msg *msg,
						       struct hostroute_path *path);

#endif
