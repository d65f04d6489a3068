// SPDX-License-Identifier: GPL-2.0
/*
 * Public facts: could this host have sent the quoted packet, and could a router have
 * found it too big? This is decided by addresses and routes alone, never by a socket.
 * So a refusal tells an attacker no more than a ping would.
 *
 * The route that is looked up here is that of a packet without its socket: not bound
 * to a device, without SO_MARK, and with the user ID of the namespace's owner. For TCP
 * it may be the wrong route, and is not needed: the connection that proves the message
 * holds the right one. So for TCP only what holds for every socket is checked. For
 * protocols other than TCP, UDP and Echo, the stock path knows more if it has a
 * handler of the protocol's errors. If not, the packet is a raw socket's datagram.
 *
 * A message at FORWARD is on its way to another host, and the packet it quotes was
 * forwarded here. So the quoted source is not one of this host's addresses, and for
 * TCP no connection here knows the route. The quoted destination and the router are
 * checked all the same.
 */
#include "facts.h"
#include "../../pmtu_hostroute.h"
#include "../compat.h"
#include "icmp.h"
#include "stock.h"
#include "tunnel.h"

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/in.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/protocol.h>

static struct rtable *look_up(struct net *net, const struct sk_buff *skb,
			      const struct hostroute_msg *msg, int l3mdev)
{
	/* No ports: they would tell a third party more about policy routing than it
	 * may see. The source is known to be this host's, or to be behind it.
	 */
	struct flowi4 fl4 = {
		.daddr = msg->daddr.v4,
		.saddr = msg->saddr.v4,
		.flowi4_oif = l3mdev,
		.flowi4_proto = msg->protocol,
		.flowi4_mark = IP4_REPLY_MARK(net, skb->mark),
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
		.flowi4_uid = sock_net_uid(net, NULL),
	};

	hostroute_compat_flow_tos(&fl4, msg->tos);
	return ip_route_output_key(net, &fl4);
}

static enum hostroute_outcome no_route(const struct net *net, long err)
{
	switch (err) {
	case -ENETUNREACH:
	case -EHOSTUNREACH:	/* unreachable */
	case -EINVAL:		/* blackhole */
	case -EACCES:		/* prohibit */
		/* There may be a route for the socket's mark, or its user. */
		return fib4_has_custom_rules(net) ? HOSTROUTE_PASSED_ROUTE :
						    HOSTROUTE_IGNORED_DESTINATION;
	case -ENOMEM:
	case -ENOBUFS:
		/* The stock path would apply the claim to all sockets. */
		return HOSTROUTE_IGNORED_MEMORY;
	default:		/* xfrm */
		return HOSTROUTE_PASSED_ROUTE;
	}
}

/* No router is on the way to a neighbour. If something else is, only a neighbour can
 * say so, not a host further away: see neighbour_says(). A device without neighbours
 * (PPP, a tunnel) may lead to any host.
 */
static bool on_link(const struct rtable *rt)
{
	return !rt->rt_gw_family &&
	       !(rt->dst.dev->flags & (IFF_NOARP | IFF_POINTOPOINT));
}

/* A bridge with a tunnel among its ports answers in the name of the neighbour that the
 * packet was for, with that neighbour's hardware address
 * (iptunnel_pmtud_build_icmp()). No host further away can send such a frame.
 */
static bool neighbour_says(const struct sk_buff *skb,
			   const struct hostroute_msg *msg,
			   struct net_device *dev)
{
	u8 address[ALIGN(MAX_ADDR_LEN, sizeof(long))] __aligned(2);
	const struct neighbour *neigh;

	/* skb->dev may be the VRF device. */
	if (msg->router.v4 != msg->daddr.v4 || IPCB(skb)->iif != dev->ifindex)
		return false;
	if (dev->type != ARPHRD_ETHER || !skb_mac_header_was_set(skb) ||
	    skb_mac_header_len(skb) < ETH_HLEN)
		return false;
	neigh = __ipv4_neigh_lookup_noref(dev, (__force u32)msg->daddr.v4);
	if (!neigh || !(READ_ONCE(neigh->nud_state) & NUD_VALID))
		return false;
	neigh_ha_snapshot(address, neigh, dev);
	return ether_addr_equal(address, eth_hdr(skb)->h_source);
}

static enum hostroute_outcome judge_route(const struct rtable *rt,
					  const struct sk_buff *skb,
					  const struct hostroute_msg *msg,
					  struct hostroute_path *path)
{
	const struct dst_entry *dst = &rt->dst;

	if (rt->rt_type != RTN_UNICAST || dst->dev->flags & IFF_LOOPBACK)
		return HOSTROUTE_IGNORED_DESTINATION;
	if (dst_metric_locked(dst, RTAX_MTU))
		return HOSTROUTE_IGNORED_LOCKED;
	/* Plain, not clonable: a route that has become stale by now is good enough. */
	if (!hostroute_stock_plain(dst))
		return HOSTROUTE_PASSED_ROUTE;
	if (on_link(rt) && !neighbour_says(skb, msg, dst->dev))
		return HOSTROUTE_IGNORED_ON_LINK;
	/* Without what the stock path may have made of the same claims. */
	path->estimate = dst_metric_raw(dst, RTAX_MTU) ?:
			 READ_ONCE(dst->dev->mtu);
	if (msg->mtu >= path->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	return HOSTROUTE_CONTINUE;
}

static enum hostroute_outcome check_route(struct net *net,
					  const struct sk_buff *skb,
					  const struct hostroute_msg *msg,
					  struct hostroute_path *path)
{
	struct rtable *rt = look_up(net, skb, msg, path->l3mdev);
	enum hostroute_outcome outcome;

	if (IS_ERR(rt))
		return no_route(net, PTR_ERR(rt));
	outcome = judge_route(rt, skb, msg, path);
	ip_rt_put(rt);
	return outcome;
}

/* Does the stock path know what to do with this protocol's errors? If not, only raw
 * sockets send it.
 */
static bool stock_knows(const struct net *net, const struct hostroute_msg *msg)
{
	const struct net_protocol *protocol =
		rcu_dereference(inet_protos[msg->protocol]);

	if (!protocol || !protocol->err_handler)
		return false;
	/* Its handler looks up a socket, but applies the claim to all sockets if that
	 * one is not connected.
	 */
	if (msg->protocol == IPPROTO_UDPLITE)
		return false;
	return msg->protocol != IPPROTO_GRE || hostroute_tunnel_sends(net, msg);
}

/* The route of a datagram or an Echo says whether it went to this host or to many, and
 * is looked up in any case. With policy rules the packet may have gone elsewhere.
 */
static bool route_tells(const struct net *net, const struct hostroute_msg *msg)
{
	return (msg->protocol == IPPROTO_UDP || msg->protocol == IPPROTO_ICMP) &&
	       !fib4_has_custom_rules(net);
}

/* A message to an address of this host quotes a packet that left from it: the parser
 * has checked that. So the source need not be looked up again, unless policy rules
 * made it this host's address.
 */
static bool came_for_us(const struct net *net, const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	return rt && rt->rt_type == RTN_LOCAL && !fib4_has_custom_rules(net);
}

static bool is_nobodys_path(unsigned int type)
{
	return type == RTN_BROADCAST || type == RTN_MULTICAST;
}

static bool is_our_own(struct net *net, const struct net_device *dev, __be32 addr)
{
	unsigned int type = inet_addr_type_dev_table(net, dev, addr);

	return type == RTN_LOCAL || is_nobodys_path(type);
}

/**
 * hostroute_facts_no_socket - why does a message quote no connection of this host?
 * @net:	the namespace
 * @skb:	the message, at LOCAL_IN
 * @msg:	the message, parsed, which quotes TCP
 *
 * No connection has a broadcast address for a peer. So this is asked only when none
 * was found, and costs nothing for the others.
 *
 * Context: BH off, RCU.
 * Return: IGNORED_DESTINATION or IGNORED_NO_SOCKET.
 */
enum hostroute_outcome hostroute_facts_no_socket(struct net *net,
						 const struct sk_buff *skb,
						 const struct hostroute_msg *msg)
{
	return is_nobodys_path(inet_addr_type_dev_table(net, skb->dev, msg->daddr.v4)) ?
	       HOSTROUTE_IGNORED_DESTINATION : HOSTROUTE_IGNORED_NO_SOCKET;
}

/**
 * hostroute_facts_check - check a message against public facts of this host
 * @net:	the namespace
 * @skb:	the message, at LOCAL_IN
 * @msg:	the message, parsed
 * @path:	filled when the return value is HOSTROUTE_CONTINUE, except for TCP
 *
 * RFC 1122 3.2.2, RFC 5927 4.3. Addresses and routes are looked up in @skb's VRF.
 * Takes no lock of this module, and drops the route before it returns.
 *
 * Context: BH off, RCU.
 * Return: HOSTROUTE_CONTINUE, or what became of the message.
 */
enum hostroute_outcome hostroute_facts_check(struct net *net,
					     const struct sk_buff *skb,
					     const struct hostroute_msg *msg,
					     struct hostroute_path *path)
{
	const struct net_device *dev = skb->dev;

	/* No address is wrong for TCP. NAT may redirect a connection that was made to
	 * one of this host's addresses, and a transparent proxy's connection has a
	 * source that is not this host's.
	 */
	if (msg->protocol == IPPROTO_TCP)
		return HOSTROUTE_CONTINUE;

	*path = (struct hostroute_path) {
		.l3mdev = hostroute_l3mdev(dev),
	};
	if (!route_tells(net, msg) && is_our_own(net, dev, msg->daddr.v4))
		return HOSTROUTE_IGNORED_DESTINATION;
	if (!came_for_us(net, skb) &&
	    inet_addr_type_dev_table(net, dev, msg->saddr.v4) != RTN_LOCAL)
		return HOSTROUTE_IGNORED_SOURCE;
	/* RFC 1812 5.3.7: a message from elsewhere cannot come from an address of this
	 * host.
	 */
	if (!hostroute_icmp_made_here(skb) &&
	    inet_addr_type_dev_table(net, dev, msg->router.v4) == RTN_LOCAL)
		return HOSTROUTE_IGNORED_ROUTER;
	/* No socket receives errors of this protocol. */
	if (msg->protocol == IPPROTO_RAW)
		return HOSTROUTE_IGNORED_QUOTE;
	if (msg->protocol != IPPROTO_UDP && msg->protocol != IPPROTO_ICMP &&
	    stock_knows(net, msg))
		return HOSTROUTE_PASSED_PROTOCOL;
	return check_route(net, skb, msg, path);
}

/**
 * hostroute_facts_check_forwarded - the same for a message that passes this host
 * @net:	the namespace
 * @skb:	the message, at FORWARD
 * @msg:	the message, parsed
 * @path:	filled when the return value is HOSTROUTE_CONTINUE
 *
 * Context: BH off, RCU.
 * Return: as hostroute_facts_check().
 */
enum hostroute_outcome hostroute_facts_check_forwarded(struct net *net,
						       const struct sk_buff *skb,
						       const struct hostroute_msg *msg,
						       struct hostroute_path *path)
{
	const struct net_device *dev = skb->dev;

	*path = (struct hostroute_path) {
		.l3mdev = hostroute_l3mdev(dev),
	};
	if (inet_addr_type_dev_table(net, dev, msg->router.v4) == RTN_LOCAL)
		return HOSTROUTE_IGNORED_ROUTER;
	if (msg->protocol != IPPROTO_TCP && msg->protocol != IPPROTO_UDP &&
	    msg->protocol != IPPROTO_ICMP)
		return HOSTROUTE_PASSED_PROTOCOL;
	return check_route(net, skb, msg, path);
}
