/* SPDX-License-Identifier: GPL-2.0 */
/* Checks against public facts of this host: addresses and routes. */
#ifndef HOSTROUTE_IPV4_FACTS_H
#define HOSTROUTE_IPV4_FACTS_H

#include "../claim.h"
#include "../stats.h"

#include <linux/in.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>

enum hostroute_outcome hostroute_facts_check_datagram(struct net *net,
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

/**
 * hostroute_facts_check - check a message against public facts of this host
 * @net:	the namespace
 * @skb:	the message, at LOCAL_IN
 * @msg:	the message, parsed
 * @path:	filled when the return value is HOSTROUTE_CONTINUE, except for TCP
 *
 * No address is wrong for TCP. NAT may redirect a connection that was made to one of this
 * host's addresses, and a transparent proxy's connection has a source that is not this
 * host's.
 *
 * Context: BH off, RCU.
 * Return: HOSTROUTE_CONTINUE, or what became of the message.
 */
static inline enum hostroute_outcome
hostroute_facts_check(struct net *net, const struct sk_buff *skb,
		      const struct hostroute_msg *msg, struct hostroute_path *path)
{
	if (msg->protocol == IPPROTO_TCP)
		return HOSTROUTE_CONTINUE;
	return hostroute_facts_check_datagram(net, skb, msg, path);
}

#endif
