// SPDX-License-Identifier: GPL-2.0
/*
 * LOCAL_OUT for datagrams: puts packets of UDP, Echo and raw sockets under host
 * routes, also unproven ones, and under the MTU that is set on the device they leave
 * by. TCP packets are for src/ipv4/output.c.
 *
 * By now a datagram has been made for its route's MTU. If the host route's MTU is
 * smaller, this file does what the stock path would have done, which depends on
 * IP_MTU_DISCOVER:
 *
 *   WANT, DONT  Let it be fragmented. It goes out without DF, by the clone.
 *   DO          Refuse it with EMSGSIZE.
 *   PROBE,      Look at the device only. An MTU that is set on the device
 *   INTERFACE,  applies as the link's MTU does. PROBE and INTERFACE refuse
 *   OMIT        what is larger, and OMIT fragments it.
 *
 * An unproven route never goes below its floor (min_mtu_unproven), but the path may.
 * So under an unproven route at the floor, DF is cleared in every datagram that may be
 * fragmented. The stock path "locks" the MTU in this case.
 */
#include "datagram.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"
#include "../compat.h"
#include "../device.h"
#include "../override.h"
#include "own.h"
#include "stock.h"

#include <linux/errqueue.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/udp.h>

/* The socket of a datagram that a program, or the kernel itself, sends; NULL: leave it
 * alone. Tunnels send packets that belong to another socket, or to none.
 */
static struct sock *datagram_socket(struct sock *sk, const struct sk_buff *skb)
{
	if (!sk || sk != skb->sk || !sk_fullsock(sk))
		return NULL;
	/* A packet socket that sends through a VRF device is no inet_sock. */
	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return NULL;
	if (sk->sk_type == SOCK_RAW)
		return sk;
	if (sk->sk_type != SOCK_DGRAM)
		return NULL;
	switch (ip_hdr(skb)->protocol) {
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
		return sk;
	default:
		return NULL;
	}
}

/* Bytes of the largest packet that @skb becomes on the wire. */
static unsigned int datagram_len(const struct sk_buff *skb)
{
	if (skb_is_gso(skb))
		return ip_hdrlen(skb) + sizeof(struct udphdr) +
		       skb_shinfo(skb)->gso_size;
	return skb->len;
}

static void clear_df(struct hostroute_net *hn, struct sk_buff *skb)
{
	struct iphdr *iph = ip_hdr(skb);

	if (!(iph->frag_off & htons(IP_DF)) ||
	    skb_ensure_writable(skb, skb_network_offset(skb) + sizeof(*iph)))
		return;
	iph = ip_hdr(skb);
	iph->frag_off &= ~htons(IP_DF);
	/* Packets that may be fragmented have an identification already. Others may
	 * lack one.
	 */
	if (!iph->id)
		__ip_select_ident(hn->net, iph, 1);
	ip_send_check(iph);
}

/* As ip_local_error(), which is not exported. @daddr: network order; @mtu: bytes. */
static void queue_local_error(struct sock *sk, __be32 daddr, u32 mtu)
{
	struct sock_exterr_skb *serr;
	struct sk_buff *skb;

	if (!hostroute_compat_recverr(sk))
		return;
	skb = alloc_skb(sizeof(struct iphdr), GFP_ATOMIC);
	if (!skb)
		return;
	skb_put_zero(skb, sizeof(struct iphdr));
	skb_reset_network_header(skb);
	ip_hdr(skb)->daddr = daddr;
	serr = SKB_EXT_ERR(skb);
	serr->ee = (struct sock_extended_err) {
		.ee_errno = EMSGSIZE,
		.ee_origin = SO_EE_ORIGIN_LOCAL,
		.ee_info = mtu,
	};
	serr->addr_offset = offsetof(struct iphdr, daddr);
	serr->port = inet_sk(sk)->inet_dport;
	serr->opt_stats = 0;
	__skb_pull(skb, skb->len);
	skb_reset_transport_header(skb);
	if (sock_queue_err_skb(sk, skb))
		kfree_skb(skb);
}

static unsigned int refuse(struct hostroute_net *hn, struct sock *sk,
			   const struct sk_buff *skb, u32 mtu)
{
	/* The stock path queues no error for a GSO packet either. */
	if (!skb_is_gso(skb))
		queue_local_error(sk, ip_hdr(skb)->daddr, mtu);
	hostroute_stats_inc(hn->stats, HOSTROUTE_TOO_BIG);
	return NF_DROP_ERR(-EMSGSIZE);
}

/* Is it a clone, or a stock route that can have one? */
static bool is_limited(const struct dst_entry *dst)
{
	return hostroute_of_dst(dst) || hostroute_clone_is_own(dst) ||
	       hostroute_stock_clonable(dst);
}

/* The MTU that is set on the device that @dst leaves by, bytes, if it is below the
 * link's; else U32_MAX.
 */
static u32 device_mtu(const struct hostroute_net *hn, const struct dst_entry *dst)
{
	u32 mtu;

	if (READ_ONCE(hn->device_mtu) == U32_MAX || !is_limited(dst))
		return U32_MAX;
	mtu = hostroute_override_mtu(dst->dev);
	return mtu < READ_ONCE(dst->dev->mtu) ? mtu : U32_MAX;
}

/* The clone for the destination, or else for the device, with a reference; NULL if
 * there is nothing to gain, or none can be made.
 */
static struct dst_entry *clone_for(struct hostroute_net *hn, struct hostroute *route,
				   struct dst_entry *dst)
{
	struct dst_entry *clone = NULL;

	if (route)
		clone = hostroute_stock_clone(&hn->table, route, dst);
	if (clone)
		return clone;
	route = hostroute_device_find_route(hn, dst);
	return route ? hostroute_stock_clone(&hn->table, route, dst) : NULL;
}

/* The clone that the packet should leave by, with a reference. NULL if it leaves by a
 * host route's clone or its socket's own already, or there is no other.
 *
 * If a connected socket sent the packet to its peer, on its own route, the socket uses
 * the clone from now on. Then IP_MTU shows the MTU, and packets that are too big are
 * refused while they are being made.
 */
static struct dst_entry *adopt(struct hostroute_net *hn, struct hostroute *route,
			       u32 mtu, struct sock *sk, const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);
	struct hostroute *now = hostroute_of_dst(dst);
	struct dst_entry *clone;

	if (now && !hostroute_is_device(now))
		return NULL;
	if (hostroute_clone_is_own(dst)) {
		hostroute_clone_lower(hostroute_clone_of(dst), mtu);
		return NULL;
	}
	clone = clone_for(hn, route, dst);
	if (clone && sk->sk_type == SOCK_DGRAM) {
		dst_hold(clone);
		hostroute_own_swap(sk, hostroute_addr_v4(ip_hdr(skb)->daddr), dst, clone);
	}
	return clone;
}

/* The path may carry less than an unproven route can say. */
static bool at_floor(const struct hostroute_net *hn, const struct hostroute *route)
{
	return hostroute_class_rank(READ_ONCE(route->class)) == HOSTROUTE_RANK_UNPROVEN &&
	       READ_ONCE(route->mtu) <= READ_ONCE(hn->table.limits.min_mtu_unproven);
}

/* @route: the destination's host route, may be NULL. @mtu: the smaller of its MTU and
 * the device's, bytes.
 */
static unsigned int under(struct hostroute_net *hn, struct hostroute *route, u32 mtu,
			  struct sock *sk, struct sk_buff *skb)
{
	u8 pmtudisc = READ_ONCE(inet_sk(sk)->pmtudisc);
	bool as_it_is = hostroute_compat_hdrincl(sk);
	struct dst_entry *clone;

	if (route)
		hostroute_mark_used(route);
	if (datagram_len(skb) <= mtu) {
		if (pmtudisc < IP_PMTUDISC_DO && !as_it_is && route &&
		    at_floor(hn, route))
			clear_df(hn, skb);
		return NF_ACCEPT;
	}
	clone = adopt(hn, route, mtu, sk, skb);
	/* IP would refuse it as well, but also send this host a message through lo. */
	if (as_it_is ? !!(ip_hdr(skb)->frag_off & htons(IP_DF)) :
		       pmtudisc == IP_PMTUDISC_DO || skb_is_gso(skb)) {
		dst_release(clone);
		return refuse(hn, sk, skb, mtu);
	}
	clear_df(hn, skb);
	hostroute_stats_inc(hn->stats, HOSTROUTE_FRAGMENTED);
	if (clone) {
		skb_dst_drop(skb);
		skb_dst_set(skb, clone);
	}
	return NF_ACCEPT;
}

/* PROBE, INTERFACE and OMIT: the socket ignores path MTUs, and IP ignores a clone's
 * MTU.
 */
static unsigned int under_device(struct hostroute_net *hn, u32 mtu, struct sock *sk,
				 struct sk_buff *skb)
{
	if (datagram_len(skb) <= mtu)
		return NF_ACCEPT;
	if (READ_ONCE(inet_sk(sk)->pmtudisc) != IP_PMTUDISC_OMIT || skb_is_gso(skb) ||
	    ip_hdr(skb)->frag_off & htons(IP_DF))
		return refuse(hn, sk, skb, mtu);
	/* IP fragments it as if it had been reassembled from fragments of that
	 * size.
	 */
	IPCB(skb)->frag_max_size = mtu;
	hostroute_stats_inc(hn->stats, HOSTROUTE_FRAGMENTED);
	return NF_ACCEPT;
}

/**
 * hostroute_datagram_output - apply host routes to a datagram that leaves
 * @hn:		the namespace
 * @sk:		the socket that sends it, as netfilter says; may be NULL
 * @out:	the device that netfilter says it leaves by
 * @skb:	the packet, at LOCAL_OUT, with a route
 *
 * Context: RCU; process or softirq.
 * Return: NF_ACCEPT, or NF_DROP with EMSGSIZE for the sender.
 */
unsigned int hostroute_datagram_output(struct hostroute_net *hn, struct sock *sk,
				       const struct net_device *out,
				       struct sk_buff *skb)
{
	u32 smallest = min(READ_ONCE(hn->table.smallest_any),
			   READ_ONCE(hn->device_mtu));
	struct hostroute *route;
	u32 mtu;

	if (datagram_len(skb) <= smallest)
		return NF_ACCEPT;
	sk = datagram_socket(sk, skb);
	if (!sk)
		return NF_ACCEPT;
	/* A packet that leaves by a VRF device comes here again for the device below.
	 * Only then does its sender get an error.
	 */
	if (netif_is_l3_master(out))
		return NF_ACCEPT;
	mtu = device_mtu(hn, skb_dst(skb));
	if (!ip_sk_use_pmtu(sk))
		return under_device(hn, mtu, sk, skb);
	route = hostroute_of_dst(skb_dst(skb));
	if (!route || hostroute_is_device(route))
		route = hostroute_net_find(hn, skb_dst(skb),
					   hostroute_addr_v4(ip_hdr(skb)->daddr), true);
	if (route)
		mtu = min_t(u32, mtu, READ_ONCE(route->mtu));
	return under(hn, route, mtu, sk, skb);
}
