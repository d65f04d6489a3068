// SPDX-License-Identifier: GPL-2.0
/*
 * LOCAL_IN: an ICMP "fragmentation needed" to this host goes to the parser
 * (src/ipv4/icmp.c), then to the public checks (src/ipv4/facts.c), then to what can
 * prove it (src/ipv4/act.c). The outcome decides whether the stock path sees it. No
 * other packet is touched.
 */
#include "input.h"
#include "../../pmtu_hostroute.h"
#include "../trace.h"
#include "act.h"
#include "facts.h"
#include "icmp.h"

#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/icmp.h>
#include <net/ip.h>

/* After filter (0) and NAT (100): the administrator's rules have been applied, and the
 * quote has the addresses that the socket knows. This is still before conntrack
 * confirms.
 */
#define INPUT_PRIORITY		(NF_IP_PRI_CONNTRACK_HELPER - 1)

/* A consumed message was received all the same, so nstat still counts it. */
static void count_mib(struct net *net, enum hostroute_outcome outcome)
{
	__ICMP_INC_STATS(net, ICMP_MIB_INMSGS);
	switch (outcome) {
	case HOSTROUTE_IGNORED_CHECKSUM:
		__ICMP_INC_STATS(net, ICMP_MIB_CSUMERRORS);
		fallthrough;
	case HOSTROUTE_IGNORED_TRUNCATED:
	case HOSTROUTE_IGNORED_OUTER:
	case HOSTROUTE_IGNORED_QUOTE:
		__ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
		break;
	default:
		ICMPMSGIN_INC_STATS(net, ICMP_DEST_UNREACH);
		__ICMP_INC_STATS(net, ICMP_MIB_INDESTUNREACHS);
	}
}

/* net.ipv4.ip_no_pmtu_disc says whether to ignore these messages: all of them (2), or
 * those that no connection proves (3). The stock path then ignores them.
 */
static bool is_disabled(const struct net *net, const struct hostroute_msg *msg)
{
	switch (READ_ONCE(net->ipv4.sysctl_ip_no_pmtu_disc)) {
	case 2:
		return true;
	case 3:
		return msg->protocol != IPPROTO_TCP;
	default:
		return false;
	}
}

/* @observe: only say what would be done, and let the stock path act. */
static unsigned int handle_input(struct hostroute_net *hn, struct sk_buff *skb,
				 bool observe)
{
	enum hostroute_outcome outcome;
	struct hostroute_msg msg = {};
	struct hostroute_path path;
	unsigned int verdict;

	hostroute_stats_inc(hn->stats, HOSTROUTE_RECEIVED);
	outcome = hostroute_icmp_parse(skb, &msg);
	msg.observe = observe;
	if (outcome == HOSTROUTE_CONTINUE) {
		if (msg.bad_sum)
			hostroute_stats_inc(hn->stats, HOSTROUTE_QUOTED_CHECKSUM);
		outcome = is_disabled(hn->net, &msg) ? HOSTROUTE_PASSED_DISABLED :
			  hostroute_facts_check(hn->net, skb, &msg, &path);
	}
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_act(hn, skb, &msg, &path);
	hostroute_stats_inc(hn->stats, outcome);
	hostroute_trace_message(hn->table.owner, skb, &msg, outcome);
	if (observe)
		return NF_ACCEPT;

	verdict = hostroute_stats_verdict(outcome);
	if (verdict == NF_DROP)
		count_mib(hn->net, outcome);
	return verdict;
}

static noinline unsigned int look_at_input(struct hostroute_net *hn, struct sk_buff *skb)
{
	unsigned int verdict;
	bool bh_on;
	u32 mode;

	if (!hostroute_icmp_is_frag_needed(skb))
		return NF_ACCEPT;
	mode = READ_ONCE(hn->set.mode);
	if (mode == HOSTROUTE_MODE_OFF)
		return NF_ACCEPT;

	/* A packet that NFQUEUE held comes here in process context. */
	bh_on = !softirq_count();
	if (unlikely(bh_on))
		local_bh_disable();
	verdict = handle_input(hn, skb, mode == HOSTROUTE_MODE_OBSERVE);
	if (unlikely(bh_on))
		local_bh_enable();
	return verdict;
}

/* Every packet to this host comes here. One that is not ICMP should pay for this
 * function alone, so everything that saves registers or needs a stack frame is in
 * others.
 */
static unsigned int input_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	if (likely(ip_hdr(skb)->protocol != IPPROTO_ICMP))
		return NF_ACCEPT;
	return look_at_input(priv, skb);
}

static const struct nf_hook_ops input_ops = {
	.hook = input_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = INPUT_PRIORITY,
};

/**
 * hostroute_input_init - register the hook
 * @hn: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
 */
int hostroute_input_init(struct hostroute_net *hn)
{
	hn->input_ops = input_ops;
	hn->input_ops.priv = hn;
	return nf_register_net_hook(hn->net, &hn->input_ops);
}

/**
 * hostroute_input_exit - unregister the hook
 * @hn: the namespace
 *
 * The hook may run until the next grace period is over.
 *
 * Context: process, may sleep.
 */
void hostroute_input_exit(struct hostroute_net *hn)
{
	nf_unregister_net_hook(hn->net, &hn->input_ops);
}
