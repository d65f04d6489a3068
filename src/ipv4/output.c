// SPDX-License-Identifier: GPL-2.0
/*
 * LOCAL_OUT: puts a TCP packet to a destination in the table under its host route, and
 * the socket with it. A packet that is too big already is cut to fit. A packet to
 * another destination goes under a device route, if the administrator has set an MTU
 * on its device. Packets that are not TCP are for src/ipv4/datagram.c.
 *
 * The hook runs before everything else at LOCAL_OUT. The table is keyed by the
 * destination as the socket knows it, and at LOCAL_IN a quote shows it like that after
 * NAT. The hook costs every packet something, so it is registered only while there is
 * a host route to apply, or an MTU set on a device (src/net.c).
 */
#include "output.h"
#include "../../pmtu_hostroute.h"
#include "../clone.h"
#include "../device.h"
#include "../override.h"
#include "../syn.h"
#include "datagram.h"
#include "stock.h"

#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/tcp.h>

/* Bytes of the largest packet that @skb becomes on the wire. */
static unsigned int wire_len(const struct sk_buff *skb, unsigned int headers)
{
	if (skb_is_gso(skb))
		return headers + skb_shinfo(skb)->gso_size;
	return skb->len;
}

static const struct tcphdr *tcp_header(const struct sk_buff *skb)
{
	return (const struct tcphdr *)(skb_network_header(skb) + ip_hdrlen(skb));
}

/* TCP has just written its header into the linear part. */
static bool is_plain_tcp(const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	return !ip_is_fragment(iph) &&
	       skb_headlen(skb) >= skb_network_offset(skb) + ip_hdrlen(skb) +
				   sizeof(struct tcphdr);
}

/* Segments that were sized before their socket knew better need not be lost. TCP
 * leaves the checksum to the device, so the packet can be segmented once more.
 * skb_shinfo() is shared with the copy in the retransmit queue, but TCP sets these
 * fields again at each transmission, under the same socket lock.
 *
 * Not for SYNs (a SYN is one segment), nor for sockets whose segments must not be cut
 * (TCP-MD5 signs each one).
 */
static bool resegment(const struct sock *sk, struct sk_buff *skb,
		      const struct tcphdr *th, unsigned int headers, u32 mtu)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int payload = skb->len - headers;
	bool gso = skb_is_gso(skb);

	if (skb->ip_summed != CHECKSUM_PARTIAL || th->syn || !sk_can_gso(sk) ||
	    mtu <= headers)
		return false;
	shinfo->gso_size = mtu - headers;
	shinfo->gso_segs = DIV_ROUND_UP(payload, shinfo->gso_size);
	if (!gso) {
		shinfo->gso_type = SKB_GSO_TCPV4;
		if (th->cwr)
			shinfo->gso_type |= SKB_GSO_TCP_ECN;
	}
	return true;
}

/* A SYN with Fast Open data that is too big for the path. It cannot be cut up, and TCP
 * knew no better. If sending fails, TCP sends the SYN without data at once, and the
 * data with what follows (tcp_send_syn_data()).
 */
static bool is_big_syn(const struct sk_buff *skb, const struct tcphdr *th,
		       unsigned int headers)
{
	return th->syn && !th->ack && skb->len > headers;
}

/* The socket of the TCP connection that sends this packet. A listener is none, nor is
 * the control socket that resets are sent from.
 */
static struct sock *sending_socket(struct sock *sk)
{
	if (!sk || !sk_fullsock(sk) || !sk_is_tcp(sk))
		return NULL;
	if ((1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE))
		return NULL;
	return sk;
}

/* If the dst is the socket's own and held without a reference, this is inside
 * ip_queue_xmit(), where TCP owns the socket. Whatever queues a packet, and could
 * bring it here without the socket's lock, takes a reference first.
 */
static bool socket_is_ours(const struct sock *sk, const struct sk_buff *skb)
{
	return skb->_skb_refdst & SKB_DST_NOREF &&
	       rcu_access_pointer(sk->sk_dst_cache) == skb_dst(skb);
}

static bool put_under(struct hostroute_net *hn, struct hostroute *route,
		      struct sock *sk, struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);
	struct dst_entry *clone;

	clone = hostroute_stock_clone(&hn->table, route, dst);
	if (!clone)
		return false;
	if (socket_is_ours(sk, skb)) {
		dst_hold(clone);
		__sk_dst_set(sk, clone);
	}
	skb_dst_drop(skb);
	skb_dst_set(skb, clone);
	return true;
}

/* Put @skb, and @sk from now on, under the host route to the destination, or else
 * under the device route.
 */
static void find_and_put_under(struct hostroute_net *hn, struct sock *sk,
			       struct sk_buff *skb)
{
	struct hostroute *route;

	route = hostroute_net_find(hn, skb_dst(skb),
				   hostroute_addr_v4(ip_hdr(skb)->daddr), false);
	if (route) {
		hostroute_mark_used(route);
		if (put_under(hn, route, sk, skb))
			return;
	}
	if (hostroute_of_dst(skb_dst(skb)))
		return;
	route = hostroute_device_find_route(hn, skb_dst(skb));
	if (route)
		put_under(hn, route, sk, skb);
}

/* The MSS that a SYN offers comes from the interface's MTU, as the administrator has
 * set it.
 */
static void offer_less(struct hostroute_net *hn, const struct nf_hook_state *state,
		       struct sk_buff *skb)
{
	u32 mtu = hostroute_override_mtu(skb_dst(skb)->dev);
	const struct sock *sk = state->sk;

	/* An answer that is made without a socket (SYN cookies) has none. */
	if (sk && sk_fullsock(sk) && !sk_is_tcp(sk))
		return;
	if (mtu != U32_MAX)
		hostroute_syn_clamp(hn, state, skb, mtu, false);
}

static noinline unsigned int output(struct hostroute_net *hn, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	struct sock *sk;
	unsigned int headers, len;
	struct hostroute *route;
	const struct tcphdr *th;
	u32 smallest, mtu;

	if (!skb_dst(skb))
		return NF_ACCEPT;
	if (ip_hdr(skb)->protocol != IPPROTO_TCP)
		return hostroute_datagram_output(hn, state->sk, state->out, skb);
	if (!is_plain_tcp(skb))
		return NF_ACCEPT;
	if (tcp_header(skb)->syn && READ_ONCE(hn->device_mtu) != U32_MAX)
		offer_less(hn, state, skb);
	sk = sending_socket(state->sk);
	if (!sk)
		return NF_ACCEPT;
	th = tcp_header(skb);
	headers = ip_hdrlen(skb) + th->doff * 4;
	len = wire_len(skb, headers);

	route = hostroute_of_dst(skb_dst(skb));
	if (route && !hostroute_is_device(route)) {
		hostroute_mark_used(route);
	} else {
		smallest = READ_ONCE(hn->table.smallest_mtu);
		if (!route)
			smallest = min(smallest, READ_ONCE(hn->device_mtu));
		if (len > smallest || th->syn)
			find_and_put_under(hn, sk, skb);
		if (!hostroute_of_dst(skb_dst(skb)))
			return NF_ACCEPT;
	}
	mtu = hostroute_clone_mtu(skb_dst(skb));
	if (likely(len <= mtu))
		return NF_ACCEPT;
	if (is_big_syn(skb, th, headers)) {
		hostroute_stats_inc(hn->stats, HOSTROUTE_SYN_DATA_DROPPED);
		return NF_DROP;
	}
	/* Whatever IP_MTU_DISCOVER says: TCP cuts its segments by dst_mtu(). */
	if (resegment(sk, skb, th, headers, mtu))
		hostroute_stats_inc(hn->stats, HOSTROUTE_RESEGMENTED);
	return NF_ACCEPT;
}

/* Is this TCP's own packet, under its host route already, and does it fit? @dst may be
 * NULL.
 */
static bool follows(const struct hostroute_net *hn, const struct sk_buff *skb,
		    const struct dst_entry *dst)
{
	unsigned int len = skb->len;
	const struct hostroute *route;
	const struct tcphdr *th;

	route = dst ? hostroute_of_dst(dst) : NULL;
	if (!route || hostroute_is_device(route) || !READ_ONCE(route->used))
		return false;
	if (READ_ONCE(hn->device_mtu) != U32_MAX)
		return false;
	if (skb_is_gso(skb)) {
		th = (const struct tcphdr *)skb_transport_header(skb);
		if ((const u8 *)(th + 1) > skb_tail_pointer(skb))
			return false;
		len = wire_len(skb, skb_network_header_len(skb) + th->doff * 4);
	}
	return len <= dst_metric_raw(dst, RTAX_MTU);
}

/* Every packet from this host comes here. A datagram that fits every route, and a
 * segment that fits its host route, should pay for this function alone. So everything
 * that saves registers is in others.
 */
static unsigned int output_hook(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct hostroute_net *hn = priv;

	if (ip_hdr(skb)->protocol == IPPROTO_TCP) {
		if (follows(hn, skb, skb_dst(skb)))
			return NF_ACCEPT;
	} else if (skb->len <= READ_ONCE(hn->table.smallest_any) &&
		   skb->len <= READ_ONCE(hn->device_mtu)) {
		return NF_ACCEPT;
	}
	return output(priv, skb, state);
}

/**
 * hostroute_output_init - prepare the hook, which is not registered yet
 * @hn: the namespace, before anything can update the hook
 *
 * Context: process.
 */
void hostroute_output_init(struct hostroute_net *hn)
{
	hostroute_hook_init(&hn->output, hn->net, &(struct nf_hook_ops) {
		.hook = output_hook,
		.priv = hn,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_OUT,
		.priority = NF_IP_PRI_FIRST,
	}, hostroute_net_applies);
}
