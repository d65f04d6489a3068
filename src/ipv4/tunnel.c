// SPDX-License-Identifier: GPL-2.0
/*
 * Tunnels that are up and whose messages must be told from others here. A quote
 * of GRE proves nothing, and its handler in the stock kernel shares what a router
 * claims before it looks for a tunnel. So the tunnel is looked for here, first:
 * without one it is a raw socket's. And a tunnel in UDP (FOU, GUE) may have a socket
 * at neither port of what it sends: without the tunnel it is some program's.
 * (The handlers of other tunnels look themselves.)
 *
 * A tunnel's device may be in another namespace than its packets, and there is
 * no way from these to it. So there is a list of all of them, kept up to date
 * by the devices' events.
 */
#include "tunnel.h"

#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>

/* In one of the lists while @dev is up, under RTNL; found under RCU. */
struct tunnel {
	struct list_head	list;
	struct list_head	*in;
	const struct net_device	*dev;
	struct rcu_head		rcu;
};

static LIST_HEAD(over_gre);
static LIST_HEAD(over_udp);

/* Anybody can have them looked at. Where there are more, it may be one of them. */
#define LOOK_MAX	64

/* There was no memory for one: nobody can say any more that there is none. */
static bool incomplete;

/* The private data of all these kinds begins with a struct ip_tunnel. */
static bool is_kind(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
}

static bool is_gre(const struct net_device *dev)
{
	return is_kind(dev, "gre") || is_kind(dev, "gretap") ||
	       is_kind(dev, "erspan");
}

static bool is_tunnel(const struct net_device *dev)
{
	return is_gre(dev) || is_kind(dev, "ipip") || is_kind(dev, "sit");
}

/* The port that it sends to if it puts its packets in UDP, else 0. */
static __be16 udp_port(const struct net_device *dev)
{
	const struct ip_tunnel *tunnel = netdev_priv(dev);

	return READ_ONCE(tunnel->encap.type) == TUNNEL_ENCAP_NONE ?
	       0 : READ_ONCE(tunnel->encap.dport);
}

/* Where a tunnel belongs; NULL: its messages need not be told from others. */
static struct list_head *list_of(const struct net_device *dev)
{
	if (udp_port(dev))
		return &over_udp;
	return is_gre(dev) ? &over_gre : NULL;
}

static struct tunnel *find_tunnel(const struct net_device *dev)
{
	struct tunnel *tunnel;

	list_for_each_entry(tunnel, &over_gre, list)
		if (tunnel->dev == dev)
			return tunnel;
	list_for_each_entry(tunnel, &over_udp, list)
		if (tunnel->dev == dev)
			return tunnel;
	return NULL;
}

static void forget_tunnel(struct tunnel *tunnel)
{
	list_del_rcu(&tunnel->list);
	kfree_rcu(tunnel, rcu);
}

/**
 * hostroute_tunnel_up - a device has come up, or was changed while it is
 * @dev: the device
 *
 * Context: RTNL.
 */
void hostroute_tunnel_up(const struct net_device *dev)
{
	struct list_head *in;
	struct tunnel *tunnel;

	ASSERT_RTNL();
	if (!is_tunnel(dev))
		return;
	in = list_of(dev);
	tunnel = find_tunnel(dev);
	if (tunnel && tunnel->in == in)
		return;
	if (tunnel)
		forget_tunnel(tunnel);
	if (!in)
		return;
	tunnel = kzalloc(sizeof(*tunnel), GFP_KERNEL);
	if (!tunnel) {
		WRITE_ONCE(incomplete, true);
		return;
	}
	tunnel->in = in;
	tunnel->dev = dev;
	list_add_rcu(&tunnel->list, in);
}

/**
 * hostroute_tunnel_down - a device goes down
 * @dev: the device, which is not freed before a grace period is over
 *
 * Context: RTNL.
 */
void hostroute_tunnel_down(const struct net_device *dev)
{
	struct tunnel *tunnel;

	ASSERT_RTNL();
	if (!is_tunnel(dev))
		return;
	tunnel = find_tunnel(dev);
	if (tunnel)
		forget_tunnel(tunnel);
}

/* One that takes its endpoints from elsewhere may have any. Its administrator
 * may be changing them: each is read once.
 */
static bool sends(const struct net_device *dev, const struct net *net,
		  const struct hostroute_msg *msg)
{
	const struct ip_tunnel *tunnel = netdev_priv(dev);
	__be32 remote = READ_ONCE(tunnel->parms.iph.daddr);
	__be32 local = READ_ONCE(tunnel->parms.iph.saddr);

	if (msg->protocol == IPPROTO_UDP && udp_port(dev) != msg->dport)
		return false;
	return net_eq(READ_ONCE(tunnel->net), net) &&
	       (tunnel->collect_md ||
		((!remote || remote == msg->daddr.v4) &&
		 (!local || local == msg->saddr.v4)));
}

/**
 * hostroute_tunnel_sends - may one of these have sent the quoted packet?
 * @net: the namespace
 * @msg: a message that quotes GRE or UDP, parsed
 *
 * Context: RCU.
 */
bool hostroute_tunnel_sends(const struct net *net, const struct hostroute_msg *msg)
{
	const struct list_head *list = msg->protocol == IPPROTO_GRE ? &over_gre : &over_udp;
	const struct tunnel *tunnel;
	unsigned int looked_at = 0;

	if (READ_ONCE(incomplete))
		return true;
	list_for_each_entry_rcu(tunnel, list, list)
		if (looked_at++ == LOOK_MAX || sends(tunnel->dev, net, msg))
			return true;
	return false;
}
