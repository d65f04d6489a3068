// SPDX-License-Identifier: GPL-2.0
/*
 * A list of the tunnels that are up and whose messages this module has to recognize.
 * What becomes of such a message is up to src/ipv4/facts.c and src/ipv4/report.c.
 *
 * A quote of GRE proves nothing, and the stock kernel's handler applies what a router
 * claims to all sockets before it looks for a tunnel. So the tunnel is looked for here
 * first. Without one, the packet is a raw socket's.
 *
 * A tunnel in UDP (FOU, GUE) may have a socket at neither port of what it sends.
 * Without the tunnel, the packet is some program's. (The handlers of other tunnels
 * look for the tunnel themselves.)
 *
 * A tunnel's device may be in another namespace than its packets, and nothing leads
 * from the packets to the device. So there is one list for all namespaces, kept up to
 * date by device events.
 */
#include "tunnel.h"

#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>

/* An entry of the list @in while the tunnel's device is up. Written under RTNL, read
 * under RCU.
 */
struct tunnel {
	struct list_head	list;
	struct list_head	*in;
	const struct net_device	*dev;
	struct rcu_head		rcu;
};

static LIST_HEAD(over_gre);
static LIST_HEAD(over_udp);

/* Tunnels that are looked at for a message, at most: anybody can send these. If there
 * are more, one of them may have sent the packet.
 */
#define LOOK_MAX	64

/* There was no memory for an entry. From then on any packet may be a tunnel's. */
static bool incomplete;

/* The private data of all the kinds below begins with a struct ip_tunnel. */
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

/* The port that a tunnel in UDP sends to, network order; 0: not in UDP. */
static __be16 udp_port(const struct net_device *dev)
{
	const struct ip_tunnel *tunnel = netdev_priv(dev);

	return READ_ONCE(tunnel->encap.type) == TUNNEL_ENCAP_NONE ?
	       0 : READ_ONCE(tunnel->encap.dport);
}

/* The list that a tunnel belongs in; NULL if its messages need not be recognized. */
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
 * hostroute_tunnel_up - a device has come up, or was changed while it is up
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

/* A tunnel that takes its endpoints from elsewhere (collect_md) may have any. The
 * administrator may be changing the endpoints, so each is read once.
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
 * hostroute_tunnel_sends - may a tunnel of the list have sent the quoted packet?
 * @net:	the namespace
 * @msg:	a message that quotes GRE or UDP, parsed
 *
 * Context: RCU.
 * Return: true if it may, or if that is not known.
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
