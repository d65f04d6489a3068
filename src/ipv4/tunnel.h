/* SPDX-License-Identifier: GPL-2.0 */
/* Which GRE and UDP packets a tunnel of this host may have sent. */
#ifndef HOSTROUTE_IPV4_TUNNEL_H
#define HOSTROUTE_IPV4_TUNNEL_H

#include "../claim.h"

#include <linux/netdevice.h>
#include <net/net_namespace.h>

void hostroute_tunnel_up(const struct net_device *dev);
void hostroute_tunnel_down(const struct net_device *dev);
bool hostroute_tunnel_sends(const struct net *net, const struct hostroute_msg *msg);

#endif
