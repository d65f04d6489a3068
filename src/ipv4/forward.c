// SPDX-License-Identifier: GPL-2.0
/*
 * FORWARD: what a router can do for connections that are not its own.
 *
 * It learns from "fragmentation needed" messages that pass it, if conntrack relates
 * them to a connection, or in any case with forward=clamp-untracked. What it learns is
 * the path MTU, from here, of the destination that they quote. The message goes on as
 * it came.
 *
 * It also lowers the MSS option of SYNs that pass. The MSS that X sends in a SYN
 * bounds what will be sent to X. So it may not be larger than the way to X, and the
 * devices, can carry. A connection that is opened after the router has learned then
 * fits from its first segment on, whether or not messages reach its ends. A packet
 * that is not a SYN is never touched.
 *
 * After DNAT and before SNAT, both addresses of a packet are those that routes here
 * know. So are those in a quote: NAT translates a quote in the same two places, the
 * other way round. So inner source and outer destination are equal here, and the SYN
 * of X and a quote about X agree on the address of X.
 *
 * None of this is applied to this host's own connections. A message is related if its
 * addresses and ports match: its sender need not know a sequence number. Hence these
 * routes have a class of their own (forwarded), in the unproven rank.
 *
 * The hook is registered only while the setting "forward" is not "off".
 */
#include "forward.h"
#include "../../pmtu_hostroute.h"
#include "../index.h"
#include "../syn.h"
#include "../trace.h"
#include "facts.h"
#include "icmp.h"

#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <linux/tcp.h>
#include <net/ip.h>

/* After the administrator's own rules, as at LOCAL_IN. */
#define FORWARD_PRIORITY	(NF_IP_PRI_CONNTRACK_HELPER - 1)

/* Reads what conntrack left in the packet, and so does not depend on its module. */
static bool is_related(const struct sk_buff *skb)
{
	unsigned long nfct = skb_get_nfct(skb);

	return nfct & NFCT_PTRMASK &&
	       ((nfct & NFCT_INFOMASK) == IP_CT_RELATED ||
		(nfct & NFCT_INFOMASK) == IP_CT_RELATED_REPLY);
}

/* The route from here to @daddr, for packets that come from @saddr; network order. */
static struct rtable *route_to(struct net *net, __be32 daddr, __be32 saddr,
			       int l3mdev)
{
	struct flowi4 fl4 = {
		.daddr = daddr,
		.saddr = saddr,
		.flowi4_oif = l3mdev,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};

	return ip_route_output_key(net, &fl4);
}

/* ---- learning ------------------------------------------------------------------ */

/* The counter for an outcome at FORWARD. */
static enum hostroute_outcome counted_as(enum hostroute_outcome outcome)
{
	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_CONFIRMED:
		return HOSTROUTE_FORWARD_LEARNED;
	case HOSTROUTE_LOWERED:
		return HOSTROUTE_FORWARD_LOWERED;
	case HOSTROUTE_REFRESHED:
		return HOSTROUTE_FORWARD_REFRESHED;
	case HOSTROUTE_OUTRANKED:
		return HOSTROUTE_FORWARD_OUTRANKED;
	case HOSTROUTE_IGNORED_NOT_SMALLER:
		return HOSTROUTE_FORWARD_NOT_SMALLER;
	case HOSTROUTE_IGNORED_RATE:
		return HOSTROUTE_FORWARD_RATE;
	case HOSTROUTE_IGNORED_FULL:
	case HOSTROUTE_IGNORED_MEMORY:
	case HOSTROUTE_PASSED_MEMORY:
		return HOSTROUTE_FORWARD_FULL;
	case HOSTROUTE_PASSED_PROTOCOL:
		return HOSTROUTE_FORWARD_PROTOCOL;
	case HOSTROUTE_PASSED_ROUTE:
	case HOSTROUTE_IGNORED_DESTINATION:
	case HOSTROUTE_IGNORED_LOCKED:
	case HOSTROUTE_IGNORED_ON_LINK:
		return HOSTROUTE_FORWARD_ROUTE;
	default:
		return HOSTROUTE_FORWARD_REFUSED;
	}
}

static enum hostroute_outcome learn_forwarded(struct hostroute_net *hn,
					      struct sk_buff *skb,
					      const struct hostroute_msg *msg,
					      const struct hostroute_path *path)
{
	struct hostroute_claim claim = {
		.key.daddr = msg->daddr,
		.key.l3mdev = path->l3mdev,
		.now = hostroute_now(),
		.mtu = msg->mtu ?: hostroute_claim_plateau(msg, path->estimate),
		.estimate = path->estimate,
		.router = msg->router,
		.ifindex = skb->skb_iif,
		.class = HOSTROUTE_CLASS_FORWARDED,
		.dry_run = msg->observe,
	};

	/* Anybody can make many of these if conntrack does not relate them. */
	if (!is_related(skb) && !hostroute_index_find(&hn->table, &claim.key) &&
	    !hostroute_net_may_record(hn, claim.now))
		return HOSTROUTE_IGNORED_RATE;
	return hostroute_net_learn(hn, &claim);
}

/* First syntax, then public facts, and only then what depends on a connection. */
static enum hostroute_outcome judge_forwarded(struct hostroute_net *hn,
					      struct sk_buff *skb,
					      struct hostroute_msg *msg, bool observe)
{
	enum hostroute_outcome outcome = hostroute_icmp_parse(skb, msg);
	struct hostroute_path path;

	/* The checksum that the parser may have left in @skb covers this hop's
	 * headers.
	 */
	skb_forward_csum(skb);
	msg->observe = observe;
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_facts_check_forwarded(hn->net, skb, msg, &path);
	if (outcome != HOSTROUTE_CONTINUE)
		return counted_as(outcome);
	if (!is_related(skb) &&
	    READ_ONCE(hn->set.forward) != HOSTROUTE_FORWARD_CLAMP_UNTRACKED)
		return HOSTROUTE_FORWARD_UNTRACKED;
	return counted_as(learn_forwarded(hn, skb, msg, &path));
}

static enum hostroute_outcome handle_forwarded(struct hostroute_net *hn,
					       struct sk_buff *skb, bool observe)
{
	struct hostroute_msg msg = {};
	enum hostroute_outcome outcome;

	hostroute_stats_inc(hn->stats, HOSTROUTE_FORWARD_RECEIVED);
	outcome = judge_forwarded(hn, skb, &msg, observe);
	hostroute_trace_message(hn->table.owner, skb, &msg, outcome);
	return outcome;
}

/* ---- clamping -------------------------------------------------------------------- */

/* The MTU that is known for the way to @key's destination, bytes; U32_MAX: none. */
static u32 known_mtu(struct hostroute_net *hn, const struct hostroute_key *key)
{
	struct hostroute *route = hostroute_index_find(&hn->table, key);

	if (!route || READ_ONCE(route->class) == HOSTROUTE_CLASS_UNPROVEN ||
	    hostroute_table_expired(&hn->table, route, hostroute_now()))
		return U32_MAX;
	hostroute_mark_used(route);
	return READ_ONCE(route->mtu);
}

/* The largest answer that a SYN may ask for, bytes. Answers come in where the SYN goes
 * out. They leave for its source by state->in or by another device.
 */
static u32 way_back_mtu(struct hostroute_net *hn, const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct hostroute_key key = {
		.daddr = hostroute_addr_v4(iph->saddr),
		.l3mdev = hostroute_l3mdev(state->in),
	};
	const struct dst_entry *dst = skb_dst(skb);
	struct rtable *rt;
	u32 mtu;

	mtu = min(READ_ONCE(state->in->mtu), READ_ONCE(state->out->mtu));
	/* A packet that a bridge passes to netfilter has no route. */
	if (dst)
		mtu = min(mtu, ip_dst_mtu_maybe_forward(dst, true));
	rt = route_to(hn->net, iph->saddr, iph->daddr, key.l3mdev);
	if (!IS_ERR(rt)) {
		mtu = min(mtu, ip_dst_mtu_maybe_forward(&rt->dst, true));
		ip_rt_put(rt);
	}
	return min(mtu, known_mtu(hn, &key));
}

static enum hostroute_outcome clamp_syn(struct hostroute_net *hn,
					struct sk_buff *skb,
					const struct nf_hook_state *state,
					bool observe)
{
	u32 mtu = way_back_mtu(hn, skb, state);

	switch (hostroute_syn_clamp(hn, state, skb, mtu, observe)) {
	case 1:
		return HOSTROUTE_FORWARD_CLAMPED;
	case 0:
		return HOSTROUTE_CONTINUE;
	case -ENOENT:
		return HOSTROUTE_FORWARD_NO_MSS;
	case -EKEYREJECTED:
		return HOSTROUTE_FORWARD_SIGNED;
	case -ENOMEM:
		return HOSTROUTE_FORWARD_MEMORY;
	default:
		return HOSTROUTE_FORWARD_MALFORMED;
	}
}

/* ---- the hook -------------------------------------------------------------------- */

static bool is_syn(const struct sk_buff *skb)
{
	const u8 *flags;
	u8 buf;

	/* The flags are in this byte: CWR ECE URG ACK PSH RST SYN FIN. */
	flags = skb_header_pointer(skb, skb_network_offset(skb) + ip_hdrlen(skb) + 13,
				   sizeof(buf), &buf);
	return flags && (*flags & 0x06) == 0x02;
}

/* BH is on for a packet that NFQUEUE held: it comes here in process context. */
static enum hostroute_outcome look_at_forwarded(struct hostroute_net *hn,
						struct sk_buff *skb,
						const struct nf_hook_state *state)
{
	enum hostroute_outcome outcome = HOSTROUTE_CONTINUE;
	u32 mode = READ_ONCE(hn->set.mode);
	bool observe = mode == HOSTROUTE_MODE_OBSERVE;

	if (mode == HOSTROUTE_MODE_OFF)
		return outcome;
	local_bh_disable();
	if (ip_hdr(skb)->protocol == IPPROTO_TCP)
		outcome = clamp_syn(hn, skb, state, observe);
	else
		outcome = handle_forwarded(hn, skb, observe);
	local_bh_enable();
	return outcome;
}

static noinline unsigned int forward(struct hostroute_net *hn, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	enum hostroute_outcome outcome;

	if (iph->protocol != IPPROTO_TCP && iph->protocol != IPPROTO_ICMP)
		return NF_ACCEPT;
	if (iph->frag_off & htons(IP_OFFSET))
		return NF_ACCEPT;
	if (iph->protocol == IPPROTO_TCP ? !is_syn(skb) :
					   !hostroute_icmp_is_frag_needed(skb))
		return NF_ACCEPT;
	outcome = look_at_forwarded(hn, skb, state);
	if (outcome != HOSTROUTE_CONTINUE)
		hostroute_stats_inc(hn->stats, outcome);
	return NF_ACCEPT;
}

/* Is the TCP header linear, where the transport header says, and without SYN? If not,
 * is_syn() has a closer look.
 */
static bool is_plainly_no_syn(const struct sk_buff *skb)
{
	const struct tcphdr *th = (const struct tcphdr *)skb_transport_header(skb);

	return (const u8 *)(th + 1) <= skb_tail_pointer(skb) && !th->syn;
}

/* Every packet that is forwarded comes here. A TCP segment that opens no connection
 * should pay for this function alone, so everything that saves registers is in others.
 */
static unsigned int forward_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	if (ip_hdr(skb)->protocol == IPPROTO_TCP && is_plainly_no_syn(skb))
		return NF_ACCEPT;
	return forward(priv, skb, state);
}

/**
 * hostroute_forward_set - set what to do for forwarded connections
 * @hn:		the namespace
 * @value:	enum hostroute_forward
 *
 * What was learned stays until it expires.
 *
 * Context: process, may sleep.
 * Return: 0, or a negative errno if nothing has changed.
 */
int hostroute_forward_set(struct hostroute_net *hn, u32 value)
{
	bool was_on, on = value != HOSTROUTE_FORWARD_OFF;
	int err = 0;

	mutex_lock(&hn->forward.lock);
	was_on = hn->set.forward != HOSTROUTE_FORWARD_OFF;
	if (on && !was_on)
		err = nf_register_net_hook(hn->net, &hn->forward.ops);
	else if (was_on && !on)
		nf_unregister_net_hook(hn->net, &hn->forward.ops);
	if (!err)
		WRITE_ONCE(hn->set.forward, value);
	mutex_unlock(&hn->forward.lock);
	return err;
}

/**
 * hostroute_forward_init - prepare the hook, which is not registered yet
 * @hn: the namespace
 *
 * Context: any.
 */
void hostroute_forward_init(struct hostroute_net *hn)
{
	mutex_init(&hn->forward.lock);
	hn->set.forward = HOSTROUTE_FORWARD_OFF;
	hn->forward.ops = (struct nf_hook_ops) {
		.hook = forward_hook,
		.priv = hn,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_FORWARD,
		.priority = FORWARD_PRIORITY,
	};
}

/**
 * hostroute_forward_exit - unregister the hook if it is registered
 * @hn: the namespace; hostroute_forward_set() is not called any more
 *
 * The hook may run until the next grace period is over.
 *
 * Context: process, may sleep.
 */
void hostroute_forward_exit(struct hostroute_net *hn)
{
	hostroute_forward_set(hn, HOSTROUTE_FORWARD_OFF);
}
