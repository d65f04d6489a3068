// SPDX-License-Identifier: GPL-2.0
/*
 * GRE tunnels that are up. A quote of GRE proves nothing, and its handler in
 * the stock kernel shares what a router claims before it looks for a tunnel. So
 * the tunnel is looked for here, first: without one it is a raw socket's.
 * (The handlers of other tunnels look themselves.)
 *
 * A tunnel's device may be in another namespace than its packets, and there is
 * no way from these to it. So there is a list of all of them, kept up to date
 * by the devices' events.
 */
#include "../pmtu_hostroute.h"

#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>

/* In @tunnels while @dev is up, under RTNL; found under RCU. */
struct gre_tunnel {
	struct list_head	list;
	const struct net_device	*dev;
	struct rcu_head		rcu;
};

static LIST_HEAD(tunnels);

/* Anybody can have them looked at. Where there are more, it may be one of them. */
#define LOOK_MAX	64

/* There was no memory for one: nobody can say any more that there is none. */
static bool incomplete;

/* These kinds' private data begins with a struct ip_tunnel. */
static bool is_gre(const struct net_device *dev)
{
	const char *kind = dev->rtnl_link_ops ? dev->rtnl_link_ops->kind : "";

	return !strcmp(kind, "gre") || !strcmp(kind, "gretap") ||
	       !strcmp(kind, "erspan");
}

static struct gre_tunnel *find(const struct net_device *dev)
{
	struct gre_tunnel *tunnel;

	list_for_each_entry(tunnel, &tunnels, list)
		if (tunnel->dev == dev)
			return tunnel;
	return NULL;
}

/**
 * hostroute_tunnel_up - a device has come up
 * @dev: the device
 *
 * Context: RTNL.
 */
void hostroute_tunnel_up(const struct net_device *dev)
{
	struct gre_tunnel *tunnel;

	ASSERT_RTNL();
	if (!is_gre(dev) || find(dev))
		return;
	tunnel = kzalloc(sizeof(*tunnel), GFP_KERNEL);
	if (!tunnel) {
		WRITE_ONCE(incomplete, true);
		return;
	}
	tunnel->dev = dev;
	list_add_rcu(&tunnel->list, &tunnels);
}

/**
 * hostroute_tunnel_down - a device goes down
 * @dev: the device, which is not freed before a grace period is over
 *
 * Context: RTNL.
 */
void hostroute_tunnel_down(const struct net_device *dev)
{
	struct gre_tunnel *tunnel;

	ASSERT_RTNL();
	tunnel = find(dev);
	if (!tunnel)
		return;
	list_del_rcu(&tunnel->list);
	kfree_rcu(tunnel, rcu);
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

	return net_eq(READ_ONCE(tunnel->net), net) &&
	       (tunnel->collect_md ||
		((!remote || remote == msg->daddr) &&
		 (!local || local == msg->saddr)));
}

/**
 * hostroute_tunnel_sends - may a GRE tunnel have sent the quoted packet?
 * @net: the namespace
 * @msg: a message that quotes GRE, parsed
 *
 * Context: RCU.
 */
bool hostroute_tunnel_sends(const struct net *net, const struct hostroute_msg *msg)
{
	const struct gre_tunnel *tunnel;
	unsigned int looked_at = 0;

	if (READ_ONCE(incomplete))
		return true;
	list_for_each_entry_rcu(tunnel, &tunnels, list)
		if (looked_at++ == LOOK_MAX || sends(tunnel->dev, net, msg))
			return true;
	return false;
}
