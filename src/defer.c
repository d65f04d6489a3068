// SPDX-License-Identifier: GPL-2.0
/*
 * RFC 5927 7.2: a proven claim is deferred if it conflicts with data that the peer has
 * acknowledged. An attacker who guesses a sequence number in flight can claim any MTU.
 * But where larger segments have just got through, the claim is more likely a lie, and
 * then the quoted data is acknowledged within a round trip. If the path has really
 * changed, that data is not acknowledged, and its retransmission timer runs out. Then
 * the claim is applied.
 *
 * TCP keeps no size of the largest segment acknowledged. It keeps sums, and the
 * largest is at least the mean: see src/acked.c.
 *
 * At most one claim waits for each socket, in a list of the namespace. Nothing reports
 * that an ACK has arrived or a timer has run out. So a work item looks at these
 * sockets as long as any claim waits. The next message about the socket looks as well:
 * for a real change, that is the router's answer to the retransmission. What becomes
 * of a waiting claim is decided under the spinlock of its socket.
 *
 * Of two claims for a socket, the one with the higher MTU waits. Otherwise a forged
 * lower one could take effect because of a real loss. If the path is smaller still,
 * the router says so again about the next segment that is too large.
 *
 * A claim about data that has timed out already need not wait. This also keeps both
 * sides safe when the list is full: the claim is ignored, and the router's next one,
 * about the retransmission, is believed.
 *
 * This file decides when a claim is applied. src/clamp.c applies it.
 */
#include "defer.h"
#include "../pmtu_hostroute.h"
#include "acked.h"
#include "clamp.h"
#include "index.h"
#include "trace.h"

#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/tcp.h>

/* Claims that wait in a namespace, at most. */
#define MAX_WAITING	1024

/* Jiffies between two looks. The least retransmission timeout is 200 ms, unless a
 * route sets another.
 */
#define LOOK_INTERVAL	(HZ / 20)

/* Nanoseconds: twice the largest retransmission timeout. After that there will be
 * none.
 */
#define WAIT_MAX	((u64)2 * TCP_RTO_MAX / HZ * NSEC_PER_SEC)

/**
 * struct waiting - a claim that waits
 * @node:	in hn->deferred.hash
 * @list:	in hn->deferred.list
 * @sk:		the socket whose data is quoted, with a reference
 * @seq:	quoted sequence number, host order
 * @una:	oldest unacknowledged byte when last looked at
 * @retransmits: timeouts of the data at @una that do not count; one more applies the
 *		claim
 * @claim:	what was claimed; @claim.now is when it began to wait
 *
 * hn->deferred.lock guards @node and @list. The other fields are written under the
 * socket's spinlock, and also under hn->deferred.lock once the claim is in the list.
 */
struct waiting {
	struct hlist_node	node;
	struct list_head	list;
	struct sock		*sk;
	u32			seq;
	u32			una;
	u8			retransmits;
	struct hostroute_claim	claim;
};

/* Would the claim, which is below the estimate, change anything for TCP? */
static bool is_news(struct hostroute_net *hn, const struct hostroute_claim *claim,
		    u32 mtu)
{
	const struct hostroute *route = hostroute_index_find(&hn->table, &claim->key);

	return !route ||
	       hostroute_class_rank(READ_ONCE(route->class)) == HOSTROUTE_RANK_UNPROVEN ||
	       hostroute_table_expired(&hn->table, route, claim->now) ||
	       mtu < READ_ONCE(route->mtu);
}

static bool contradicted(struct hostroute_net *hn, const struct sock *sk,
			 const struct hostroute_claim *claim)
{
	u32 mtu = max(claim->mtu, READ_ONCE(hn->table.limits.min_mtu));

	if (mtu >= claim->estimate)
		return false;
	return hostroute_acked_largest(sk) > mtu && is_news(hn, claim, mtu);
}

/* TCP counts the timeouts of its oldest data, and starts again when that is
 * acknowledged.
 */
static bool timed_out(const struct sock *sk, u32 seq)
{
	return READ_ONCE(inet_csk(sk)->icsk_retransmits) &&
	       READ_ONCE(tcp_sk(sk)->snd_una) == seq;
}

/* ---- what becomes of a claim that waits ----------------------------------------------- */

/**
 * struct progress - how far a connection has come
 * @now:	boot time, ns
 * @una:	oldest byte that is not acknowledged
 * @nxt:	next byte to be sent
 * @retransmits: timeouts of the data at @una
 * @gone:	the socket is closed or connected elsewhere by now, or mode=enforce has
 *		ended
 */
struct progress {
	u64 now;
	u32 una;
	u32 nxt;
	u8 retransmits;
	bool gone;
};

enum fate {
	FATE_WAIT,
	FATE_CLEAR,
	FATE_APPLY,
	FATE_DROP,
};

/* Data that is acknowledged refutes the claim, even if timers ran out meanwhile. */
static enum fate fate_of(struct waiting *waiting, const struct progress *progress)
{
	if (progress->gone)
		return FATE_DROP;
	if (after(progress->una, waiting->seq))
		return FATE_CLEAR;
	if (after(waiting->seq, progress->nxt))
		return FATE_DROP;
	if (progress->una != waiting->una) {
		waiting->una = progress->una;
		waiting->retransmits = 0;
	}
	if (progress->retransmits > waiting->retransmits)
		return FATE_APPLY;
	if (progress->now > waiting->claim.now &&
	    progress->now - waiting->claim.now > WAIT_MAX)
		return FATE_DROP;
	return FATE_WAIT;
}

static struct progress progress_of(const struct hostroute_net *hn,
				   const struct sock *sk,
				   struct hostroute_addr daddr)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return (struct progress) {
		.now = hostroute_now(),
		.una = READ_ONCE(tp->snd_una),
		.nxt = READ_ONCE(tp->snd_nxt),
		.retransmits = READ_ONCE(inet_csk(sk)->icsk_retransmits),
		.gone = READ_ONCE(hn->set.mode) != HOSTROUTE_MODE_ENFORCE ||
			READ_ONCE(sk->sk_state) == TCP_CLOSE ||
			!hostroute_addr_equal(hostroute_addr_peer(sk), daddr),
	};
}

/* ---- the list ---------------------------------------------------------------------------- */

static struct waiting *find_waiting(struct hostroute_net *hn, const struct sock *sk)
{
	struct waiting *waiting;

	lockdep_assert_held(&hn->deferred.lock);
	hash_for_each_possible(hn->deferred.hash, waiting, node, (unsigned long)sk)
		if (waiting->sk == sk)
			return waiting;
	return NULL;
}

static void unlink_waiting(struct hostroute_net *hn, struct waiting *waiting)
{
	lockdep_assert_held(&hn->deferred.lock);
	hash_del(&waiting->node);
	list_del(&waiting->list);
	WRITE_ONCE(hn->deferred.count, hn->deferred.count - 1);
}

static void free_waiting(struct waiting *waiting)
{
	sock_put(waiting->sk);
	kfree(waiting);
}

static bool add_waiting(struct hostroute_net *hn, struct waiting *waiting)
{
	bool added;

	spin_lock_bh(&hn->deferred.lock);
	added = hn->deferred.count < MAX_WAITING;
	if (added) {
		hash_add(hn->deferred.hash, &waiting->node, (unsigned long)waiting->sk);
		list_add_tail(&waiting->list, &hn->deferred.list);
		WRITE_ONCE(hn->deferred.count, hn->deferred.count + 1);
	}
	spin_unlock_bh(&hn->deferred.lock);
	return added;
}

/* Take the socket's claim off the list if it is settled; NULL if it is not, or there
 * is none. The caller holds the socket's spinlock, so nobody else adds, changes or
 * takes it.
 */
static struct waiting *take_settled(struct hostroute_net *hn, struct sock *sk,
				    enum fate *fate)
{
	struct waiting *waiting;
	struct progress progress;

	spin_lock_bh(&hn->deferred.lock);
	waiting = find_waiting(hn, sk);
	if (waiting) {
		progress = progress_of(hn, sk, waiting->claim.key.daddr);
		*fate = fate_of(waiting, &progress);
		if (*fate == FATE_WAIT)
			waiting = NULL;
		else
			unlink_waiting(hn, waiting);
	}
	spin_unlock_bh(&hn->deferred.lock);
	return waiting;
}

/* The path may have changed by now, or gone with its VRF or its device. */
static bool on_same_path(struct sock *sk, struct hostroute_claim *claim)
{
	int l3mdev = claim->key.l3mdev;

	return hostroute_clamp_path(sk, claim) && claim->key.l3mdev == l3mdev;
}

static void apply(struct hostroute_net *hn, struct waiting *waiting)
{
	enum hostroute_outcome outcome;

	waiting->claim.now = hostroute_now();
	outcome = hostroute_clamp_learn(hn, waiting->sk, &waiting->claim);
	hostroute_stats_inc(hn->stats, outcome);
}

/* BH off, RCU, the socket's spinlock held. While a process owns the socket, neither
 * ACKs nor timers are processed, and its fields may be half written.
 */
static void settle(struct hostroute_net *hn, struct sock *sk)
{
	static const enum hostroute_outcome counters[] = {
		[FATE_CLEAR] = HOSTROUTE_DEFERRED_CLEARED,
		[FATE_APPLY] = HOSTROUTE_DEFERRED_APPLIED,
		[FATE_DROP] = HOSTROUTE_DEFERRED_DROPPED,
	};
	struct waiting *waiting;
	enum fate fate;

	if (sock_owned_by_user(sk))
		return;
	waiting = take_settled(hn, sk, &fate);
	if (!waiting)
		return;
	if (fate == FATE_APPLY && !on_same_path(sk, &waiting->claim))
		fate = FATE_DROP;
	hostroute_stats_inc(hn->stats, counters[fate]);
	hostroute_trace_socket(hn->table.owner, sk, counters[fate], waiting->claim.mtu);
	if (fate == FATE_APPLY)
		apply(hn, waiting);
	free_waiting(waiting);
}

/* The next socket to look at, with a reference. */
static struct sock *next_socket(struct hostroute_net *hn)
{
	struct waiting *waiting;
	struct sock *sk = NULL;

	spin_lock_bh(&hn->deferred.lock);
	waiting = list_first_entry_or_null(&hn->deferred.list, struct waiting, list);
	if (waiting) {
		list_move_tail(&waiting->list, &hn->deferred.list);
		sk = waiting->sk;
		sock_hold(sk);
	}
	spin_unlock_bh(&hn->deferred.lock);
	return sk;
}

static void look(struct work_struct *work)
{
	struct hostroute_net *hn = container_of(to_delayed_work(work),
						struct hostroute_net, deferred.work);
	unsigned int left = READ_ONCE(hn->deferred.count);
	struct sock *sk;

	while (left-- && (sk = next_socket(hn))) {
		local_bh_disable();
		rcu_read_lock();
		bh_lock_sock(sk);
		settle(hn, sk);
		bh_unlock_sock(sk);
		rcu_read_unlock();
		local_bh_enable();
		sock_put(sk);
		cond_resched();
	}
	if (READ_ONCE(hn->deferred.count))
		queue_delayed_work(hostroute_wq, &hn->deferred.work, LOOK_INTERVAL);
}

static void fill(struct waiting *waiting, const struct sock *sk, u32 seq,
		 const struct hostroute_claim *claim)
{
	waiting->seq = seq;
	waiting->una = READ_ONCE(tcp_sk(sk)->snd_una);
	waiting->retransmits = READ_ONCE(inet_csk(sk)->icsk_retransmits);
	waiting->claim = *claim;
	/* There is no reference to it. hostroute_clamp_path() finds it again. */
	waiting->claim.known = NULL;
}

/* True if a claim waits for the socket already. The one with the higher MTU stays. */
static bool join_waiting(struct hostroute_net *hn, const struct sock *sk, u32 seq,
			 const struct hostroute_claim *claim)
{
	struct waiting *waiting;

	spin_lock_bh(&hn->deferred.lock);
	waiting = find_waiting(hn, sk);
	if (waiting && claim->mtu > waiting->claim.mtu)
		fill(waiting, sk, seq, claim);
	spin_unlock_bh(&hn->deferred.lock);
	return waiting;
}

static enum hostroute_outcome wait_for_timeout(struct hostroute_net *hn,
					       struct sock *sk, u32 seq,
					       const struct hostroute_claim *claim)
{
	struct waiting *waiting;

	if (join_waiting(hn, sk, seq, claim))
		return HOSTROUTE_DEFERRED;
	/* Do not allocate when the list is full. */
	if (READ_ONCE(hn->deferred.count) >= MAX_WAITING)
		return HOSTROUTE_IGNORED_CONTRADICTED;
	waiting = kzalloc(sizeof(*waiting), GFP_ATOMIC | __GFP_NOWARN);
	if (!waiting)
		return HOSTROUTE_IGNORED_CONTRADICTED;
	fill(waiting, sk, seq, claim);
	waiting->sk = sk;
	sock_hold(sk);
	if (!add_waiting(hn, waiting)) {
		free_waiting(waiting);
		return HOSTROUTE_IGNORED_CONTRADICTED;
	}
	queue_delayed_work(hostroute_wq, &hn->deferred.work, LOOK_INTERVAL);
	return HOSTROUTE_DEFERRED;
}

/* A later claim with the same MTU is believed. So the waiting one counts as
 * applied.
 */
static void confirm_waiting(struct hostroute_net *hn, struct sock *sk, u32 mtu)
{
	struct waiting *waiting;

	spin_lock_bh(&hn->deferred.lock);
	waiting = find_waiting(hn, sk);
	if (waiting && waiting->claim.mtu == mtu)
		unlink_waiting(hn, waiting);
	else
		waiting = NULL;
	spin_unlock_bh(&hn->deferred.lock);
	if (!waiting)
		return;
	hostroute_stats_inc(hn->stats, HOSTROUTE_DEFERRED_APPLIED);
	hostroute_trace_socket(hn->table.owner, sk, HOSTROUTE_DEFERRED_APPLIED, mtu);
	free_waiting(waiting);
}

/**
 * hostroute_defer_claim - must a proven claim wait for a timeout?
 * @hn:		the namespace
 * @sk:		a full TCP socket, its spinlock held
 * @seq:	of the segment that was quoted, host order
 * @claim:	what was claimed about the path to @sk's peer
 *
 * RFC 5927 7.2. First settles a claim that already waits for @sk, if its fate is
 * known.
 *
 * Context: BH off, RCU.
 * Return: HOSTROUTE_CONTINUE if the claim is to be believed now. HOSTROUTE_DEFERRED if
 * it waits here, or would without @claim->dry_run. HOSTROUTE_IGNORED_CONTRADICTED if
 * it should wait but the list is full or memory is short.
 */
enum hostroute_outcome hostroute_defer_claim(struct hostroute_net *hn,
					     struct sock *sk, u32 seq,
					     const struct hostroute_claim *claim)
{
	bool waits = READ_ONCE(hn->deferred.count);

	if (waits)
		settle(hn, sk);
	if (READ_ONCE(hn->set.defer) != HOSTROUTE_DEFER_ON ||
	    claim->class != HOSTROUTE_CLASS_PROVEN || !contradicted(hn, sk, claim))
		return HOSTROUTE_CONTINUE;
	if (!timed_out(sk, seq))
		return claim->dry_run ? HOSTROUTE_DEFERRED :
					wait_for_timeout(hn, sk, seq, claim);
	if (waits && !claim->dry_run)
		confirm_waiting(hn, sk, claim->mtu);
	return HOSTROUTE_CONTINUE;
}

/**
 * hostroute_defer_net_init - make an empty list of waiting claims
 * @hn: the namespace
 *
 * Context: any.
 */
void hostroute_defer_net_init(struct hostroute_net *hn)
{
	spin_lock_init(&hn->deferred.lock);
	hash_init(hn->deferred.hash);
	INIT_LIST_HEAD(&hn->deferred.list);
	INIT_DELAYED_WORK(&hn->deferred.work, look);
}

/**
 * hostroute_defer_net_exit - drop the claims that wait
 * @hn: the namespace; no new claim comes any more
 *
 * Context: process, may sleep.
 */
void hostroute_defer_net_exit(struct hostroute_net *hn)
{
	struct waiting *waiting, *next;

	cancel_delayed_work_sync(&hn->deferred.work);
	list_for_each_entry_safe(waiting, next, &hn->deferred.list, list)
		free_waiting(waiting);
}
