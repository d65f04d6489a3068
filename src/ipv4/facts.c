// SPDX-License-Identifier: GPL-2.0
/*
 * Public facts: could this host have sent the quoted packet, and could a router
 * have found it too big? Asked of addresses and routes alone, never of a
 * socket, so that a refusal tells nobody more than he could find out with a
 * ping.
 *
 * A route that is looked up here is that of a packet without its socket: not
 * bound to a device, without SO_MARK, the owner of the namespace's. For TCP that
 * may be the wrong one, and need not be known: the connection that proves the
 * message holds the right one. So of TCP only what holds for every socket is
 * asked. Of what is neither TCP, UDP nor an Echo the stock path knows more, if it
 * has a handler of that protocol's errors; else it is a raw socket's datagram.
 *
 * Of a message that only passes this host, on its way to another, the quoted
 * packet was forwarded here: its source is not one of this host's addresses, and
 * of TCP there is no connection here that knows the route. What its destination
 * and the router are is asked all the same.
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
	/* The ports would tell more about policy routing than a third party may
	 * be shown. The source is known to be this host's, or to be behind it.
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
		/* There may be one for the socket's mark, or its user. */
		return fib4_has_custom_rules(net) ? HOSTROUTE_PASSED_ROUTE :
						    HOSTROUTE_IGNORED_DESTINATION;
	case -ENOMEM:
	case -ENOBUFS:
		/* The stock path would share it with everybody. */
		return HOSTROUTE_IGNORED_MEMORY;
	default:		/* xfrm */
		return HOSTROUTE_PASSED_ROUTE;
	}
}

/* No router is on the way to a neighbour, and if something else is, it is not
 * somebody further away who can tell: see neighbour_says(). Behind a device
 * without neighbours (PPP, a tunnel) anybody may be.
 */
static bool on_link(const struct rtable *rt)
{
	return !rt->rt_gw_family &&
	       !(rt->dst.dev->flags & (IFF_NOARP | IFF_POINTOPOINT));
}

/* A bridge with a tunnel among its ports answers in the name of whom the packet
 * was for, with his hardware address (iptunnel_pmtud_build_icmp()). Nobody who is
 * further away can send a frame like that.
 */
static bool neighbour_says(const struct sk_buff *skb,
			   const struct hostroute_msg *msg,
			   struct net_device *dev)
{
	u8 address[ALIGN(MAX_ADDR_LEN, sizeof(long))] __aligned(2);
	const struct neighbour *neigh;

	/* skb->dev may be a VRF's. */
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
	/* Plain, not clonable: it may be stale by now, and still tells. */
	if (!hostroute_stock_plain(dst))
		return HOSTROUTE_PASSED_ROUTE;
	if (on_link(rt) && !neighbour_says(skb, msg, dst->dev))
		return HOSTROUTE_IGNORED_ON_LINK;
	/* Not what the stock path has made of the same claims. */
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

/* Does anybody but raw sockets send this protocol, who can tell what to do? */
static bool stock_knows(const struct net *net, const struct hostroute_msg *msg)
{
	const struct net_protocol *protocol =
		rcu_dereference(inet_protos[msg->protocol]);

	if (!protocol || !protocol->err_handler)
		return false;
	/* It looks for a socket, and shares what it is told of one that is not
	 * connected.
	 */
	if (msg->protocol == IPPROTO_UDPLITE)
		return false;
	return msg->protocol != IPPROTO_GRE || hostroute_tunnel_sends(net, msg);
}

/* Of a datagram or an Echo its route says whether it went to this host or to many,
 * and that is looked up in any case. Rules may have it go elsewhere.
 */
static bool route_tells(const struct net *net, const struct hostroute_msg *msg)
{
	return (msg->protocol == IPPROTO_UDP || msg->protocol == IPPROTO_ICMP) &&
	       !fib4_has_custom_rules(net);
}

/* What came in for an address of this host quotes what left from it (the parser has
 * seen to that): nobody need be asked again, unless rules make it this host's.
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
 * hostroute_facts_no_socket - why is there no connection that a message quotes?
 * @net:  the namespace
 * @skb:  the message, at LOCAL_IN
 * @msg:  the message, parsed, of TCP
 *
 * There is none to a broadcast address: so the question is put off until there is
 * none, and costs nothing where there is one.
 *
 * Context: softirq, RCU. Return: what became of the message.
 */
enum hostroute_outcome hostroute_facts_no_socket(struct net *net,
						 const struct sk_buff *skb,
						 const struct hostroute_msg *msg)
{
	return is_nobodys_path(inet_addr_type_dev_table(net, skb->dev, msg->daddr.v4)) ?
	       HOSTROUTE_IGNORED_DESTINATION : HOSTROUTE_IGNORED_NO_SOCKET;
}

/**
 * hostroute_facts_check - check a message against what is public of this host
 * @net:  the namespace
 * @skb:  the message, at LOCAL_IN
 * @msg:  the message, parsed
 * @path: filled when the return value is HOSTROUTE_CONTINUE, but for TCP
 *
 * RFC 1122 3.2.2, RFC 5927 4.3. In @skb's VRF.
 *
 * Context: softirq, RCU. Takes no lock of ours; the route that is looked up is
 * let go before it returns.
 * Return: HOSTROUTE_CONTINUE, or what became of the message.
 */
enum hostroute_outcome hostroute_facts_check(struct net *net,
					     const struct sk_buff *skb,
					     const struct hostroute_msg *msg,
					     struct hostroute_path *path)
{
	const struct net_device *dev = skb->dev;

	/* NAT may send a connection to one of this host's addresses elsewhere,
	 * and a transparent proxy's has an address that is not this host's.
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
	/* RFC 1812 5.3.7 */
	if (!hostroute_icmp_made_here(skb) &&
	    inet_addr_type_dev_table(net, dev, msg->router.v4) == RTN_LOCAL)
		return HOSTROUTE_IGNORED_ROUTER;
	/* Nobody can receive it. */
	if (msg->protocol == IPPROTO_RAW)
		return HOSTROUTE_IGNORED_QUOTE;
	if (msg->protocol != IPPROTO_UDP && msg->protocol != IPPROTO_ICMP &&
	    stock_knows(net, msg))
		return HOSTROUTE_PASSED_PROTOCOL;
	return check_route(net, skb, msg, path);
}

/**
 * hostroute_facts_check_forwarded - the same for a message that passes this host
 * @net:  the namespace
 * @skb:  the message, at FORWARD
 * @msg:  the message, parsed
 * @path: filled when the return value is HOSTROUTE_CONTINUE
 *
 * Context and return value as hostroute_facts_check()'s.
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
