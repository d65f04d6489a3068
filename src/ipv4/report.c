// SPDX-License-Identifier: GPL-2.0
/*
 * A host that consumes an ICMP error owes its report to those whose packet it
 * was about (RFC 1122 3.2.2.1): EMSGSIZE, and the error queue of IP_RECVERR, as
 * the stock path gives them, for UDP and raw sockets. What it learned goes no
 * further than the socket: a connected one gets a route of its own, and nobody
 * else can tell whether there was a socket at all.
 *
 * Kernel sockets that encapsulate have error handlers of their own: messages
 * that may be theirs are left to the stock path. Ping sockets cannot be found from
 * here, but the stock kernel can be made to tell them and do nothing else.
 */
#include "report.h"
#include "../compat.h"
#include "own.h"
#include "tunnel.h"

#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ping.h>
#include <net/protocol.h>
#include <net/raw.h>
#include <net/udp.h>

#define PING_REPORT_MAX	4096U	/* RFC 1812 4.3.2.3: 576 are usual */

/* Offset of the quoted IP header from the message's own. */
static unsigned int quote_at(const struct sk_buff *skb)
{
	return ip_hdrlen(skb) + sizeof(struct icmphdr);
}

/* The error queue of a socket that asked for it. The message itself stays as it
 * is; the error's data start @payload bytes into it, @port is the peer's.
 */
static void queue_error(struct sock *sk, const struct sk_buff *message,
			const struct hostroute_msg *msg, unsigned int payload,
			__be16 port)
{
	struct sk_buff *skb = skb_clone((struct sk_buff *)message, GFP_ATOMIC);

	if (!skb)
		return;
	if (pskb_may_pull(skb, payload))
		hostroute_compat_icmp_error(sk, skb, port, msg->mtu, payload);
	kfree_skb(skb);
}

static void set_error(struct hostroute_net *hn, struct sock *sk)
{
	WRITE_ONCE(sk->sk_err, EMSGSIZE);
	sk_error_report(sk);
	hostroute_stats_inc(hn->stats, HOSTROUTE_REPORTED);
}

static bool wants_pmtu(const struct sock *sk)
{
	return READ_ONCE(inet_sk(sk)->pmtudisc) != IP_PMTUDISC_DONT;
}

/* ---- raw sockets ------------------------------------------------------------------ */

static void tell_raw(struct hostroute_net *hn, struct sock *sk,
		     const struct sk_buff *skb, const struct hostroute_msg *msg)
{
	unsigned int payload = quote_at(skb);
	bool queue = hostroute_compat_recverr(sk);

	/* It sends by what it is connected to, and shows its MTU. */
	if (msg->mtu && ip_sk_accept_pmtu(sk))
		hostroute_own_set(hn, sk, msg->daddr, msg->mtu);
	if (!queue && READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return;
	if (!hostroute_compat_hdrincl(sk))
		payload += msg->quoted_ihl;
	if (queue)
		queue_error(sk, skb, msg, payload, 0);
	if (queue || wants_pmtu(sk))
		set_error(hn, sk);
}

/**
 * hostroute_report_raw - tell raw sockets about a message that is consumed
 * @hn:	 the namespace
 * @skb: the message, at LOCAL_IN; not changed
 * @msg: the message, parsed
 *
 * Context: RCU, BH off.
 */
void hostroute_report_raw(struct hostroute_net *hn, const struct sk_buff *skb,
			  const struct hostroute_msg *msg)
{
	u32 hash = raw_hashfunc(hn->net, msg->protocol);
	struct sock *sk;

	if (msg->observe)
		return;
	sk_for_each_rcu(sk, &raw_v4_hashinfo.ht[hash])
		if (raw_v4_match(hn->net, sk, msg->protocol, msg->daddr.v4,
				 msg->saddr.v4, skb->dev->ifindex, inet_sdif(skb)))
			tell_raw(hn, sk, skb, msg);
}

/* ---- UDP ---------------------------------------------------------------------------- */

/* Any program may give its socket an encap_type; what receives for a tunnel, or
 * IPsec's packets for a program, has a function for that.
 */
static bool encapsulates(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->encap_type) && READ_ONCE(udp_sk(sk)->encap_rcv);
}

/*
 * Is it a tunnel's? It came from the tunnel's socket, or (source ports may be
 * made up, and be another socket's by chance) went to a port that a tunnel sends to
 * or is bound to.
 */
static bool is_tunnels(struct hostroute_net *hn, const struct sk_buff *skb,
		       const struct hostroute_msg *msg, const struct sock *sk)
{
	if (sk && (encapsulates(sk) || READ_ONCE(inet_sk(sk)->inet_dport)))
		return encapsulates(sk);
	if (hostroute_tunnel_sends(hn->net, msg))
		return true;
	/* What else a tunnel sends to a port comes back to a socket at that port. */
	if (!hostroute_compat_udp_encap_needed())
		return false;
	sk = hostroute_compat_lookup_udp(hn->net, msg->daddr.v4, msg->sport,
					 msg->saddr.v4, msg->dport,
					 skb->dev->ifindex, 0);
	return sk && (encapsulates(sk) || READ_ONCE(udp_sk(sk)->encap_err_lookup));
}

static void tell_udp(struct hostroute_net *hn, struct sock *sk,
		     const struct sk_buff *skb, const struct hostroute_msg *msg,
		     u32 mtu)
{
	unsigned int payload = quote_at(skb) + msg->quoted_ihl + sizeof(struct udphdr);

	/* Only a connected socket shows by its 4-tuple that this was its own. */
	if (ip_sk_accept_pmtu(sk) &&
	    READ_ONCE(inet_sk(sk)->inet_dport) == msg->dport)
		hostroute_own_set(hn, sk, msg->daddr, mtu);
	if (!wants_pmtu(sk))
		return;
	if (hostroute_compat_recverr(sk))
		queue_error(sk, skb, msg, payload, msg->dport);
	else if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return;
	set_error(hn, sk);
}

static enum hostroute_outcome report_udp(struct hostroute_net *hn,
					 const struct sk_buff *skb,
					 const struct hostroute_msg *msg, u32 mtu)
{
	struct sock *sk;

	sk = hostroute_compat_lookup_udp(hn->net, msg->daddr.v4, msg->dport,
					 msg->saddr.v4, msg->sport,
					 skb->dev->ifindex, inet_sdif(skb));
	if (is_tunnels(hn, skb, msg, sk))
		return HOSTROUTE_PASSED_ENCAP;
	hostroute_report_raw(hn, skb, msg);
	if (sk && !msg->observe)
		tell_udp(hn, sk, skb, msg, mtu);
	return HOSTROUTE_CONTINUE;
}

/* ---- Echo ----------------------------------------------------------------------------- */

/* Where the kernel does not say, there may be. */
static bool may_have_ping_sockets(const struct hostroute_net *hn)
{
	struct proto *ping = hostroute_compat_ping();

	return !ping || sock_prot_inuse_get(hn->net, ping);
}

/*
 * ICMP's own handler of errors finds the ping socket, tells it, and has the
 * quoted path's MTU changed for everybody. It takes the quoted IP header, whose
 * addresses it looks that path up by, from skb->data; the socket's error queue is
 * made from what follows the ICMP header. In a copy these can be two places: a
 * header with addresses that no path leads between is put before the ICMP header,
 * and said to be as long as it takes to end where the quoted one ends.
 *
 *   outer IP header | that header | ICMP header | quoted IP header | Echo
 *
 * From the limited broadcast there is no path. The route that a connected
 * socket holds is looked up again without the source: 127.0.0.0 is nobody's.
 * (Where that does not lead to lo, an exception for it is made once on another
 * route, which marks what is cached of that stale. It changes no packet's path.)
 */
static void tell_ping(const struct sk_buff *skb, const struct hostroute_msg *msg)
{
	unsigned int pretended = sizeof(struct iphdr) + sizeof(struct icmphdr) +
				 msg->quoted_ihl;
	const struct net_protocol *icmp = rcu_dereference(inet_protos[IPPROTO_ICMP]);
	unsigned int outer = ip_hdrlen(skb);
	struct iphdr *header;
	struct sk_buff *copy;

	/* Such an Echo has more than 12 bytes of IP options. */
	if (pretended > 60 || skb->len > PING_REPORT_MAX || !icmp ||
	    !icmp->err_handler)
		return;
	copy = skb_copy_expand(skb, skb_headroom(skb) + sizeof(*header), 0,
			       GFP_ATOMIC | __GFP_NOWARN);
	if (!copy)
		return;
	skb_push(copy, sizeof(*header));
	memmove(copy->data, copy->data + sizeof(*header), outer);
	skb_reset_network_header(copy);
	header = __skb_pull(copy, outer);
	*header = (struct iphdr) {
		.version = 4,
		.ihl = pretended / 4,
		.protocol = IPPROTO_ICMP,
		.saddr = htonl(INADDR_BROADCAST),
		.daddr = htonl(0x7f000000),
	};
	skb_set_transport_header(copy, sizeof(*header));
	icmp->err_handler(copy, msg->mtu);
	consume_skb(copy);
}

/**
 * hostroute_report - give the report of a datagram's message
 * @hn:	 the namespace
 * @skb: the message, at LOCAL_IN; not changed
 * @msg: the message, parsed: not of TCP
 * @mtu: bytes; what the message claims, or is taken to mean
 *
 * Nobody is told of a message that is only observed: the stock path does it.
 *
 * Context: RCU, BH off.
 * Return: HOSTROUTE_CONTINUE, or PASSED_ENCAP if nothing was reported because the
 * stock path has to do it.
 */
enum hostroute_outcome hostroute_report(struct hostroute_net *hn,
					const struct sk_buff *skb,
					const struct hostroute_msg *msg, u32 mtu)
{
	if (msg->protocol == IPPROTO_UDP)
		return report_udp(hn, skb, msg, mtu);
	hostroute_report_raw(hn, skb, msg);
	if (msg->protocol == IPPROTO_ICMP && !msg->observe &&
	    may_have_ping_sockets(hn))
		tell_ping(skb, msg);
	return HOSTROUTE_CONTINUE;
}
