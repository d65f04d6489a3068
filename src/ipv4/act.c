// SPDX-License-Identifier: GPL-2.0
/*
 * What is done about a message that passed all public checks. If it quotes TCP, the
 * connection is looked up and has to prove it. Nothing can prove a quote of anything
 * else: its claim goes on record, and the socket that sent the packet gets the error.
 *
 * What becomes of the message itself is decided by the outcome, in src/ipv4/input.c.
 */
#include "act.h"
#include "../../pmtu_hostroute.h"
#include "../clamp.h"
#include "../compat.h"
#include "../defer.h"
#include "../index.h"
#include "../proof.h"
#include "facts.h"
#include "report.h"

#include <linux/ip.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>
#include <net/xfrm.h>

static enum hostroute_outcome believe(struct hostroute_net *hn, struct sock *sk,
				      const struct sk_buff *skb,
				      const struct hostroute_msg *msg)
{
	struct hostroute_claim claim = {
		.key.daddr = msg->daddr,
		.now = hostroute_now(),
		.mtu = msg->mtu,
		.router = msg->router,
		.ifindex = skb->skb_iif,
		.class = skb->dev->flags & IFF_LOOPBACK ?
			 HOSTROUTE_CLASS_LOCAL : HOSTROUTE_CLASS_PROVEN,
		.dry_run = msg->observe,
	};
	struct dst_entry *dst = hostroute_clamp_path(sk, &claim);
	enum hostroute_outcome outcome;

	if (!dst)
		return HOSTROUTE_PASSED_ROUTE;
	if (!claim.mtu)
		claim.mtu = hostroute_claim_plateau(msg, dst_mtu(dst));

	outcome = hostroute_defer_claim(hn, sk, msg->seq, &claim);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_clamp_learn(hn, sk, &claim);
	return outcome;
}

static enum hostroute_outcome prove_tcp(struct hostroute_net *hn,
					struct sk_buff *skb,
					const struct hostroute_msg *msg)
{
	enum hostroute_outcome outcome;
	struct sock *sk;
	bool believed;

	sk = hostroute_compat_lookup_established(hn->net, msg->daddr.v4, msg->dport,
						 msg->saddr.v4, ntohs(msg->sport),
						 inet_iif(skb));
	if (!sk)
		return hostroute_facts_no_socket(hn->net, skb, msg);
	/* Time-wait and request sockets have no route, no send queue, and not the
	 * fields of a full socket.
	 */
	if (!sk_fullsock(sk)) {
		sock_gen_put(sk);
		return HOSTROUTE_IGNORED_STATE;
	}

	bh_lock_sock(sk);
	outcome = hostroute_proof_check(sk, msg);
	believed = outcome == HOSTROUTE_CONTINUE;
	if (believed)
		outcome = believe(hn, sk, skb, msg);
	bh_unlock_sock(sk);
	sock_put(sk);
	/* TCP follows its smaller MSS. Programs that watch the connection with raw
	 * sockets get the error.
	 */
	if (believed && hostroute_stats_verdict(outcome) != NF_ACCEPT)
		hostroute_report_raw(hn, skb, msg);
	return outcome;
}

/* ---- what nothing can prove --------------------------------------------------------- */

/* A quote of a datagram or an Echo proves nothing. No socket is looked up here:
 * whether there is one would show in the table (CVE-2021-20322). The claim goes on
 * record, apart from what is proven.
 */
static enum hostroute_outcome record(struct hostroute_net *hn,
				     const struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     const struct hostroute_path *path)
{
	struct hostroute_claim claim = {
		.key.daddr = msg->daddr,
		.key.l3mdev = path->l3mdev,
		.now = hostroute_now(),
		.mtu = msg->mtu,
		.estimate = path->estimate,
		.router = msg->router,
		.ifindex = skb->skb_iif,
		.class = HOSTROUTE_CLASS_UNPROVEN,
		.dry_run = msg->observe,
	};
	enum hostroute_outcome outcome;

	if (READ_ONCE(hn->set.unproven) == HOSTROUTE_UNPROVEN_IGNORE)
		return HOSTROUTE_IGNORED_UNPROVEN;
	/* RFC 1191 5 lets a host guess the MTU. A message that nothing proves is not
	 * worth a guess.
	 */
	if (!claim.mtu)
		return HOSTROUTE_IGNORED_MTU;
	if (!hostroute_index_find(&hn->table, &claim.key) &&
	    !hostroute_net_may_record(hn, claim.now))
		return HOSTROUTE_IGNORED_RATE;

	outcome = hostroute_net_learn(hn, &claim);
	switch (outcome) {
	case HOSTROUTE_LEARNED:
		return HOSTROUTE_RECORDED;
	case HOSTROUTE_PASSED_MEMORY:
		/* The stock path would apply the claim to all sockets. */
		return HOSTROUTE_IGNORED_MEMORY;
	default:
		return outcome;
	}
}

/* First the claim goes on record, then sockets are looked up: so the record does not
 * depend on them.
 */
static enum hostroute_outcome act_on_datagram(struct hostroute_net *hn,
					      const struct sk_buff *skb,
					      const struct hostroute_msg *msg,
					      const struct hostroute_path *path)
{
	enum hostroute_outcome outcome = record(hn, skb, msg, path);
	enum hostroute_outcome passed;

	passed = hostroute_report(hn, skb, msg, msg->mtu ?:
				  hostroute_claim_plateau(msg, path->estimate));
	return passed == HOSTROUTE_CONTINUE ? outcome : passed;
}

/**
 * hostroute_act - look for what proves a message, and act on it
 * @hn:		the namespace
 * @skb:	the message, at LOCAL_IN
 * @msg:	the message, parsed
 * @path:	what is public about a datagram's path; not used for TCP, whose socket
 *		has its own route
 *
 * For TCP, takes the socket's spinlock, and inside it the table's lock.
 *
 * Context: BH off, RCU.
 * Return: what became of the message.
 */
enum hostroute_outcome hostroute_act(struct hostroute_net *hn,
				     struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     const struct hostroute_path *path)
{
	/* If IPsec policy refuses the message, the stock path decides: it checks
	 * again, with the quote reversed.
	 */
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return HOSTROUTE_PASSED_POLICY;
	return msg->protocol == IPPROTO_TCP ? prove_tcp(hn, skb, msg) :
					      act_on_datagram(hn, skb, msg, path);
}
