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

/* The data offset has four bits. */
#define TCP_HEADER_MAX	60U

/*
 * RFC 5927 7.2: a claim of more than was ever sent in one packet is none. Nor is
 * that of a quote whose segment ends beyond what was sent: who makes one up
 * could otherwise make it as large as his claim takes. Options differ from one
 * segment to the next, so they may have been as long as they can be.
 */
static bool was_sent(const struct sock *sk, const struct hostroute_msg *msg)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 headers = msg->quoted_ihl + TCP_HEADER_MAX;
	u32 end;

	/* Fast Open has sent data that snd_nxt may not count any more. */
	if ((1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
		return true;
	/* 4.2BSD adds the IP header to the length it quotes, and gives no MTU. */
	if (!msg->mtu)
		headers += msg->quoted_ihl;
	/* See in_flight(). */
	end = sock_owned_by_user(sk) ? READ_ONCE(tp->write_seq) :
				       READ_ONCE(tp->snd_nxt);
	return msg->quoted_len <= headers + (end - msg->seq);
}

static enum hostroute_outcome check_socket(const struct sock *sk,
					   const struct hostroute_msg *msg)
{
	if ((1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE))
		return HOSTROUTE_IGNORED_STATE;
	if (msg->ttl < READ_ONCE(inet_sk(sk)->min_ttl))
		return HOSTROUTE_IGNORED_TTL;
	if (hostroute_compat_ao_ignores(sk))
		return HOSTROUTE_IGNORED_AO;
	if (!in_flight(sk, msg->seq) || !was_sent(sk, msg))
		return HOSTROUTE_IGNORED_SEQUENCE;
	return HOSTROUTE_CONTINUE;
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
	struct dst_entry *dst = hostroute_socket_path(sk, &claim);
	enum hostroute_outcome outcome;

	if (!dst)
		return HOSTROUTE_PASSED_ROUTE;
	if (!claim.mtu)
		claim.mtu = hostroute_icmp_plateau(msg, dst_mtu(dst));

	outcome = hostroute_defer_claim(hn, sk, msg->seq, &claim);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = hostroute_socket_learn(hn, sk, &claim);
	return outcome;
}

static enum hostroute_outcome prove_tcp(struct hostroute_net *hn,
					struct sk_buff *skb,
					const struct hostroute_msg *msg)
{
	enum hostroute_outcome outcome;
	struct sock *sk;
	bool believed;

	sk = hostroute_compat_lookup_established(hn->net, msg->daddr, msg->dport,
						 msg->saddr, ntohs(msg->sport),
						 inet_iif(skb));
	if (!sk)
		return hostroute_facts_no_socket(hn->net, skb, msg);
	/* Neither has a route or a send queue, nor the fields of a full socket. */
	if (!sk_fullsock(sk)) {
		sock_gen_put(sk);
		return HOSTROUTE_IGNORED_STATE;
	}

	bh_lock_sock(sk);
	outcome = check_socket(sk, msg);
	believed = outcome == HOSTROUTE_CONTINUE;
	if (believed)
		outcome = believe(hn, sk, skb, msg);
	bh_unlock_sock(sk);
	sock_put(sk);
	/* TCP is told by its smaller MSS; programs that watch it are not. */
	if (believed && hostroute_stats_verdict(outcome) != NF_ACCEPT)
		hostroute_report_raw(hn, skb, msg);
	return outcome;
}

/* ---- what nothing can prove --------------------------------------------------------- */

/*
 * A quote of a datagram, of an Echo say, proves nothing, and no socket is asked:
 * whether there is one would show in the table (CVE-2021-20322). The claim is
 * put on record, apart from what is proven.
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

	if (READ_ONCE(hn->unproven) == HOSTROUTE_UNPROVEN_IGNORE)
		return HOSTROUTE_IGNORED_UNPROVEN;
	/* RFC 1191 5 has a host guess; not on a stranger's word. */
	if (!claim.mtu)
		return HOSTROUTE_IGNORED_MTU;
	if (!hostroute_table_find(&hn->table, &claim.key) &&
	    !hostroute_net_may_record(hn, claim.now))
		return HOSTROUTE_IGNORED_RATE;

	outcome = hostroute_net_learn(hn, &claim);
	switch (outcome) {
	case HOSTROUTE_LEARNED:
		return HOSTROUTE_RECORDED;
	case HOSTROUTE_PASSED_MEMORY:
		/* The stock path would share it with everybody. */
		return HOSTROUTE_IGNORED_MEMORY;
	default:
		return outcome;
	}
}

/* The record first: whatever is found out about sockets, it is the same. */
static enum hostroute_outcome act_on_datagram(struct hostroute_net *hn,
					      const struct sk_buff *skb,
					      const struct hostroute_msg *msg,
					      const struct hostroute_path *path)
{
	enum hostroute_outcome outcome = record(hn, skb, msg, path);
	enum hostroute_outcome passed;

	passed = hostroute_report(hn, skb, msg, msg->mtu ?:
				  hostroute_icmp_plateau(msg, path->estimate));
	return passed == HOSTROUTE_CONTINUE ? outcome : passed;
}

/**
 * hostroute_proof_act - find out who can prove a message, and act on it
 * @hn:	the namespace
 * @skb: the message, at LOCAL_IN
 * @msg: the message, parsed
 * @path: what is public of a datagram's path; TCP's is its socket's own route
 *
 * Context: softirq, RCU. For TCP takes the socket's spinlock, and the table's
 * inside.
 * Return: what became of the message.
 */
enum hostroute_outcome hostroute_proof_act(struct hostroute_net *hn,
					   struct sk_buff *skb,
					   const struct hostroute_msg *msg,
					   const struct hostroute_path *path)
{
	/* The stock path checks policy again, with the quote reversed. */
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return HOSTROUTE_PASSED_POLICY;
	return msg->protocol == IPPROTO_TCP ? prove_tcp(hn, skb, msg) :
					      act_on_datagram(hn, skb, msg, path);
}
