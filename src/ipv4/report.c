// SPDX-License-Identifier: GPL-2.0
/*
 * Reports errors to sockets. A host that consumes an ICMP error has to pass it to the
 * sender of the quoted packet (RFC 1122 3.2.2.1). UDP and raw sockets get what the
 * stock path gives them: EMSGSIZE, and an entry in the error queue with IP_RECVERR.
 * What the message claims goes no further than the socket: a connected one gets a
 * clone of its own, and no other program can find out whether there was a socket at
 * all.
 *
 * Kernel sockets that encapsulate have error handlers of their own. Messages that may
 * be theirs are left to the stock path. A module cannot look up ping sockets, but it
 * can make the stock kernel report to them and do nothing else, see tell_ping().
 *
 * TCP sockets get no error: they follow their MSS.
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

#define PING_REPORT_MAX	4096U	/* bytes; RFC 1812 4.3.2.3: 576 are usual */

/* Offset of the quoted IP header from the message's own, bytes. */
static unsigned int quote_at(const struct sk_buff *skb)
{
	return ip_hdrlen(skb) + sizeof(struct icmphdr);
}

/* Queue an error for a socket that asked for it (IP_RECVERR). The message itself stays
 * as it is. @payload: where the error's data start in it, bytes. @port: the peer's.
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

	/* A connected one sends by its own route, and shows that route's MTU. */
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
 * hostroute_report_raw - report a message that is consumed to raw sockets
 * @hn:		the namespace
 * @skb:	the message, at LOCAL_IN; not changed
 * @msg:	the message, parsed; does nothing if it is only observed
 *
 * Context: BH off, RCU.
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

/* Any program may give its socket an encap_type. A socket that receives for a tunnel,
 * or receives IPsec packets for a program, also has a function for that.
 */
static bool encapsulates(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->encap_type) && READ_ONCE(udp_sk(sk)->encap_rcv);
}

/* May a tunnel have sent the quoted packet? Yes if it came from the tunnel's socket. A
 * tunnel may also make up source ports, and hit another socket's port by chance. So it
 * is a tunnel's as well if it went to a port that a tunnel sends to or is bound to.
 */
static bool is_tunnels(struct hostroute_net *hn, const struct sk_buff *skb,
		       const struct hostroute_msg *msg, const struct sock *sk)
{
	if (sk && (encapsulates(sk) || READ_ONCE(inet_sk(sk)->inet_dport)))
		return encapsulates(sk);
	if (hostroute_tunnel_sends(hn->net, msg))
		return true;
	/* Tunnels of other kinds have a socket here at the port that they send to. */
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

	/* Only for a connected socket do addresses and ports show that it sent
	 * this.
	 */
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

/* True also if the kernel does not let a module see. */
static bool may_have_ping_sockets(const struct hostroute_net *hn)
{
	struct proto *ping = hostroute_compat_ping();

	return !ping || sock_prot_inuse_get(hn->net, ping);
}

/* ICMP's own error handler finds the ping socket and reports to it. It also changes
 * the MTU of the quoted path for all sockets. It looks up that path by the addresses
 * of the IP header at skb->data, but makes the socket's error queue from what follows
 * the ICMP header. In a copy of the message these can be two places. So a header with
 * addresses that no path connects is put before the ICMP header, and its length is set
 * so that it ends where the quoted header ends:
 *
 *   outer IP header | that header | ICMP header | quoted IP header | Echo
 *
 * There is no path from the limited broadcast. A connected socket needs none: the
 * kernel takes the route that the socket holds, and looks up only the next hop that
 * gets the exception, without checking the source. So the destination is 127.0.0.0,
 * which no host has. (Where that does not lead to lo, an exception for it is made once
 * on another next hop, and the routes cached there become stale. It changes no
 * packet's path.)
 */
static void tell_ping(const struct sk_buff *skb, const struct hostroute_msg *msg)
{
	unsigned int pretended = sizeof(struct iphdr) + sizeof(struct icmphdr) +
				 msg->quoted_ihl;
	const struct net_protocol *icmp = rcu_dereference(inet_protos[IPPROTO_ICMP]);
	unsigned int outer = ip_hdrlen(skb);
	struct iphdr *header;
	struct sk_buff *copy;

	/* The header's length is at most 60: such an Echo has more than 12 bytes of IP
	 * options.
	 */
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
 * hostroute_report - report the error in a datagram's message to sockets
 * @hn:		the namespace
 * @skb:	the message, at LOCAL_IN; not changed
 * @msg:	the message, parsed: not of TCP
 * @mtu:	bytes; what the message claims, or is taken to mean
 *
 * Nothing is reported if the message is only observed: the stock path does it.
 *
 * Context: BH off, RCU.
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
