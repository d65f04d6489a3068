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
#include "clone.h"
#include "../pmtu_hostroute.h"
#include "compat.h"
#include "override.h"

#include <linux/jiffies.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>

static_assert(offsetof(struct hostroute_clone, metrics) == 0);
static_assert(offsetof(struct dst_metrics, metrics) == 0);

struct dst_ops hostroute_clone_ops;
struct dst_ops *hostroute_stock_ops;
static struct dst_ops own_ops;		/* of a socket's own */
static LIST_HEAD(all_clones);
static DEFINE_SPINLOCK(all_lock);

/* Every clone there is, by its rtable; under all_lock. */
#define for_each_clone(rt) \
	list_for_each_entry(rt, &all_clones, hostroute_compat_uncached)

/* Is it a clone, of a host route or a socket's own? */
bool hostroute_clone_is(const struct dst_entry *dst)
{
	const struct dst_ops *ops = READ_ONCE(dst->ops);

	return ops == &hostroute_clone_ops || ops == &own_ops;
}

bool hostroute_clone_is_own(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) && hostroute_clone_of(dst)->own;
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

/* ---- operations ------------------------------------------------------------- */

static void clone_destroy(struct dst_entry *dst)
{
	struct hostroute *route;

	spin_lock_bh(&all_lock);
	route = take_off_list(hostroute_clone_of(dst));
	spin_unlock_bh(&all_lock);
	if (route)
		hostroute_put(route);
	hostroute_stock_ops->destroy(dst);
}

/* What the original carries. */
u32 hostroute_clone_stock_mtu(const struct hostroute_clone *clone)
{
	u32 mtu = clone->base_mtu;

	return mtu ?: READ_ONCE(clone->rt->dst.dev->mtu);
}

/* What of that the administrator lets this host use. */
u32 hostroute_clone_base_mtu(const struct hostroute_clone *clone)
{
	return min(hostroute_clone_stock_mtu(clone),
		   hostroute_override_mtu(clone->rt->dst.dev));
}

/* The MSS a SYN offers comes from the interface or the route, never from what
 * was learned about the other direction (RFC 1191 6.4, RFC 2923 2.3).
 */
static unsigned int clone_default_advmss(const struct dst_entry *dst)
{
	const unsigned int headers = sizeof(struct tcphdr) + sizeof(struct iphdr);
	unsigned int mss;

	rcu_read_lock();
	mss = max_t(int, hostroute_clone_base_mtu(hostroute_clone_of(dst)) - headers,
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
	return hostroute_stock_ops->check(dst, cookie);
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
static void fill_ops(struct dst_ops *ops, hostroute_update_pmtu update_pmtu)
{
	ops->family = hostroute_stock_ops->family;
	ops->check = hostroute_stock_ops->check;
	ops->mtu = hostroute_stock_ops->mtu;
	ops->cow_metrics = hostroute_stock_ops->cow_metrics;
	ops->negative_advice = hostroute_stock_ops->negative_advice;
	ops->link_failure = hostroute_stock_ops->link_failure;
	ops->redirect = hostroute_stock_ops->redirect;
	ops->local_out = hostroute_stock_ops->local_out;
	ops->neigh_lookup = hostroute_stock_ops->neigh_lookup;
	ops->confirm_neigh = hostroute_stock_ops->confirm_neigh;
	ops->kmem_cachep = hostroute_stock_ops->kmem_cachep;
	ops->default_advmss = clone_default_advmss;
	ops->update_pmtu = update_pmtu;
	ops->destroy = clone_destroy;
}

/* ---- one clone -------------------------------------------------------------- */

static void store_mtu(struct hostroute_clone *clone, u32 mtu)
{
	/* Read locklessly by dst_metric_raw(). */
	WRITE_ONCE(clone->metrics.metrics[RTAX_MTU - 1], mtu);
}

/* What the path may carry is the smaller of what was learned and what the
 * route allows by itself.
 */
static u32 wanted_mtu(const struct hostroute_clone *clone,
		      const struct hostroute *route)
{
	return min_t(u32, READ_ONCE(route->mtu), hostroute_clone_base_mtu(clone));
}

/**
 * hostroute_clone_publish - a clone is complete: let events find it
 * @clone:	made, with a reference of the caller's
 * @route:	its host route, of which it has a reference; NULL: a socket's own
 *
 * From here on the clone is freed by dst_release() alone.
 * Context: any but hardirq.
 */
void hostroute_clone_publish(struct hostroute_clone *clone, struct hostroute *route)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	/* Who changes what it depends on finds it on the list, or was before. */
	store_mtu(clone, route ? wanted_mtu(clone, route) : clone->base_mtu);
	list_add(&rt->hostroute_compat_uncached, &all_clones);
	spin_unlock_bh(&all_lock);
	WRITE_ONCE(rt->dst.ops, route ? &hostroute_clone_ops : &own_ops);
}

/* Make every holder look its route up again. */
static void retire(struct hostroute_clone *clone)
{
	lockdep_assert_held(&all_lock);
	if (clone->rt->dst.obsolete == DST_OBSOLETE_DEAD)
		return;
	store_mtu(clone, clone->base_mtu);
	if (clone->own)
		clone->rt->dst.expires = jiffies;
	WRITE_ONCE(clone->rt->dst.obsolete, DST_OBSOLETE_KILL);
}

static void put_of_set(struct rcu_head *head)
{
	dst_release(container_of(head, struct dst_entry, rcu_head));
}

void hostroute_clone_leave(struct hostroute_clone *clone)
{
	hlist_del_rcu(&clone->in_route);
	spin_lock(&all_lock);
	retire(clone);
	spin_unlock(&all_lock);
	call_rcu(&clone->rt->dst.rcu_head, put_of_set);
}

/**
 * hostroute_clone_limit - set what a socket's own clone carries
 * @clone:	a socket's own
 * @mtu:	bytes; no more than the stock route carries is used
 * @locked:	whether DF is not set, for the path may carry less
 * @expires:	jiffies
 */
void hostroute_clone_limit(struct hostroute_clone *clone, u32 mtu, bool locked,
			   unsigned long expires)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	rt->rt_pmtu = min(hostroute_clone_base_mtu(clone), mtu);
	rt->rt_mtu_locked = locked;
	WRITE_ONCE(rt->dst.expires, expires);
	spin_unlock_bh(&all_lock);
}

/* A socket's own clone carries no more than @mtu bytes. */
void hostroute_clone_lower(struct hostroute_clone *clone, u32 mtu)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	if (rt->rt_pmtu > mtu)
		rt->rt_pmtu = mtu;
	spin_unlock_bh(&all_lock);
}

/* ---- the set of a host route ------------------------------------------------ */

/* The route's MTU changed: one store for each path, whatever the number of
 * sockets. Under the table's lock.
 */
void hostroute_clone_sync(struct hostroute *route)
{
	struct hostroute_clone *clone;

	if (hlist_empty(&route->clones))
		return;
	/* Not at the same time as hostroute_clone_device_sync(). BH is off. */
	spin_lock(&all_lock);
	hlist_for_each_entry(clone, &route->clones, in_route)
		if (clone->rt->dst.obsolete != DST_OBSOLETE_DEAD)
			store_mtu(clone, wanted_mtu(clone, route));
	spin_unlock(&all_lock);
}

/* Sockets under @route look their route up again. Under the table's lock. */
void hostroute_clone_drop(struct hostroute *route, spinlock_t *table_lock)
{
	struct hostroute_clone *clone;
	struct hlist_node *next;

	lockdep_assert_held(table_lock);
	hlist_for_each_entry_safe(clone, next, &route->clones, in_route)
		hostroute_clone_leave(clone);
}

/* References that sockets, and packets on their way, hold. Under RCU. */
unsigned int hostroute_clone_sockets(const struct hostroute *route)
{
	struct hostroute_clone *clone;
	unsigned int n = 0;

	hlist_for_each_entry_rcu(clone, &route->clones, in_route)
		n += hostroute_compat_dst_refs(&clone->rt->dst) - 1;
	return n;
}

/* ---- all clones ------------------------------------------------------------- */

/**
 * hostroute_clone_retire_own - no socket stays under a clone of its own
 * @net: of this namespace
 *
 * Context: process.
 */
void hostroute_clone_retire_own(const struct net *net)
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

/* NETDEV_UNREGISTER waits until nobody refers to the device. */
void hostroute_clone_device_gone(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			dst_dev_put(&rt->dst);
	spin_unlock_bh(&all_lock);
}

/* The link's MTU changed: clones are made anew with the smaller of the two. */
void hostroute_clone_device_mtu(const struct net_device *dev)
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
		store_mtu(clone, wanted_mtu(clone, route));
}

/* What the administrator lets this host use of the device changed: clones of
 * host routes follow at once, down and up. A socket's own keeps what it was
 * limited to, so that goes; the next message about it makes one anew.
 */
void hostroute_clone_device_sync(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			follow_device(hostroute_clone_of(&rt->dst));
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_clone_retire_all - no socket stays under a clone
 * @net: of this namespace
 *
 * Context: process. After the next grace period no packet is on its way on one.
 */
void hostroute_clone_retire_all(const struct net *net)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (hostroute_clone_of(&rt->dst)->net == net)
			retire(hostroute_clone_of(&rt->dst));
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_clone_disown_all - give clones the stock operations back
 * @net: of this namespace
 *
 * They were retired, and no new one of @net can be made any more. The caller
 * then waits a grace period: nobody reaches @net's table through a clone after
 * that. (Inside this module's text he may be: hostroute_clone_exit().)
 *
 * A disowned clone is on no list: nobody would take it off its device when
 * that goes away, so it is done here.
 *
 * Context: process.
 */
void hostroute_clone_disown_all(const struct net *net)
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
			store_mtu(clone, hostroute_clone_stock_mtu(clone));
			dst_dev_put(&rt->dst);
		}
		route = take_off_list(clone);
		if (route)
			hostroute_put(route);
		/* Last: from here on it may be freed without all_lock. */
		smp_store_release(&rt->dst.ops, hostroute_stock_ops);
	}
	spin_unlock_bh(&all_lock);
}

int hostroute_clone_init(hostroute_update_pmtu update_pmtu)
{
	hostroute_stock_ops = find_stock_ops();
	if (!hostroute_stock_ops)
		return -ENOMEM;
	fill_ops(&hostroute_clone_ops, update_pmtu);
	fill_ops(&own_ops, update_pmtu);
	own_ops.check = own_check;
	return 0;
}

/* Every namespace has disowned its clones. Tasks preempted inside one of our
 * operations come out, then readers, then callbacks already queued: the sets'
 * references, and what their release queues.
 */
void hostroute_clone_exit(void)
{
	WARN_ON(!list_empty(&all_clones));
	synchronize_rcu_tasks();
	synchronize_rcu();
	rcu_barrier();
	rcu_barrier();
}
