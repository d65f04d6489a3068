/* SPDX-License-Identifier: GPL-2.0 */
/* LOCAL_OUT for datagrams: puts them under host routes. */
#ifndef HOSTROUTE_IPV4_DATAGRAM_H
#define HOSTROUTE_IPV4_DATAGRAM_H

#include "../net.h"

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sock.h>

unsigned int hostroute_datagram_output(struct hostroute_net *hn, struct sock *sk,
				       const struct net_device *out,
				       struct sk_buff *skb);

#endif
