// SPDX-License-Identifier: GPL-2.0
/*
 * Clamping: a TCP socket goes under its host route and sends what was lost
 * again, smaller, at once.
 *
 * sk_dst_cache of a TCP socket may be swapped only by who owns the socket. If
 * a process owns it when the message arrives (over veth the message arrives
 * inside the sender's own sendmsg()), the clamp is left to a work item that
 * waits for the owner to let go. TCP's own TCP_MTU_REDUCED_DEFERRED will not
 * do: it would run on the stock route and make a next-hop exception.
 *
 * A waiting clamp carries no MTU: when it runs it takes what the table says
 * then, so that of two messages the lower wins.
 */
#include "../pmtu_hostroute.h"

#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/l3mdev.h>
#include <net/tcp.h>

/* Waiting clamps in a namespace. A socket beyond that follows at its next
 * send all the same, only its retransmission waits for the timer.
 */
#define MAX_WAITING	1024

struct clamp {
	struct hlist_node	node;	/* hn->clamps; hn->clamp_lock */
	struct work_struct	work;
	struct hostroute_net	*hn;
	struct sock		*sk;	/* with a reference */
};

static struct workqueue_struct *clamp_wq;

/* A valid route, or NULL. The socket is ours. */
static struct dst_entry *valid_route(struct sock *sk)
{
	if (!__sk_dst_check(sk, 0) &&
	    inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return NULL;
	return __sk_dst_get(sk);
}

/* Put the socket under its host route if there is one. The socket is ours. */
static struct hostroute *enter(struct hostroute_net *hn, struct sock *sk)
{
	struct hostroute_key key = { .daddr = inet_sk(sk)->inet_daddr };
	struct dst_entry *dst = valid_route(sk);
	struct hostroute *route;
	struct dst_entry *clone;

	if (!dst)
		return NULL;
	route = hostroute_route_of(dst);
	if (route)
		return route;
	if (!hostroute_route_clonable(dst))
		return NULL;
	key.l3mdev = l3mdev_master_ifindex_rcu(dst->dev);
	route = hostroute_table_find(&hn->table, &key);
	if (!route || hostroute_table_expired(&hn->table, route, hostroute_now()))
		return NULL;
	clone = hostroute_route_get(&hn->table, route, dst);
	if (!clone)
		return NULL;
	__sk_dst_set(sk, clone);
	return route;
}

/* BH is off, and the socket ours: by its spinlock with no owner, or by owning
 * it.
 */
static void clamp_now(struct hostroute_net *hn, struct sock *sk)
{
	struct hostroute *route;

	if ((1 << sk->sk_state) & (TCPF_LISTEN | TCPF_CLOSE))
		return;
	if (READ_ONCE(hn->mode) != HOSTROUTE_MODE_ENFORCE)
		return;
	rcu_read_lock();
	route = enter(hn, sk);
	if (route && inet_csk(sk)->icsk_pmtu_cookie > READ_ONCE(route->mtu)) {
		hostroute_mark_used(route);
		/* Reports to clone_update_pmtu(), which knows this MTU; then
		 * a smaller MSS, and what was lost once more.
		 */
		WRITE_ONCE(tcp_sk(sk)->mtu_info, READ_ONCE(route->mtu));
		inet_csk(sk)->icsk_af_ops->mtu_reduced(sk);
		hostroute_stats_inc(hn->stats, HOSTROUTE_CLAMPED);
	}
	rcu_read_unlock();
}

static void clamp_work(struct work_struct *work)
{
	struct clamp *clamp = container_of(work, struct clamp, work);
	struct hostroute_net *hn = clamp->hn;
	struct sock *sk = clamp->sk;

	/* From here on a new message waits on its own. */
	spin_lock_bh(&hn->clamp_lock);
	hash_del(&clamp->node);
	hn->clamp_count--;
	spin_unlock_bh(&hn->clamp_lock);

	lock_sock(sk);
	local_bh_disable();
	clamp_now(hn, sk);
	local_bh_enable();
	release_sock(sk);
	sock_put(sk);
	kfree(clamp);
}

static struct clamp *find_waiting(struct hostroute_net *hn,
				  const struct sock *sk)
{
	struct clamp *clamp;

	lockdep_assert_held(&hn->clamp_lock);
	hash_for_each_possible(hn->clamps, clamp, node, (unsigned long)sk)
		if (clamp->sk == sk)
			return clamp;
	return NULL;
}

/* The namespace lives until hostroute_socket_flush() in its exit. */
static enum hostroute_outcome clamp_later(struct hostroute_net *hn,
					  struct sock *sk)
{
	enum hostroute_outcome outcome = HOSTROUTE_CLAMP_SKIPPED;
	struct clamp *clamp;

	spin_lock_bh(&hn->clamp_lock);
	if (find_waiting(hn, sk)) {
		outcome = HOSTROUTE_CONTINUE;
		goto out;
	}
	if (hn->clamp_count >= MAX_WAITING)
		goto out;
	clamp = kzalloc(sizeof(*clamp), GFP_ATOMIC | __GFP_NOWARN);
	if (!clamp)
		goto out;
	INIT_WORK(&clamp->work, clamp_work);
	clamp->hn = hn;
	clamp->sk = sk;
	sock_hold(sk);
	hash_add(hn->clamps, &clamp->node, (unsigned long)sk);
	hn->clamp_count++;
	queue_work(clamp_wq, &clamp->work);
	outcome = HOSTROUTE_CLAMP_DEFERRED;
out:
	spin_unlock_bh(&hn->clamp_lock);
	return outcome;
}

/**
 * hostroute_socket_clamp_owned_or_now - clamp a TCP socket, now or when it can be
 * @hn:	the namespace
 * @sk:	a full TCP socket, its spinlock held
 *
 * Context: softirq, RCU.
 */
void hostroute_socket_clamp_owned_or_now(struct hostroute_net *hn,
					 struct sock *sk)
{
	enum hostroute_outcome outcome;

	if (!sock_owned_by_user(sk)) {
		clamp_now(hn, sk);
		return;
	}
	outcome = clamp_later(hn, sk);
	if (outcome != HOSTROUTE_CONTINUE)
		hostroute_stats_inc(hn->stats, outcome);
}

/* Wait for every waiting clamp; the caller has stopped new ones. */
void hostroute_socket_flush(void)
{
	flush_workqueue(clamp_wq);
}

int hostroute_socket_init(void)
{
	/* Unbound: an owner that holds on keeps only his own clamp waiting. */
	clamp_wq = alloc_workqueue(HOSTROUTE_NAME "_clamp", WQ_UNBOUND, 0);
	return clamp_wq ? 0 : -ENOMEM;
}

void hostroute_socket_exit(void)
{
	destroy_workqueue(clamp_wq);
}
