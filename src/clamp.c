// SPDX-License-Identifier: GPL-2.0
/*
 * Clamping: a TCP socket is put under its host route, and sends what was lost again at
 * once, in smaller segments.
 *
 * Only the owner of a TCP socket may replace its sk_dst_cache. When the message
 * arrives, a process may own the socket: over veth, the message arrives inside the
 * sender's own sendmsg(). Then the clamp is queued, and a work item tries until the
 * owner has let go. It never sleeps in lock_sock(): an owner may hold the socket for
 * as long as it likes (in a page fault that user space serves), and no other socket or
 * namespace may wait for it. TCP's own TCP_MTU_REDUCED_DEFERRED will not do: it would
 * run on the stock route and make a next-hop exception.
 *
 * A queued clamp carries no MTU. It takes what the table says when it runs, so that of
 * two messages the lower wins.
 *
 * Whether a message is believed is not decided here. A socket without a message comes
 * under its host route at its next packet, in src/ipv4/output.c.
 */
#include "clamp.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "ipv4/stock.h"
#include "trace.h"

#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/tcp.h>

/* Queued clamps in a namespace, at most. A socket beyond that still comes under its
 * host route at its next packet; only its retransmission waits for the timer.
 */
#define MAX_CLAMPS	1024

/* Longest time between two tries, jiffies. It is doubled up to this while no owner
 * lets go.
 */
#define RETRY_MAX	(HZ / 10)

struct clamp {
	struct hlist_node	node;	/* hn->clamp.hash */
	struct list_head	list;	/* hn->clamp.list */
	struct sock		*sk;	/* with a reference */
};

static bool is_open(const struct sock *sk)
{
	return !((1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE));
}

/* The socket's route, made anew if it is not valid; NULL if there is none, or the
 * socket is not open. The caller owns the socket.
 */
static struct dst_entry *valid_route(struct sock *sk)
{
	if (!is_open(sk))
		return NULL;
	if (!__sk_dst_check(sk, 0) &&
	    inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return NULL;
	return __sk_dst_get(sk);
}

/* Put the socket under its host route if there is one. The caller owns the socket, and
 * @dst is its route. Return: the MTU that it has to follow, bytes.
 */
static u32 enter_host_route(struct hostroute_net *hn, struct sock *sk, struct dst_entry *dst)
{
	struct hostroute *route = hostroute_of_dst(dst);
	struct dst_entry *clone;

	if (route && !hostroute_is_device(route))
		return hostroute_clone_mtu(dst);
	route = hostroute_net_find(hn, dst, hostroute_addr_peer(sk), false);
	clone = route ? hostroute_stock_clone(&hn->table, route, dst) : NULL;
	if (!clone)
		return dst_mtu(dst);
	hostroute_mark_used(route);
	__sk_dst_set(sk, clone);
	return hostroute_clone_mtu(clone);
}

/* BH off, RCU. The caller owns the socket: it holds the spinlock, and no process owns
 * it.
 * @dst: the socket's route, valid a moment ago; may be NULL.
 */
static void clamp_now(struct hostroute_net *hn, struct sock *sk, struct dst_entry *dst)
{
	u32 mtu;

	if (!dst || !is_open(sk) || READ_ONCE(hn->set.mode) != HOSTROUTE_MODE_ENFORCE)
		return;
	mtu = enter_host_route(hn, sk, dst);
	/* Without a host route, the stock route's own MTU may be below what the socket
	 * uses. The segment was lost all the same.
	 */
	if (inet_csk(sk)->icsk_pmtu_cookie > mtu) {
		hostroute_trace_socket(hn->table.owner, sk, HOSTROUTE_CLAMPED, mtu);
		/* mtu_reduced() first reports mtu_info to the route. Then it takes
		 * dst_mtu() for the MSS and sends again what was lost. The largest MTU
		 * is no news to any route: if the clone is retired at this moment, the
		 * stock route must not make an exception.
		 */
		WRITE_ONCE(tcp_sk(sk)->mtu_info, HOSTROUTE_MTU_MAX);
		inet_csk(sk)->icsk_af_ops->mtu_reduced(sk);
		hostroute_stats_inc(hn->stats, HOSTROUTE_CLAMPED);
	}
}

static struct clamp *find_clamp(struct hostroute_net *hn, const struct sock *sk)
{
	struct clamp *clamp;

	lockdep_assert_held(&hn->clamp.lock);
	hash_for_each_possible(hn->clamp.hash, clamp, node, (unsigned long)sk)
		if (clamp->sk == sk)
			return clamp;
	return NULL;
}

/* False if a clamp is queued for this socket already, or too many are. */
static bool add_clamp(struct hostroute_net *hn, struct clamp *clamp)
{
	bool added;

	spin_lock_bh(&hn->clamp.lock);
	added = !find_clamp(hn, clamp->sk) && hn->clamp.count < MAX_CLAMPS;
	if (added) {
		hash_add(hn->clamp.hash, &clamp->node, (unsigned long)clamp->sk);
		list_add_tail(&clamp->list, &hn->clamp.list);
		hn->clamp.count++;
	}
	spin_unlock_bh(&hn->clamp.lock);
	return added;
}

static struct clamp *take_clamp(struct hostroute_net *hn)
{
	struct clamp *clamp;

	spin_lock_bh(&hn->clamp.lock);
	clamp = list_first_entry_or_null(&hn->clamp.list, struct clamp, list);
	if (clamp) {
		hash_del(&clamp->node);
		list_del(&clamp->list);
		hn->clamp.count--;
	}
	spin_unlock_bh(&hn->clamp.lock);
	return clamp;
}

static void free_clamp(struct clamp *clamp)
{
	sock_put(clamp->sk);
	kfree(clamp);
}

/* False if a process owns the socket. */
static bool try_clamp(struct hostroute_net *hn, struct sock *sk)
{
	bool done;

	local_bh_disable();
	rcu_read_lock();
	bh_lock_sock(sk);
	done = !sock_owned_by_user(sk);
	if (done)
		clamp_now(hn, sk, valid_route(sk));
	bh_unlock_sock(sk);
	rcu_read_unlock();
	local_bh_enable();
	return done;
}

static void clamp_work(struct work_struct *work)
{
	struct hostroute_net *hn = container_of(to_delayed_work(work),
						struct hostroute_net, clamp.work);
	unsigned int left = READ_ONCE(hn->clamp.count);
	unsigned long delay = READ_ONCE(hn->clamp.delay);
	bool owned = false, progress = false;
	struct clamp *clamp;

	while (left-- && (clamp = take_clamp(hn))) {
		if (try_clamp(hn, clamp->sk)) {
			progress = true;
		} else if (add_clamp(hn, clamp)) {
			owned = true;
			continue;
		}
		free_clamp(clamp);
		cond_resched();
	}
	if (!owned)
		return;
	delay = progress ? 1 : clamp_t(unsigned long, delay * 2, 1, RETRY_MAX);
	WRITE_ONCE(hn->clamp.delay, delay);
	queue_delayed_work(hostroute_wq, &hn->clamp.work, delay);
}

static enum hostroute_outcome clamp_later(struct hostroute_net *hn,
					  struct sock *sk)
{
	struct clamp *clamp;
	bool waiting;

	spin_lock_bh(&hn->clamp.lock);
	waiting = find_clamp(hn, sk);
	spin_unlock_bh(&hn->clamp.lock);
	if (waiting)
		return HOSTROUTE_CONTINUE;

	clamp = kzalloc(sizeof(*clamp), GFP_ATOMIC | __GFP_NOWARN);
	if (!clamp)
		return HOSTROUTE_CLAMP_SKIPPED;
	clamp->sk = sk;
	sock_hold(sk);
	if (!add_clamp(hn, clamp)) {
		free_clamp(clamp);
		return HOSTROUTE_CLAMP_SKIPPED;
	}
	/* A new clamp does not wait for those whose owners do not let go. */
	WRITE_ONCE(hn->clamp.delay, 0);
	mod_delayed_work(hostroute_wq, &hn->clamp.work, 0);
	return HOSTROUTE_CLAMP_QUEUED;
}

/* What hostroute_clamp_path() found, or another route if that is not valid any more:
 * learning takes out the host route that the socket was under if it has expired.
 */
static struct dst_entry *route_after_learning(struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);

	if (dst && likely(READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK))
		return dst;
	return valid_route(sk);
}

/* Clamp at once, or queue it if a process owns the socket. */
static void clamp_in_time(struct hostroute_net *hn, struct sock *sk)
{
	enum hostroute_outcome outcome;

	if (!sock_owned_by_user(sk)) {
		clamp_now(hn, sk, route_after_learning(sk));
		return;
	}
	outcome = clamp_later(hn, sk);
	if (outcome == HOSTROUTE_CONTINUE)
		return;
	hostroute_stats_inc(hn->stats, outcome);
	hostroute_trace_socket(hn->table.owner, sk, outcome, 0);
}

/* The socket's route, made anew if it is not valid and no process owns the socket. */
static struct dst_entry *current_route(struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);

	if (dst && dst_check(dst, 0))
		return dst;
	if (sock_owned_by_user(sk))
		return dst;	/* maybe stale: tells the path, but not its MTU */
	if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return NULL;
	return rcu_dereference(sk->sk_dst_cache);
}

/**
 * hostroute_clamp_path - find the path that a claim about a socket's data is about
 * @sk:		a full TCP socket, its spinlock held
 * @claim:	about its peer; its VRF, its estimate and the host route that the
 *		socket is under are filled in
 *
 * Context: BH off, RCU.
 * Return: the socket's route, under RCU; NULL if it has none, or one that is left
 * alone.
 */
struct dst_entry *hostroute_clamp_path(struct sock *sk,
				       struct hostroute_claim *claim)
{
	struct dst_entry *dst = current_route(sk);

	if (!dst)
		return NULL;
	claim->known = hostroute_of_dst(dst);
	if (!claim->known && !hostroute_stock_clonable(dst) && dst_check(dst, 0))
		return NULL;
	claim->key.l3mdev = hostroute_l3mdev(dst->dev);
	claim->estimate = hostroute_stock_estimate(dst);
	/* In a dry run the stock path may have acted on earlier messages. Leave that
	 * out: otherwise it would not have seen them.
	 */
	if (claim->dry_run)
		claim->estimate = dst_metric_raw(dst, RTAX_MTU) ?: dst->dev->mtu;
	return dst;
}

/**
 * hostroute_clamp_learn - apply a claim, and clamp the socket whose data was quoted
 * @hn:		the namespace
 * @sk:		a full TCP socket, its spinlock held
 * @claim:	a claim that was believed; hostroute_clamp_path() has just filled it in
 *
 * Context: BH off, RCU.
 * Return: as hostroute_learn().
 */
enum hostroute_outcome hostroute_clamp_learn(struct hostroute_net *hn,
					     struct sock *sk,
					     const struct hostroute_claim *claim)
{
	enum hostroute_outcome outcome = hostroute_net_learn(hn, claim);

	if (claim->dry_run)
		return outcome;
	switch (outcome) {
	case HOSTROUTE_LEARNED:
	case HOSTROUTE_LOWERED:
	case HOSTROUTE_REFRESHED:
	case HOSTROUTE_CONFIRMED:
	case HOSTROUTE_IGNORED_NOT_SMALLER:
		/* Whatever this message adds to the table, the segment that it quotes
		 * was lost, and the socket may not be under the host route yet.
		 */
		clamp_in_time(hn, sk);
		break;
	default:
		break;
	}
	return outcome;
}

/**
 * hostroute_clamp_net_init - make an empty queue of clamps
 * @hn: the namespace
 *
 * Context: any.
 */
void hostroute_clamp_net_init(struct hostroute_net *hn)
{
	spin_lock_init(&hn->clamp.lock);
	hash_init(hn->clamp.hash);
	INIT_LIST_HEAD(&hn->clamp.list);
	INIT_DELAYED_WORK(&hn->clamp.work, clamp_work);
}

/**
 * hostroute_clamp_net_exit - drop the queued clamps
 * @hn: the namespace; no new clamp comes any more
 *
 * Sockets that still send follow at their next packet.
 *
 * Context: process, may sleep.
 */
void hostroute_clamp_net_exit(struct hostroute_net *hn)
{
	struct clamp *clamp;

	cancel_delayed_work_sync(&hn->clamp.work);
	while ((clamp = take_clamp(hn)))
		free_clamp(clamp);
}
