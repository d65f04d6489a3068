// SPDX-License-Identifier: GPL-2.0
/*
 * Does a TCP connection prove a message about it? It does if it has the quoted byte in
 * flight. The answer depends on secrets (sequence numbers), so this is asked only
 * after all public checks have passed.
 *
 * This file only reads the socket. src/ipv4/act.c looks it up, and src/defer.c may
 * still delay the claim.
 */
#include "proof.h"
#include "compat.h"

#include <net/tcp.h>

/* The oldest sequence number that is not acknowledged. A child that was accepted with
 * Fast Open has data in flight before its own SYN is acknowledged.
 */
static u32 oldest_in_flight(const struct tcp_sock *tp)
{
	const struct request_sock *req = rcu_dereference(tp->fastopen_rsk);

	return req ? tcp_rsk(req)->snt_isn : READ_ONCE(tp->snd_una);
}

/* RFC 5927 4.1: snd_una <= seq < snd_nxt. The stock path accepts snd_nxt as well. No
 * segment in flight starts there, with one exception: TCP advances snd_nxt after it
 * has handed a segment to IP. A router on this very host (containers, tunnels) answers
 * before that, within the system call that sends. Then a process owns the socket and
 * has data queued at snd_nxt.
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

/* Bytes: the data offset has four bits, and counts words of four bytes. */
#define TCP_HEADER_MAX	60U

/* RFC 5927 7.2: an MTU claim is void if no packet larger than it was ever sent. The
 * parser has refused messages whose quoted length fits the claimed MTU. So it is left
 * to check that a packet of the quoted length can have been sent: the quoted segment
 * must not end beyond what was sent. Otherwise a forger could quote any length that
 * the claim takes. TCP options differ from one segment to the next, so they may have
 * been as long as possible.
 */
static bool was_sent(const struct sock *sk, const struct hostroute_msg *msg)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 headers = msg->quoted_ihl + TCP_HEADER_MAX;
	u32 end;

	/* Fast Open may have sent data that snd_nxt does not count any more. */
	if ((1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
		return true;
	/* 4.2BSD adds the length of the IP header to the length it quotes, and gives
	 * no MTU.
	 */
	if (!msg->mtu)
		headers += msg->quoted_ihl;
	/* A segment may be sent but not counted in snd_nxt yet, see in_flight(). */
	end = sock_owned_by_user(sk) ? READ_ONCE(tp->write_seq) :
				       READ_ONCE(tp->snd_nxt);
	return msg->quoted_len <= headers + (end - msg->seq);
}

/**
 * hostroute_proof_check - does this connection prove a message?
 * @sk:		a full TCP socket with the quoted addresses and ports, its spinlock
 *		held
 * @msg:	the message, parsed
 *
 * RFC 5927 4.1 and 7.2, RFC 5925 7.8 (TCP-AO), RFC 5082 (GTSM).
 *
 * Context: BH off, RCU.
 * Return: HOSTROUTE_CONTINUE if it does, else IGNORED_STATE, IGNORED_TTL, IGNORED_AO
 * or IGNORED_SEQUENCE.
 */
enum hostroute_outcome hostroute_proof_check(const struct sock *sk,
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
