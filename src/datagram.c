// SPDX-License-Identifier: GPL-2.0
/*
 * LOCAL_OUT for datagrams: UDP, Echo and raw sockets under host routes,
 * unproven ones included.
 *
 * By now a datagram has been made for its route's MTU. If the host route's is
 * smaller, what the stock path would have done is done now, according to the
 * socket's IP_MTU_DISCOVER: WANT and DONT let it be fragmented, so it goes out
 * without DF by way of the clone; DO refuses it with EMSGSIZE. PROBE, INTERFACE
 * and OMIT look at the device only, and so do we.
 *
 * An unproven route never goes below its floor, and the path may. So under one
 * that is at its floor DF is not set in any datagram that may be fragmented,
 * where the stock path "locks" the MTU.
 */
#include "../pmtu_hostroute.h"
#include "compat.h"

#include <linux/errqueue.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/udp.h>

/* The socket of a program's (or the kernel's own) datagram. Tunnels send what
 * belongs to another socket, or none.
 */
static struct sock *sending_socket(struct sock *sk, const struct sk_buff *skb)
{
	if (!sk || sk != skb->sk || !sk_fullsock(sk))
		return NULL;
	/* A packet socket's, by way of a VRF's device, is no inet_sock. */
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
static unsigned int wire_len(const struct sk_buff *skb)
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
	/* What may be fragmented has one already. */
	if (!iph->id)
		__ip_select_ident(hn->net, iph, 1);
	ip_send_check(iph);
}

/* As ip_local_error(), which is not exported. */
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
	/* The stock path queues no error about a train of segments. */
	if (!skb_is_gso(skb))
		queue_local_error(sk, ip_hdr(skb)->daddr, mtu);
	hostroute_stats_inc(hn->stats, HOSTROUTE_TOO_BIG);
	return NF_DROP_ERR(-EMSGSIZE);
}

/* What was sent to its peer on its own route, a connected socket sends by the
 * clone from now on, and IP_MTU tells.
 */
static void enter(struct hostroute_net *hn, struct hostroute *route,
		  struct sock *sk, struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);
	struct dst_entry *clone = hostroute_route_get(&hn->table, route, dst);

	if (!clone)
		return;
	if (sk->sk_type == SOCK_DGRAM) {
		dst_hold(clone);
		hostroute_route_swap(sk, ip_hdr(skb)->daddr, dst, clone);
	}
	skb_dst_drop(skb);
	skb_dst_set(skb, clone);
}

/* The path may carry less than an unproven route may say. */
static bool at_floor(const struct hostroute_net *hn, const struct hostroute *route)
{
	return READ_ONCE(route->class) == HOSTROUTE_CLASS_UNPROVEN &&
	       READ_ONCE(route->mtu) <= READ_ONCE(hn->table.limits.min_mtu_unproven);
}

static unsigned int under(struct hostroute_net *hn, struct hostroute *route,
			  struct sock *sk, struct sk_buff *skb)
{
	u8 pmtudisc = READ_ONCE(inet_sk(sk)->pmtudisc);
	bool as_it_is = hostroute_compat_hdrincl(sk);
	u32 mtu = READ_ONCE(route->mtu);

	hostroute_mark_used(route);
	if (wire_len(skb) <= mtu) {
		if (pmtudisc < IP_PMTUDISC_DO && !as_it_is && at_floor(hn, route))
			clear_df(hn, skb);
		return NF_ACCEPT;
	}
	/* IP would refuse it as well, and tell this host so by way of lo. */
	if (as_it_is ? ip_hdr(skb)->frag_off & htons(IP_DF) :
		       pmtudisc == IP_PMTUDISC_DO || skb_is_gso(skb))
		return refuse(hn, sk, skb, mtu);
	clear_df(hn, skb);
	hostroute_stats_inc(hn->stats, HOSTROUTE_FRAGMENTED);
	if (hostroute_route_is_own(skb_dst(skb)))
		hostroute_route_lower_own(skb_dst(skb), mtu);
	else if (!hostroute_route_of(skb_dst(skb)))
		enter(hn, route, sk, skb);
	return NF_ACCEPT;
}

/**
 * hostroute_datagram_output - a datagram leaves
 * @hn:	 the namespace
 * @sk:	 who sends it, as netfilter says; may be NULL
 * @out: the device it is said to leave by
 * @skb: the packet, at LOCAL_OUT, with a route
 *
 * Context: RCU; process or softirq.
 * Return: NF_ACCEPT, or NF_DROP with EMSGSIZE for the sender.
 */
unsigned int hostroute_datagram_output(struct hostroute_net *hn, struct sock *sk,
				       const struct net_device *out,
				       struct sk_buff *skb)
{
	struct hostroute *route;

	if (wire_len(skb) <= READ_ONCE(hn->table.smallest_any))
		return NF_ACCEPT;
	sk = sending_socket(sk, skb);
	if (!sk || !ip_sk_use_pmtu(sk))
		return NF_ACCEPT;
	/* For a VRF's device it comes here once more, for the one below: only
	 * then the sender is told of a refusal.
	 */
	if (netif_is_l3_master(out))
		return NF_ACCEPT;
	route = hostroute_route_of(skb_dst(skb)) ?:
		hostroute_net_find(hn, skb_dst(skb), ip_hdr(skb)->daddr, true);
	return route ? under(hn, route, sk, skb) : NF_ACCEPT;
}
