// SPDX-License-Identifier: GPL-2.0
/*
 * From outcomes to tracepoints. No other file fires a tracepoint: others report what
 * happened by the outcome that they count. src/events.h has the fields.
 */
#include "trace.h"

#include <linux/icmp.h>
#include <linux/ip.h>
#include <net/ip.h>

#define CREATE_TRACE_POINTS
#include "events.h"

static bool has_ports(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return true;
	default:
		return false;
	}
}

/* The ports and the sequence number of the quoted packet, as far as they are quoted. */
static void peek_transport(const struct sk_buff *skb, unsigned int at,
			   struct hostroute_msg *msg)
{
	__be16 ports[2], *p;
	__be32 seq, *s;

	p = skb_header_pointer(skb, at, sizeof(ports), ports);
	if (!p)
		return;
	msg->sport = p[0];
	msg->dport = p[1];
	s = skb_header_pointer(skb, at + sizeof(ports), sizeof(seq), &seq);
	if (s)
		msg->seq = ntohl(*s);
}

/* What the parser did not reach in a message, because it refused the message before. The
 * message may end anywhere.
 */
static void peek(const struct sk_buff *skb, struct hostroute_msg *msg)
{
	unsigned int at = skb_network_offset(skb) + ip_hdrlen(skb);
	const struct icmphdr *icmph;
	const struct iphdr *inner;
	struct icmphdr icmp_buf;
	struct iphdr inner_buf;

	msg->router = hostroute_addr_v4(ip_hdr(skb)->saddr);
	icmph = skb_header_pointer(skb, at, sizeof(icmp_buf), &icmp_buf);
	if (!icmph)
		return;
	msg->mtu = ntohs(icmph->un.frag.mtu);
	at += sizeof(*icmph);
	inner = skb_header_pointer(skb, at, sizeof(*inner), &inner_buf);
	if (!inner || inner->version != 4)
		return;
	msg->saddr = hostroute_addr_v4(inner->saddr);
	msg->daddr = hostroute_addr_v4(inner->daddr);
	msg->quoted_len = ntohs(inner->tot_len);
	msg->protocol = inner->protocol;
	if (inner->ihl >= 5 && !(inner->frag_off & htons(IP_OFFSET)))
		peek_transport(skb, at + inner->ihl * 4, msg);
}

/* The message as the tracepoint shows it: ports and sequence number only if it is of a
 * protocol that has them.
 */
static struct hostroute_msg readable(const struct sk_buff *skb,
				     const struct hostroute_msg *parsed)
{
	struct hostroute_msg msg = *parsed;

	if (!parsed->quoted_ihl)
		peek(skb, &msg);
	if (!has_ports(msg.protocol)) {
		msg.sport = 0;
		msg.dport = 0;
	}
	if (msg.protocol != IPPROTO_TCP)
		msg.seq = 0;
	return msg;
}

/**
 * hostroute_trace_message_watched - a message was handled
 * @netns:	inode of the namespace
 * @skb:	the message, at LOCAL_IN or FORWARD
 * @msg:	the same, parsed, or as the parser left it when it refused
 * @outcome:	what became of it
 *
 * Fires "ignored" or "deferred". A message that was accepted fires neither:
 * hostroute_trace_route() fires an event of its host route.
 *
 * Context: any but hardirq.
 */
void hostroute_trace_message_watched(unsigned int netns,
				     const struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     enum hostroute_outcome outcome)
{
	struct hostroute_msg shown;

	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_LOWERED:
	case HOSTROUTE_REFRESHED:
	case HOSTROUTE_CONFIRMED:
	case HOSTROUTE_RECORDED:
	case HOSTROUTE_FORWARD_LEARNED:
	case HOSTROUTE_FORWARD_LOWERED:
	case HOSTROUTE_FORWARD_REFRESHED:
		break;
	case HOSTROUTE_DEFERRED:
		trace_deferred(netns, skb, msg, outcome);
		break;
	default:
		if (!trace_ignored_enabled())
			break;
		shown = readable(skb, msg);
		trace_ignored(netns, skb, &shown, outcome);
	}
}

/* Whether any tracepoint for accepted claims is enabled. Context: any. */
bool hostroute_trace_learning(void)
{
	return trace_learned_enabled() || trace_recorded_enabled() ||
	       trace_lowered_enabled() || trace_refreshed_enabled() ||
	       trace_confirmed_enabled();
}

/**
 * hostroute_trace_route - something happened to a host route
 * @netns:	inode of the namespace
 * @route:	as it is now; if it leaves the table, as it was last
 * @what:	what happened; an outcome that does not concern a route fires nothing
 * @observed:	it only would have happened (mode=observe)
 *
 * Context: table->lock.
 */
void hostroute_trace_route(unsigned int netns,
			   const struct hostroute *route,
			   enum hostroute_outcome what, bool observed)
{
	switch (what) {
	case HOSTROUTE_LEARNED:
		if (route->class == HOSTROUTE_CLASS_UNPROVEN)
			trace_recorded(netns, route, observed);
		else
			trace_learned(netns, route, observed);
		break;
	case HOSTROUTE_LOWERED:
		trace_lowered(netns, route, observed);
		break;
	case HOSTROUTE_REFRESHED:
		trace_refreshed(netns, route, observed);
		break;
	case HOSTROUTE_CONFIRMED:
		trace_confirmed(netns, route, observed);
		break;
	case HOSTROUTE_ADDED:
		trace_added(netns, route, observed);
		break;
	case HOSTROUTE_PINNED:
		trace_pinned(netns, route, observed);
		break;
	case HOSTROUTE_DELETED:
		trace_deleted(netns, route, observed);
		break;
	case HOSTROUTE_FLUSHED:
		trace_flushed(netns, route, observed);
		break;
	case HOSTROUTE_EXPIRED:
		trace_expired(netns, route, observed);
		break;
	case HOSTROUTE_RESTORED:
		trace_restored(netns, route, observed);
		break;
	case HOSTROUTE_EVICTED:
		trace_evicted(netns, route, observed);
		break;
	case HOSTROUTE_RECLAIMED:
		trace_reclaimed(netns, route, observed);
		break;
	default:
		break;
	}
}

/**
 * hostroute_trace_socket - something happened to a TCP socket
 * @netns:	inode of the namespace
 * @sk:		the socket
 * @what:	what happened
 * @mtu:	bytes; the MTU that the socket uses from now on, 0: not known yet; of a
 *		claim that waited, the MTU that was claimed
 *
 * Context: the spinlock of @sk.
 */
void hostroute_trace_socket(unsigned int netns, const struct sock *sk,
			    enum hostroute_outcome what, u32 mtu)
{
	switch (what) {
	case HOSTROUTE_CLAMPED:
		trace_clamped(netns, sk, mtu);
		break;
	case HOSTROUTE_CLAMP_QUEUED:
		trace_clamp_queued(netns, sk, mtu);
		break;
	case HOSTROUTE_CLAMP_SKIPPED:
		trace_clamp_skipped(netns, sk, mtu);
		break;
	case HOSTROUTE_DEFERRED_APPLIED:
		trace_deferred_applied(netns, sk, mtu);
		break;
	case HOSTROUTE_DEFERRED_CLEARED:
		trace_deferred_cleared(netns, sk, mtu);
		break;
	case HOSTROUTE_DEFERRED_DROPPED:
		trace_deferred_dropped(netns, sk, mtu);
		break;
	default:
		break;
	}
}

/**
 * hostroute_trace_mss - the MSS option of a SYN was lowered
 * @netns:	inode of the namespace
 * @state:	of the hook
 * @skb:	the SYN
 * @change:	what was lowered
 * @observed:	it only would have been (mode=observe)
 *
 * Context: any but hardirq.
 */
void hostroute_trace_mss(unsigned int netns,
			 const struct nf_hook_state *state, const struct sk_buff *skb,
			 const struct hostroute_mss_change *change, bool observed)
{
	trace_clamped_mss(netns, state, skb, change, observed);
}
