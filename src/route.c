// SPDX-License-Identifier: GPL-2.0
/*
 * Clones: how a host route becomes a dst_entry.
 *
 * A clone is an rtable of the kernel's own making (rt_dst_alloc()) that copies
 * the route the kernel chose and differs from it in its MTU. The MTU is
 * RTAX_MTU in a struct dst_metrics that the clone alone uses, so that one
 * store reaches every socket that holds the clone: TCP compares dst_mtu() with
 * icsk_pmtu_cookie at every send.
 *
 * Lifetime. struct hostroute_clone starts with that dst_metrics; the stock
 * destroy operation frees it with the dst_entry (ip_dst_metrics_put() is a
 * kfree()). A clone in its route's set has one reference of the set's, dropped
 * a grace period after it left the set: whoever finds it there under RCU may
 * look at it. (The last reference alone is no such promise: xfrm frees a route
 * below its bundle at once.) That reference also lends it the dst_entry's RCU head,
 * which nobody else uses before the last is dropped. It is on the list of all clones
 * from its creation until its destroy operation, and holds a reference to its host
 * route for as long. The list goes through rt_uncached: the kernel initializes that
 * in every rtable, and uses it only for those that it has put on a list of its own. When
 * a clone is destroyed or disowned it is empty again, which the stock destroy
 * operation looks at.
 *
 * A clone that leaves the set is marked obsolete: sockets that hold it look
 * their route up again at their next packet, and come back under whatever
 * host route there is then by way of LOCAL_OUT. Its MTU goes back to the
 * original's in the same step, for TCP asks for the MTU before it asks whether
 * the route still holds.
 *
 * A clone may also be one datagram socket's own, without a host route: what a
 * message about that very socket's datagram claims is for it alone. Its MTU is
 * in rt_pmtu, which ends by itself. The socket has a reference, and each packet
 * that is on its way.
 *
 * A clone that is disowned (its namespace or this module goes away) gets the
 * stock operations back and is a plain, obsolete rtable from then on.
 */
#include "../pmtu_hostroute.h"
#include "compat.h"

#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/jiffies.h>
#include <net/dst_metadata.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/lwtunnel.h>

/* Paths to one destination: ECMP next hops, uplinks, policy tables; of a device's
 * own, neighbours that its packets go to (there are several, see device.c). One more
 * pushes out the oldest, whose sockets then look their route up again; with
 * traffic on all of them at every packet. So this is beyond what fabrics have.
 */
#define CLONES_PER_ROUTE	64

static_assert(offsetof(struct hostroute_clone, metrics) == 0);
static_assert(offsetof(struct dst_metrics, metrics) == 0);

struct dst_ops hostroute_clone_ops;
static struct dst_ops own_ops;		/* of a socket's own */
static struct dst_ops *stock_ops;
static LIST_HEAD(all_clones);
static DEFINE_SPINLOCK(all_lock);

/* Every clone there is, by its rtable; under all_lock. */
#define for_each_clone(rt) \
	list_for_each_entry(rt, &all_clones, hostroute_compat_uncached)

static bool is_clone(const struct dst_entry *dst)
{
	const struct dst_ops *ops = READ_ONCE(dst->ops);

	return ops == &hostroute_clone_ops || ops == &own_ops;
}

static bool is_device_clone(const struct dst_entry *dst)
{
	return is_clone(dst) && hostroute_clone_of(dst)->of_device;
}

/* Of the original, if @dst is a clone; only compared. */
static const u32 *metrics_of(const struct dst_entry *dst)
{
	return is_clone(dst) ? hostroute_clone_of(dst)->origin : DST_METRICS_PTR(dst);
}

/* Nobody but the caller finds @clone on the list after this. */
static struct hostroute *take_off_list(struct hostroute_clone *clone)
{
	struct hostroute *route;

	lockdep_assert_held(&all_lock);
	if (list_empty(&clone->rt->hostroute_compat_uncached))
		return NULL;
	list_del_init(&clone->rt->hostroute_compat_uncached);
	route = rcu_dereference_protected(clone->route,
					  lockdep_is_held(&all_lock));
	RCU_INIT_POINTER(clone->route, NULL);
	return route;
}

static void clone_destroy(struct dst_entry *dst)
{
	struct hostroute *route;

	spin_lock_bh(&all_lock);
	route = take_off_list(hostroute_clone_of(dst));
	spin_unlock_bh(&all_lock);
	if (route)
		hostroute_put(route);
	stock_ops->destroy(dst);
}

/* What the original carries. */
static u32 own_mtu(const struct hostroute_clone *clone)
{
	u32 mtu = clone->base_mtu;

	return mtu ?: READ_ONCE(clone->rt->dst.dev->mtu);
}

/* What of that the administrator lets this host use. */
static u32 base_mtu(const struct hostroute_clone *clone)
{
	return min(own_mtu(clone), hostroute_device_mtu(clone->rt->dst.dev));
}

/* The MSS a SYN offers comes from the interface or the route, never from what
 * was learned about the other direction (RFC 1191 6.4, RFC 2923 2.3).
 */
static unsigned int clone_default_advmss(const struct dst_entry *dst)
{
	const unsigned int headers = sizeof(struct tcphdr) + sizeof(struct iphdr);
	unsigned int mss;

	rcu_read_lock();
	mss = max_t(int, base_mtu(hostroute_clone_of(dst)) - headers,
		    dev_net(dst->dev)->ipv4.ip_rt_min_advmss);
	rcu_read_unlock();
	return min(mss, HOSTROUTE_MTU_MAX - headers);
}

/* A socket's own clone is not there when its time is up: the socket looks its
 * route up again, and may come under a host route.
 */
static struct dst_entry *own_check(struct dst_entry *dst, u32 cookie)
{
	if (time_after_eq(jiffies, READ_ONCE(dst->expires)))
		return NULL;
	return stock_ops->check(dst, cookie);
}

/* What a report is about. A device's clone stands for many destinations: the
 * packet, or else the socket, says which. Under RCU.
 */
static bool claim_key(struct hostroute_key *key, const struct dst_entry *dst,
		      const struct hostroute *route, const struct sock *sk,
		      const struct sk_buff *skb)
{
	if (!hostroute_is_device(route)) {
		*key = route->key;
		return true;
	}
	if (!skb && !sk)
		return false;
	key->daddr = skb ? ip_hdr(skb)->daddr : READ_ONCE(inet_sk(sk)->inet_daddr);
	key->l3mdev = hostroute_l3mdev(dst->dev);
	return true;
}

/* Under RCU. */
static noinline void learn_local(struct dst_entry *dst, const struct hostroute *route,
				 const struct sock *sk, const struct sk_buff *skb,
				 u32 mtu)
{
	/* Not the device's namespace: it may be going away. Ours stays while the
	 * clone is not disowned.
	 */
	struct hostroute_net *hn = hostroute_net(hostroute_clone_of(dst)->net);
	struct hostroute_claim claim = {
		.now = hostroute_now(),
		.mtu = max(mtu, HOSTROUTE_MTU_MIN),
		.estimate = own_mtu(hostroute_clone_of(dst)),
		.class = HOSTROUTE_CLASS_LOCAL,
	};

	if (claim_key(&claim.key, dst, route, sk, skb))
		hostroute_stats_inc(hn->stats, hostroute_net_learn(hn, &claim));
}

/* Tunnels, xfrm and TCP report a smaller MTU of their own here. The stock
 * operation would make a next-hop exception that this clone never sees.
 */
static void clone_update_pmtu(struct dst_entry *dst, struct sock *sk,
			      struct sk_buff *skb, u32 mtu, bool confirm_neigh)
{
	struct hostroute *route;

	/* TCP reports here each time that a message has lowered the MTU, and then
	 * it is no news: see clamp_now().
	 */
	if (mtu >= HOSTROUTE_MTU_MAX)
		return;
	rcu_read_lock();
	route = rcu_dereference(hostroute_clone_of(dst)->route);
	if (route && dst->obsolete == DST_OBSOLETE_FORCE_CHK &&
	    mtu < READ_ONCE(route->mtu))
		learn_local(dst, route, sk, skb, mtu);
	rcu_read_unlock();
}

/**
 * hostroute_route_plain - is this of a kind that host routes are for?
 * @dst: any dst_entry; under RCU or with a reference
 *
 * Plain unicast IPv4 routes through a device only: no xfrm, no lightweight
 * tunnel, no "mtu lock", nothing of somebody else's making. It may be stale. So
 * is a clone that stands for a whole device, which was made of such a route.
 */
bool hostroute_route_plain(const struct dst_entry *dst)
{
	const struct rtable *rt = container_of(dst, struct rtable, dst);

	if ((READ_ONCE(dst->ops) != stock_ops && !is_device_clone(dst)) ||
	    dst->error)
		return false;
#ifdef CONFIG_XFRM
	if (dst->xfrm)
		return false;
#endif
	if (dst->lwtstate || dst->flags & DST_METADATA)
		return false;
	if (rt->rt_type != RTN_UNICAST ||
	    rt->rt_flags & (RTCF_LOCAL | RTCF_BROADCAST | RTCF_MULTICAST))
		return false;
	if (dst_metric_locked(dst, RTAX_MTU))
		return false;
	return !(dst->dev->flags & IFF_LOOPBACK) && !netif_is_l3_master(dst->dev);
}

/**
 * hostroute_route_clonable - can packets on this route be put under a host route?
 * @dst: any dst_entry; under RCU or with a reference
 */
bool hostroute_route_clonable(const struct dst_entry *dst)
{
	return dst->obsolete == DST_OBSOLETE_FORCE_CHK &&
	       hostroute_route_plain(dst);
}

/**
 * hostroute_route_estimate - what a path's MTU is taken for without its host route
 * @dst: stock route or clone
 *
 * Context: RCU. Return: bytes.
 */
u32 hostroute_route_estimate(const struct dst_entry *dst)
{
	return is_clone(dst) ? own_mtu(hostroute_clone_of(dst)) : dst_mtu(dst);
}

static bool same_path(const struct hostroute_clone *clone,
		      const struct rtable *origin)
{
	const struct rtable *rt = clone->rt;

	if (rt->dst.dev != origin->dst.dev ||
	    clone->origin != metrics_of(&origin->dst) ||
	    rt->rt_genid != origin->rt_genid ||
	    rt->rt_iif != origin->rt_iif ||
	    rt->rt_is_input != origin->rt_is_input ||
	    rt->rt_uses_gateway != origin->rt_uses_gateway ||
	    rt->rt_gw_family != origin->rt_gw_family ||
	    rt->dst.output != origin->dst.output)
		return false;
	if (origin->rt_gw_family == AF_INET6)
		return ipv6_addr_equal(&rt->rt_gw6, &origin->rt_gw6);
	return rt->rt_gw4 == origin->rt_gw4;
}

/* Under RCU. A clone with a reference for the caller, or NULL. */
static struct dst_entry *find(struct hostroute *route,
			      const struct rtable *origin)
{
	struct hostroute_clone *clone;

	hlist_for_each_entry_rcu(clone, &route->clones, in_route)
		if (clone->rt->dst.obsolete == DST_OBSOLETE_FORCE_CHK &&
		    same_path(clone, origin) && dst_hold_safe(&clone->rt->dst))
			return &clone->rt->dst;
	return NULL;
}

static void set_mtu(struct hostroute_clone *clone, u32 mtu)
{
	/* Read locklessly by dst_metric_raw(). */
	WRITE_ONCE(clone->metrics.metrics[RTAX_MTU - 1], mtu);
}

/* What the path may carry is the smaller of what was learned and what the
 * route allows by itself.
 */
static u32 clone_mtu(const struct hostroute_clone *clone,
		     const struct hostroute *route)
{
	return min_t(u32, READ_ONCE(route->mtu), base_mtu(clone));
}

/* @route may be NULL, see hostroute_route_own(). */
static struct hostroute_clone *make(struct hostroute *route,
				    const struct rtable *origin,
				    struct net_device *dev)
{
	struct hostroute_clone *clone;
	struct rtable *rt;

	clone = kmalloc(sizeof(*clone), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!clone)
		return NULL;
	rt = rt_dst_alloc(dev, origin->rt_flags, origin->rt_type,
			  origin->dst.flags & DST_NOXFRM);
	if (!rt) {
		kfree(clone);
		return NULL;
	}
	/* Counted by clones alone: hostroute_clone_ops has no counter of its own. */
	rt->dst.flags |= DST_NOCOUNT | (origin->dst.flags & DST_NOPOLICY);
	dst_entries_add(stock_ops, -1);

	rt->rt_genid = origin->rt_genid;
	rt->rt_is_input = origin->rt_is_input;
	rt->rt_iif = origin->rt_iif;
	rt->rt_uses_gateway = origin->rt_uses_gateway;
	rt->rt_gw_family = origin->rt_gw_family;
	if (origin->rt_gw_family == AF_INET6)
		rt->rt_gw6 = origin->rt_gw6;
	else
		rt->rt_gw4 = origin->rt_gw4;
	rt->dst.input = origin->dst.input;
	rt->dst.output = origin->dst.output;
#ifdef CONFIG_IP_ROUTE_CLASSID
	rt->dst.tclassid = origin->dst.tclassid;
#endif
	/* The original may be taken down meanwhile (dst_dev_put()), without a
	 * grace period: obsolete first, then what was copied here.
	 */
	smp_rmb();
	if (READ_ONCE(origin->dst.obsolete) != DST_OBSOLETE_FORCE_CHK ||
	    rt->dst.output == dst_discard_out) {
		dst_release(&rt->dst);
		kfree(clone);
		return NULL;
	}

	*clone = (struct hostroute_clone) {
		.rt = rt,
		.net = dev_net(dev),
		.origin = metrics_of(&origin->dst),
	};
	memcpy(clone->metrics.metrics, DST_METRICS_PTR(&origin->dst),
	       sizeof(clone->metrics.metrics));
	refcount_set(&clone->metrics.refcnt, 1);
	clone->base_mtu = is_clone(&origin->dst) ?
			  hostroute_clone_of(&origin->dst)->base_mtu :
			  dst_metric_raw(&origin->dst, RTAX_MTU);
	clone->of_device = route && hostroute_is_device(route);
	clone->own = !route;
	rt->dst._metrics = (unsigned long)&clone->metrics |
			   DST_METRICS_READ_ONLY | DST_METRICS_REFCOUNTED;
	if (route) {
		hostroute_hold(route);
		rcu_assign_pointer(clone->route, route);
	}
	spin_lock_bh(&all_lock);
	/* Who changes what it depends on finds it on the list, or was before. */
	set_mtu(clone, route ? clone_mtu(clone, route) : clone->base_mtu);
	list_add(&rt->hostroute_compat_uncached, &all_clones);
	spin_unlock_bh(&all_lock);
	/* From here on the clone is freed by dst_release() alone. */
	WRITE_ONCE(rt->dst.ops, route ? &hostroute_clone_ops : &own_ops);
	return clone;
}

/* Make every holder look its route up again. */
static void retire(struct hostroute_clone *clone)
{
	lockdep_assert_held(&all_lock);
	if (clone->rt->dst.obsolete == DST_OBSOLETE_DEAD)
		return;
	set_mtu(clone, clone->base_mtu);
	if (clone->own)
		clone->rt->dst.expires = jiffies;
	WRITE_ONCE(clone->rt->dst.obsolete, DST_OBSOLETE_KILL);
}

static void put_of_set(struct rcu_head *head)
{
	dst_release(container_of(head, struct dst_entry, rcu_head));
}

static void leave_set(struct hostroute_clone *clone)
{
	hlist_del_rcu(&clone->in_route);
	spin_lock(&all_lock);
	retire(clone);
	spin_unlock(&all_lock);
	call_rcu(&clone->rt->dst.rcu_head, put_of_set);
}

/* Room for one more: stale ones go first, else the oldest. */
static void make_room(struct hostroute *route)
{
	struct hostroute_clone *clone, *oldest = NULL;
	struct hlist_node *next;
	unsigned int count = 0;

	hlist_for_each_entry_safe(clone, next, &route->clones, in_route) {
		if (!dst_check(&clone->rt->dst, 0)) {
			leave_set(clone);
			continue;
		}
		oldest = clone;
		count++;
	}
	if (count >= CLONES_PER_ROUTE)
		leave_set(oldest);
}

/**
 * hostroute_route_get - the clone of a route for a destination
 * @table:	the table @route is in
 * @route:	host route; under RCU
 * @origin:	the route the kernel chose, clonable
 *
 * Context: RCU; any but hardirq; takes the table's lock when there is no such
 * clone yet.
 * Return: the clone, with a reference for the caller; NULL when there is
 * nothing to gain (the original's MTU is as small), the device is going away,
 * the route is no longer in the table, or memory is short.
 */
struct dst_entry *hostroute_route_get(struct hostroute_table *table,
				      struct hostroute *route,
				      struct dst_entry *origin)
{
	const struct rtable *rt = container_of(origin, struct rtable, dst);
	struct net_device *dev = READ_ONCE(origin->dev);
	struct hostroute_clone *clone;
	struct mem_cgroup *old;
	struct dst_entry *dst;

	if (dst_mtu(origin) <= READ_ONCE(route->mtu))
		return NULL;
	dst = find(route, rt);
	if (dst)
		return dst;
	/* Set before the grace period that NETDEV_UNREGISTER comes after: no
	 * clone of a device is made after its clones were taken down.
	 */
	if (READ_ONCE(dev->reg_state) != NETREG_REGISTERED)
		return NULL;

	spin_lock_bh(&table->lock);
	dst = hostroute_is_dead(route) ? NULL : find(route, rt);
	if (!dst && !hostroute_is_dead(route)) {
		old = set_active_memcg(table->memcg);
		clone = make(route, rt, dev);
		set_active_memcg(old);
		if (clone) {
			make_room(route);
			dst = &clone->rt->dst;
			dst_hold(dst);	/* the caller's; the first is the set's */
			hlist_add_head_rcu(&clone->in_route, &route->clones);
			hostroute_stats_inc(table->stats, HOSTROUTE_CLONED);
		}
	}
	spin_unlock_bh(&table->lock);
	return dst;
}

/* The route's MTU changed: one store for each path, whatever the number of
 * sockets. Under the table's lock.
 */
void hostroute_route_sync(struct hostroute *route)
{
	struct hostroute_clone *clone;

	if (hlist_empty(&route->clones))
		return;
	/* Not at the same time as hostroute_route_device_sync(). BH is off. */
	spin_lock(&all_lock);
	hlist_for_each_entry(clone, &route->clones, in_route)
		if (clone->rt->dst.obsolete != DST_OBSOLETE_DEAD)
			set_mtu(clone, clone_mtu(clone, route));
	spin_unlock(&all_lock);
}

/* Sockets under @route look their route up again. Under the table's lock. */
void hostroute_route_drop(struct hostroute_table *table, struct hostroute *route)
{
	struct hostroute_clone *clone;
	struct hlist_node *next;

	lockdep_assert_held(&table->lock);
	hlist_for_each_entry_safe(clone, next, &route->clones, in_route)
		leave_set(clone);
}

/**
 * hostroute_route_drop_all - no socket stays under a host route
 * @table: whose routes stay, without clones
 *
 * Context: process, may sleep.
 */
void hostroute_route_drop_all(struct hostroute_table *table)
{
	struct hostroute *route;
	unsigned long id = 0;

	for (;; id++) {
		rcu_read_lock();
		route = hostroute_table_next(table, &id);
		if (route && !hlist_empty(&route->clones)) {
			spin_lock_bh(&table->lock);
			hostroute_route_drop(table, route);
			spin_unlock_bh(&table->lock);
		}
		rcu_read_unlock();
		if (!route)
			return;
		cond_resched();
	}
}

/* ---- a socket's own ------------------------------------------------------------------- */

bool hostroute_route_is_own(const struct dst_entry *dst)
{
	return is_clone(dst) && hostroute_clone_of(dst)->own;
}

static bool connected_to(const struct sock *sk, __be32 daddr)
{
	return READ_ONCE(sk->sk_state) == TCP_ESTABLISHED &&
	       READ_ONCE(inet_sk(sk)->inet_daddr) == daddr;
}

/**
 * hostroute_route_swap - give a connected datagram socket another route
 * @sk:		a socket whose route nobody owns
 * @daddr:	only if it is connected to this address,
 * @old:	and this is its route now; with a reference of the caller's
 * @new:	with a reference, which the socket gets
 *
 * Many destinations share a stock route, so that a socket that is connected
 * elsewhere meanwhile may have @old again: it is looked at once more after the
 * swap. connect() forgets the route, sets the address, sets the route.
 *
 * Context: RCU. Return: false if it was not, or is not any more; the reference
 * to @new is dropped then.
 */
bool hostroute_route_swap(struct sock *sk, __be32 daddr, struct dst_entry *old,
			  struct dst_entry *new)
{
	struct dst_entry **cache = (__force struct dst_entry **)&sk->sk_dst_cache;

	if (!connected_to(sk, daddr) || cmpxchg(cache, old, new) != old) {
		dst_release(new);
		return false;
	}
	dst_release(old);
	if (connected_to(sk, daddr))
		return true;
	if (cmpxchg(cache, new, NULL) == new)
		dst_release(new);
	return false;
}

/* As the stock path does it for an exception: below the floor DF is not set,
 * for the path may carry even less.
 */
static void limit_own(struct hostroute_clone *clone, u32 mtu,
		      const struct hostroute_limits *limits)
{
	u32 floor = READ_ONCE(limits->min_mtu_unproven);
	u64 life = READ_ONCE(limits->expire_unproven);
	struct rtable *rt = clone->rt;

	life = life ? min_t(u64, life * HZ, LONG_MAX / 2) : LONG_MAX / 2;
	spin_lock_bh(&all_lock);
	rt->rt_pmtu = min(base_mtu(clone), max(mtu, floor));
	rt->rt_mtu_locked = mtu < floor;
	WRITE_ONCE(rt->dst.expires, jiffies + (unsigned long)life);
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_route_lower_own - a host route carries less than what a socket has
 * @dst: a socket's own clone
 * @mtu: bytes, of the host route
 */
void hostroute_route_lower_own(const struct dst_entry *dst, u32 mtu)
{
	struct rtable *rt = hostroute_clone_of(dst)->rt;

	spin_lock_bh(&all_lock);
	if (rt->rt_pmtu > mtu)
		rt->rt_pmtu = mtu;
	spin_unlock_bh(&all_lock);
}

static struct hostroute_clone *make_own(struct hostroute_net *hn,
					struct dst_entry *old)
{
	struct net_device *dev = READ_ONCE(old->dev);
	struct hostroute_clone *clone;
	struct mem_cgroup *memcg;

	if (!is_clone(old) && !hostroute_route_clonable(old))
		return NULL;
	if (READ_ONCE(dev->reg_state) != NETREG_REGISTERED)
		return NULL;
	memcg = set_active_memcg(hn->table.memcg);
	clone = make(NULL, container_of(old, struct rtable, dst), dev);
	set_active_memcg(memcg);
	return clone;
}

/**
 * hostroute_route_own - what is claimed about a socket's own datagram
 * @hn:	 the namespace
 * @sk:	 a UDP or raw socket
 * @daddr: only if it is connected to this address
 * @mtu: bytes
 *
 * The socket alone is put under a clone with this MTU, not below
 * min_mtu_unproven, for expire_unproven seconds. One without a valid route
 * looks for one at its next send.
 *
 * Context: RCU, BH off.
 */
void hostroute_route_own(struct hostroute_net *hn, struct sock *sk, __be32 daddr,
			 u32 mtu)
{
	struct dst_entry *old = sk_dst_get(sk);
	struct hostroute_clone *clone;

	if (!old)
		return;
	if (!connected_to(sk, daddr) || !dst_check(old, 0) || mtu > dst_mtu(old))
		goto out;
	if (hostroute_route_is_own(old)) {
		limit_own(hostroute_clone_of(old), mtu, &hn->table.limits);
		goto out;
	}
	clone = mtu < dst_mtu(old) ? make_own(hn, old) : NULL;
	if (!clone)
		goto out;
	limit_own(clone, mtu, &hn->table.limits);
	if (hostroute_route_swap(sk, daddr, old, &clone->rt->dst))
		hostroute_stats_inc(hn->stats, HOSTROUTE_OWN_ROUTE);
out:
	dst_release(old);
}

/**
 * hostroute_route_drop_own - no socket stays under a clone of its own
 * @net: of this namespace
 *
 * Context: process.
 */
void hostroute_route_drop_own(const struct net *net)
{
	struct hostroute_clone *clone;
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt) {
		clone = hostroute_clone_of(&rt->dst);
		if (clone->own && clone->net == net)
			retire(clone);
	}
	spin_unlock_bh(&all_lock);
}

/* References that sockets, and packets on their way, hold. Under RCU. */
unsigned int hostroute_route_sockets(const struct hostroute *route)
{
	struct hostroute_clone *clone;
	unsigned int n = 0;

	hlist_for_each_entry_rcu(clone, &route->clones, in_route)
		n += hostroute_compat_dst_refs(&clone->rt->dst) - 1;
	return n;
}

/* NETDEV_UNREGISTER waits until nobody refers to the device. */
void hostroute_route_device_gone(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			dst_dev_put(&rt->dst);
	spin_unlock_bh(&all_lock);
}

/* The link's MTU changed: clones are made anew with the smaller of the two. */
void hostroute_route_device_mtu(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			WRITE_ONCE(rt->dst.obsolete, DST_OBSOLETE_KILL);
	spin_unlock_bh(&all_lock);
}

static void follow_device(struct hostroute_clone *clone)
{
	const struct hostroute *route;

	lockdep_assert_held(&all_lock);
	route = rcu_dereference_protected(clone->route, lockdep_is_held(&all_lock));
	if (clone->own)
		retire(clone);
	else if (route && clone->rt->dst.obsolete == DST_OBSOLETE_FORCE_CHK)
		set_mtu(clone, clone_mtu(clone, route));
}

/* What the administrator lets this host use of the device changed: clones of
 * host routes follow at once, down and up. A socket's own keeps what it was
 * limited to, so that goes; the next message about it makes one anew.
 */
void hostroute_route_device_sync(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			follow_device(hostroute_clone_of(&rt->dst));
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_route_retire - no socket stays under a clone
 * @net: of this namespace
 *
 * Context: process. After the next grace period no packet is on its way on one.
 */
void hostroute_route_retire(const struct net *net)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (hostroute_clone_of(&rt->dst)->net == net)
			retire(hostroute_clone_of(&rt->dst));
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_route_disown - give clones the stock operations back
 * @net: of this namespace
 *
 * They were retired, and no new one of @net can be made any more. The caller
 * then waits a grace period: nobody reaches @net's table through a clone after
 * that. (Inside this module's text he may be: hostroute_route_exit().)
 *
 * A disowned clone is on no list: nobody would take it off its device when
 * that goes away, so it is done here.
 *
 * Context: process.
 */
void hostroute_route_disown(const struct net *net)
{
	struct hostroute_clone *clone;
	struct rtable *rt, *next;
	struct hostroute *route;

	spin_lock_bh(&all_lock);
	list_for_each_entry_safe(rt, next, &all_clones, hostroute_compat_uncached) {
		clone = hostroute_clone_of(&rt->dst);
		if (clone->net != net)
			continue;
		if (rt->dst.obsolete != DST_OBSOLETE_DEAD) {
			/* The blackhole device's own MTU is 68. */
			set_mtu(clone, own_mtu(clone));
			dst_dev_put(&rt->dst);
		}
		route = take_off_list(clone);
		if (route)
			hostroute_put(route);
		/* Last: from here on it may be freed without all_lock. */
		smp_store_release(&rt->dst.ops, stock_ops);
	}
	spin_unlock_bh(&all_lock);
}

/* ipv4_dst_ops is static: a route made on the spot tells where it is. */
static struct dst_ops *find_stock_ops(void)
{
	struct dst_ops *ops;
	struct rtable *rt;

	rt = rt_dst_alloc(init_net.loopback_dev, 0, RTN_UNICAST, false);
	if (!rt)
		return NULL;
	ops = rt->dst.ops;
	dst_release(&rt->dst);
	return ops;
}

/* Field by field: the struct embeds a per-CPU counter. What each packet asks is left to
 * the stock operations, which the kernel calls directly.
 */
static void fill_ops(struct dst_ops *ops)
{
	ops->family = stock_ops->family;
	ops->check = stock_ops->check;
	ops->mtu = stock_ops->mtu;
	ops->cow_metrics = stock_ops->cow_metrics;
	ops->negative_advice = stock_ops->negative_advice;
	ops->link_failure = stock_ops->link_failure;
	ops->redirect = stock_ops->redirect;
	ops->local_out = stock_ops->local_out;
	ops->neigh_lookup = stock_ops->neigh_lookup;
	ops->confirm_neigh = stock_ops->confirm_neigh;
	ops->kmem_cachep = stock_ops->kmem_cachep;
	ops->default_advmss = clone_default_advmss;
	ops->update_pmtu = clone_update_pmtu;
	ops->destroy = clone_destroy;
}

int hostroute_route_init(void)
{
	stock_ops = find_stock_ops();
	if (!stock_ops)
		return -ENOMEM;
	fill_ops(&hostroute_clone_ops);
	fill_ops(&own_ops);
	own_ops.check = own_check;
	return 0;
}

/* Every namespace has disowned its clones. Tasks preempted inside one of our
 * operations come out, then readers, then callbacks already queued: the sets'
 * references, and what their release queues.
 */
void hostroute_route_exit(void)
{
	WARN_ON(!list_empty(&all_clones));
	synchronize_rcu_tasks();
	synchronize_rcu();
	rcu_barrier();
	rcu_barrier();
}
