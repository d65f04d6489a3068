// SPDX-License-Identifier: GPL-2.0
/*
 * Who can prove a message? For a TCP quote: a live connection with this
 * 4-tuple that has the quoted byte in flight. What is checked here depends on
 * secrets (ports, sequence numbers), so it comes after everything public. For
 * a quote of anything else: nobody.
 */
#include "../pmtu_hostroute.h"
#include "compat.h"

#include <linux/ip.h>
#include <net/inet_hashtables.h>
#include <net/l3mdev.h>
#include <net/tcp.h>
#include <net/xfrm.h>

/* The oldest sequence number that is not acknowledged. An accepted Fast Open
 * child has data in flight before its own SYN is acknowledged.
 */
static u32 oldest_in_flight(const struct tcp_sock *tp)
{
	const struct request_sock *req = rcu_dereference(tp->fastopen_rsk);

	return req ? tcp_rsk(req)->snt_isn : READ_ONCE(tp->snd_una);
}

/*
 * RFC 5927 4.1: snd_una <= seq < snd_nxt. The stock path takes snd_nxt as well,
 * which nothing in flight carries, with one exception: TCP advances snd_nxt
 * after it has handed a segment to IP. A router on this very host (containers,
 * tunnels) answers before that, within the system call that sends. Then a
 * process owns the socket and has data queued at snd_nxt.
 */
static bool in_flight(const struct sock *sk, u32 seq)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 next = READ_ONCE(tp->snd_nxt);

	/* connect() hashes the socket before it has sequence numbers. */
	if (sk->sk_state == TCP_SYN_SENT && !READ_ONCE(tp->packets_out))
		return false;
	if (before(seq, oldest_in_flight(tp)))
		return false;
	if (before(seq, next))
		return true;
	return seq == next && sock_owned_by_user(sk) &&
	       before(next, READ_ONCE(tp->write_seq));
}

static enum hostroute_outcome check_socket(const struct sock *sk,
					   const struct hostroute_msg *msg)
{
	if ((1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE))
		return HOSTROUTE_IGNORED_STATE;
	if (msg->ttl < READ_ONCE(inet_sk(sk)->min_ttl))
		return HOSTROUTE_IGNORED_TTL;
	if (!in_flight(sk, msg->seq))
		return HOSTROUTE_IGNORED_SEQUENCE;
	return HOSTROUTE_CONTINUE;
}

/* The socket's route, made anew if it has none and nobody owns the socket. */
static struct dst_entry *socket_route(struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);

	if (dst && dst_check(dst, 0))
		return dst;
	if (sock_owned_by_user(sk))
		return dst;	/* maybe stale: says where to, not how much */
	if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return NULL;
	return rcu_dereference(sk->sk_dst_cache);
}

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
	struct dst_entry *dst = socket_route(sk);
	enum hostroute_outcome outcome;

	if (!dst)
		return HOSTROUTE_PASSED_ROUTE;
	if (!hostroute_route_of(dst) && !hostroute_route_clonable(dst) &&
	    dst_check(dst, 0))
		return HOSTROUTE_PASSED_ROUTE;
	claim.key.l3mdev = l3mdev_master_ifindex_rcu(dst->dev);
	claim.estimate = hostroute_route_estimate(dst);
	/* What the stock path has made of messages that were only observed would
	 * not be there.
	 */
	if (claim.dry_run)
		claim.estimate = dst_metric_raw(dst, RTAX_MTU) ?: dst->dev->mtu;
	if (!claim.mtu)
		claim.mtu = hostroute_icmp_plateau(msg, dst_mtu(dst));

	outcome = hostroute_net_learn(hn, &claim);
	if (claim.dry_run)
		return outcome;
	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_LOWERED:
	case HOSTROUTE_REFRESHED:
	case HOSTROUTE_CONFIRMED:
	case HOSTROUTE_IGNORED_NOT_SMALLER:
		/* Whatever this message adds, the segment it quotes was lost:
		 * its socket may not be under the host route yet.
		 */
		hostroute_socket_clamp(hn, sk);
		break;
	default:
		break;
	}
	return outcome;
}

static enum hostroute_outcome prove_tcp(struct hostroute_net *hn,
					struct sk_buff *skb,
					const struct hostroute_msg *msg)
{
	enum hostroute_outcome outcome;
	struct sock *sk;

	sk = hostroute_compat_lookup_established(hn->net, msg->daddr, msg->dport,
						 msg->saddr, ntohs(msg->sport),
						 inet_iif(skb));
	if (!sk)
		return HOSTROUTE_IGNORED_NO_SOCKET;
	/* Neither has a route or a send queue, nor the fields of a full socket. */
	if (!sk_fullsock(sk)) {
		sock_gen_put(sk);
		return HOSTROUTE_IGNORED_STATE;
	}

	bh_lock_sock(sk);
	outcome = check_socket(sk, msg);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = believe(hn, sk, skb, msg);
	bh_unlock_sock(sk);
	sock_put(sk);
	return outcome;
}

/* ---- what nothing can prove --------------------------------------------------------- */

/* What the route that the quoted packet took carries by itself; 0: there is no
 * such route. Not what the stock path has made of the same claims. Ports would
 * tell more about policy routing than a third party may be shown.
 */
static u32 path_estimate(struct net *net, const struct hostroute_msg *msg,
			 int l3mdev)
{
	struct flowi4 fl4 = {
		.daddr = msg->daddr,
		.saddr = msg->saddr,
		.flowi4_oif = l3mdev,
		.flowi4_proto = msg->protocol,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);
	u32 mtu = 0;

	if (IS_ERR(rt))
		return 0;
	if (hostroute_route_clonable(&rt->dst))
		mtu = dst_metric_raw(&rt->dst, RTAX_MTU) ?: rt->dst.dev->mtu;
	ip_rt_put(rt);
	return mtu;
}

/*
 * A quote of a datagram or an Echo proves nothing, and no socket is asked:
 * whether there is one would show in the table (CVE-2021-20322). The claim is
 * put on record, apart from what is proven, and the stock path acts on it.
 */
static enum hostroute_outcome record(struct hostroute_net *hn,
				     const struct sk_buff *skb,
				     const struct hostroute_msg *msg)
{
	struct hostroute_claim claim = {
		.key.daddr = msg->daddr,
		.key.l3mdev = l3mdev_master_ifindex_rcu(skb->dev),
		.now = hostroute_now(),
		.mtu = msg->mtu,
		.router = msg->router,
		.ifindex = skb->skb_iif,
		.class = HOSTROUTE_CLASS_UNPROVEN,
		.dry_run = msg->observe,
	};
	enum hostroute_outcome outcome;

	claim.estimate = path_estimate(hn->net, msg, claim.key.l3mdev);
	if (!claim.estimate)
		return HOSTROUTE_PASSED_UNPROVEN;
	if (!claim.mtu)
		claim.mtu = hostroute_icmp_plateau(msg, claim.estimate);
	outcome = hostroute_net_learn(hn, &claim);
	if (outcome == HOSTROUTE_PASSED_MEMORY)
		return outcome;
	if (outcome == HOSTROUTE_LEARNED)
		hostroute_stats_inc(hn->stats, HOSTROUTE_RECORDED);
	else if (outcome == HOSTROUTE_OUTRANKED)
		hostroute_stats_inc(hn->stats, outcome);
	return HOSTROUTE_PASSED_UNPROVEN;
}

/**
 * hostroute_proof_act - find out who can prove a message, and act on it
 * @hn:	the namespace
 * @skb: the message, at LOCAL_IN
 * @msg: the message, parsed
 *
 * Context: softirq, RCU. For TCP takes the socket's spinlock, and the table's
 * inside.
 * Return: what became of the message.
 */
enum hostroute_outcome hostroute_proof_act(struct hostroute_net *hn,
					   struct sk_buff *skb,
					   const struct hostroute_msg *msg)
{
	/* The stock path checks policy again, with the quote reversed. */
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return HOSTROUTE_PASSED_POLICY;
	return msg->protocol == IPPROTO_TCP ? prove_tcp(hn, skb, msg) :
					      record(hn, skb, msg);
}
