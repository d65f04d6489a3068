// SPDX-License-Identifier: GPL-2.0
/*
 * Clamping: a TCP socket goes under its host route and sends what was lost
 * again, smaller, at once.
 *
 * sk_dst_cache of a TCP socket may be swapped only by who owns the socket. If
 * a process owns it when the message arrives (over veth the message arrives
 * inside the sender's own sendmsg()), the clamp waits in a list that a work
 * item goes through until the owner has let go. It tries, and never sleeps in
 * lock_sock(): an owner may hold on for as long as he likes (a page fault
 * served by user space), and no other socket or namespace may wait for him.
 * TCP's own TCP_MTU_REDUCED_DEFERRED will not do: it would run on the stock
 * route and make a next-hop exception.
 *
 * A waiting clamp carries no MTU: when it runs it takes what the table says
 * then, so that of two messages the lower wins.
 */
#include "clamp.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "ipv4/stock.h"
#include "trace.h"

#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/tcp.h>

/* Waiting clamps in a namespace. A socket beyond that follows at its next
 * send all the same, only its retransmission waits for the timer.
 */
#define MAX_CLAMPS	1024

/* Between two tries, jiffies; doubled while nobody lets go. */
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

/* A valid route, or NULL, as of a socket that is not open. The socket is ours. */
static struct dst_entry *valid_route(struct sock *sk)
{
	if (!is_open(sk))
		return NULL;
	if (!__sk_dst_check(sk, 0) &&
	    inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return NULL;
	return __sk_dst_get(sk);
}

/* Put the socket under its host route if there is one. The socket is ours, and @dst
 * its route. Return: the MTU that it has to follow, bytes.
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

/* BH is off, RCU, and the socket ours: its spinlock is held, and nobody owns it.
 * @dst: its route, valid a moment ago; may be NULL.
 */
static void clamp_now(struct hostroute_net *hn, struct sock *sk, struct dst_entry *dst)
{
	u32 mtu;

	if (!dst || !is_open(sk) || READ_ONCE(hn->set.mode) != HOSTROUTE_MODE_ENFORCE)
		return;
	mtu = enter_host_route(hn, sk, dst);
	/* Also when it is the route itself, and no host route, that has come
	 * below what the socket believes: the segment is lost all the same.
	 */
	if (inet_csk(sk)->icsk_pmtu_cookie > mtu) {
		hostroute_trace_socket(hn->table.owner, sk, HOSTROUTE_CLAMPED, mtu);
		/* TCP takes dst_mtu() for its MSS and sends what was lost once
		 * more. What it reports to the route first is no news to any:
		 * should the clone be retired at this moment, the stock route
		 * must not make an exception.
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

/* False if one is waiting for this socket already, or too many are. */
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

/* False if somebody owns the socket. */
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
	/* A newcomer does not wait for those that nobody lets go. */
	WRITE_ONCE(hn->clamp.delay, 0);
	mod_delayed_work(hostroute_wq, &hn->clamp.work, 0);
	return HOSTROUTE_CLAMP_QUEUED;
}

/* What hostroute_clamp_path() found, or another if that is not valid any more: the
 * host route that the socket was under may have had its time.
 */
static struct dst_entry *route_after_learning(struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);

	if (dst && likely(READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK))
		return dst;
	return valid_route(sk);
}

/* Now or when it can be. */
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

/* The socket's route, made anew if it has none and nobody owns the socket. */
static struct dst_entry *current_route(struct sock *sk)
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

/**
 * hostroute_clamp_path - which path is a claim about a socket's data about?
 * @sk:		a full TCP socket, its spinlock held
 * @claim:	of its peer; gets the VRF, the estimate so far, and the host route that
 *		the socket is under
 *
 * Context: BH off, RCU.
 * Return: its route, under RCU; NULL if it has none, or one that is left alone.
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
	/* What the stock path has made of messages that were only observed would
	 * not be there.
	 */
	if (claim->dry_run)
		claim->estimate = dst_metric_raw(dst, RTAX_MTU) ?: dst->dev->mtu;
	return dst;
}

/**
 * hostroute_clamp_learn - have a claim learned that a socket's data was quoted for
 * @hn:		the namespace
 * @sk:		a full TCP socket, its spinlock held
 * @claim:	a claim that was believed; hostroute_clamp_path() was just asked
 *
 * Context: BH off, RCU. Return: as hostroute_learn().
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
		/* Whatever this message adds, the segment it quotes was lost:
		 * its socket may not be under the host route yet.
		 */
		clamp_in_time(hn, sk);
		break;
	default:
		break;
	}
	return outcome;
}

void hostroute_clamp_net_init(struct hostroute_net *hn)
{
	spin_lock_init(&hn->clamp.lock);
	hash_init(hn->clamp.hash);
	INIT_LIST_HEAD(&hn->clamp.list);
	INIT_DELAYED_WORK(&hn->clamp.work, clamp_work);
}

/* No new clamp comes any more; those that wait are dropped: their sockets
 * follow at their next send, if they have one.
 */
void hostroute_clamp_net_exit(struct hostroute_net *hn)
{
	struct clamp *clamp;

	cancel_delayed_work_sync(&hn->clamp.work);
	while ((clamp = take_clamp(hn)))
		free_clamp(clamp);
}
