// SPDX-License-Identifier: GPL-2.0
/*
 * Clones: how a host route becomes a dst_entry.
 *
 * A clone is an rtable that the kernel allocates (rt_dst_alloc()). It is a copy of the
 * stock route and differs from it only in its MTU. The MTU is RTAX_MTU in a struct
 * dst_metrics that the clone alone uses. So one store reaches every socket that holds
 * the clone: TCP compares dst_mtu() with icsk_pmtu_cookie at every send.
 *
 * Metrics. struct hostroute_clone starts with that dst_metrics. The stock destroy
 * operation frees the metrics with the dst_entry, and so frees the clone:
 * ip_dst_metrics_put() is a kfree().
 *
 * References. The set of the host route has one reference to each clone in it. The
 * reference is dropped a grace period after the clone left the set, so an RCU reader who
 * finds a clone in the set may use it. (Without this reference there would be no such
 * guarantee: to drop the last one may free the dst_entry at once, as xfrm does with the
 * route below its bundle.) While the set has its reference, this module may use the
 * rcu_head of the dst_entry: the core uses it only after the last reference is dropped.
 *
 * List. A clone is on the list of all clones from its creation until it is destroyed or
 * disowned, and has a reference to its host route for as long. The list is linked by
 * rt_uncached. The kernel initializes that in every rtable, and uses it only in those
 * that it has put on a list of its own. When a clone is destroyed or disowned,
 * rt_uncached is empty again, because the stock destroy operation looks at it.
 *
 * A clone that leaves the set is marked obsolete. Then the sockets that hold it look
 * their route up again at their next packet, and LOCAL_OUT puts them under the host
 * route that there is by then. In the same step the clone gets the MTU of the stock
 * route back, because TCP asks for the MTU before it checks whether the route is still
 * valid.
 *
 * A clone can also be one datagram socket's own, without a host route: a claim about a
 * datagram of that socket applies to that socket alone. Its MTU is in rt_pmtu, which
 * expires by itself. The socket has a reference, and so has each packet in flight.
 *
 * A clone that is disowned (because its namespace or this module goes away) gets the
 * stock operations back. From then on it is a plain, obsolete rtable.
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
struct dst_ops hostroute_own_ops;
struct dst_ops *hostroute_stock_ops __ro_after_init;
static LIST_HEAD(all_clones);
static DEFINE_SPINLOCK(all_lock);

/* Every clone, by its rtable. Context: all_lock. */
#define for_each_clone(rt) \
	list_for_each_entry(rt, &all_clones, hostroute_compat_uncached)

/* Take @clone off the list of all, unless that has been done.
 * Return: its host route, whose reference is the caller's from now on; or NULL.
 */
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

/**
 * hostroute_clone_stock_mtu - the MTU of the stock route that a clone is a copy of
 * @clone: the clone
 *
 * Context: RCU or all_lock.
 * Return: bytes.
 */
u32 hostroute_clone_stock_mtu(const struct hostroute_clone *clone)
{
	u32 mtu = clone->metric_mtu;

	return mtu ?: READ_ONCE(clone->rt->dst.dev->mtu);
}

/**
 * hostroute_clone_allowed_mtu - the MTU of the path without what was learned about it
 * @clone: the clone
 *
 * This is the MTU of the stock route, or that which the administrator has set on the
 * device if it is less.
 *
 * Context: RCU or all_lock.
 * Return: bytes.
 */
u32 hostroute_clone_allowed_mtu(const struct hostroute_clone *clone)
{
	return min(hostroute_clone_stock_mtu(clone),
		   hostroute_override_mtu(clone->rt->dst.dev));
}

/* ---- one clone -------------------------------------------------------------- */

static void store_mtu(struct hostroute_clone *clone, u32 mtu)
{
	/* dst_metric_raw() reads it without a lock. */
	WRITE_ONCE(clone->metrics.metrics[RTAX_MTU - 1], mtu);
}

/* The smaller of what was learned and what the path carries without that. */
static u32 wanted_mtu(const struct hostroute_clone *clone,
		      const struct hostroute *route)
{
	return min_t(u32, READ_ONCE(route->mtu), hostroute_clone_allowed_mtu(clone));
}

/**
 * hostroute_clone_publish - put a complete clone on the list, where events find it
 * @clone:	made by the caller, which has a reference
 * @route:	its host route, to which it has a reference; NULL: a socket's own clone
 *
 * From here on the clone is freed by dst_release() only.
 *
 * Context: any but hardirq; takes all_lock.
 */
void hostroute_clone_publish(struct hostroute_clone *clone, struct hostroute *route)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	/* A change of what the MTU depends on either came before, and is seen here, or
	 * finds the clone on the list.
	 */
	store_mtu(clone, route ? wanted_mtu(clone, route) : clone->metric_mtu);
	list_add(&rt->hostroute_compat_uncached, &all_clones);
	spin_unlock_bh(&all_lock);
	WRITE_ONCE(rt->dst.ops, route ? &hostroute_clone_ops : &hostroute_own_ops);
}

/* Make each holder of @clone look its route up again. */
static void retire(struct hostroute_clone *clone)
{
	lockdep_assert_held(&all_lock);
	if (clone->rt->dst.obsolete == DST_OBSOLETE_DEAD)
		return;
	store_mtu(clone, clone->metric_mtu);
	if (clone->own)
		clone->rt->dst.expires = jiffies;
	WRITE_ONCE(clone->rt->dst.obsolete, DST_OBSOLETE_KILL);
}

static void put_of_set(struct rcu_head *head)
{
	dst_release(container_of(head, struct dst_entry, rcu_head));
}

/* Take a clone out of the set of its host route. Context: table->lock. */
static void leave_set(struct hostroute_clone *clone)
{
	hlist_del_rcu(&clone->in_route);
	spin_lock(&all_lock);
	retire(clone);
	spin_unlock(&all_lock);
	call_rcu(&clone->rt->dst.rcu_head, put_of_set);
}

/**
 * hostroute_clone_limit - set the MTU of a socket's own clone
 * @clone:	a socket's own clone
 * @mtu:	bytes; limited to hostroute_clone_allowed_mtu()
 * @locked:	send without DF, because the path may carry less than @mtu
 * @expires:	when it ends, jiffies
 *
 * Context: any but hardirq, with a reference to the clone; takes all_lock.
 */
void hostroute_clone_limit(struct hostroute_clone *clone, u32 mtu, bool locked,
			   unsigned long expires)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	rt->rt_pmtu = min(hostroute_clone_allowed_mtu(clone), mtu);
	rt->rt_mtu_locked = locked;
	WRITE_ONCE(rt->dst.expires, expires);
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_clone_lower - lower the MTU of a socket's own clone
 * @clone:	a socket's own clone
 * @mtu:	bytes; ignored if the clone carries less already
 *
 * Context: any but hardirq, with a reference to the clone; takes all_lock.
 */
void hostroute_clone_lower(struct hostroute_clone *clone, u32 mtu)
{
	struct rtable *rt = clone->rt;

	spin_lock_bh(&all_lock);
	if (rt->rt_pmtu > mtu)
		rt->rt_pmtu = mtu;
	spin_unlock_bh(&all_lock);
}

/* ---- the set of a host route ------------------------------------------------ */

/* The number of clones that a host route or device route can have. A host route has
 * one for each path to its destination: ECMP next hops, uplinks, policy tables. A
 * device route has one for each neighbour that packets go to (a device has several
 * device routes, see src/device.c). One more pushes out the oldest, and the sockets
 * under that look up their route again. With traffic on all paths they would do so at
 * every packet. So this is beyond what fabrics have.
 */
#define CLONES_PER_ROUTE	64

/* Make room for one more: first stale clones go, then the oldest if that is not
 * enough.
 */
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
 * hostroute_clone_join - put a clone into the set of its host route
 * @route:	the host route or device route
 * @clone:	published; the set has its first reference from now on
 *
 * Context: the table's lock.
 */
void hostroute_clone_join(struct hostroute *route, struct hostroute_clone *clone)
{
	make_room(route);
	hlist_add_head_rcu(&clone->in_route, &route->clones);
}

/**
 * hostroute_clone_sync - pass a changed MTU on to the clones of a host route
 * @route: host route or device route
 *
 * One store for each clone, that is for each path, however many sockets there are.
 *
 * Context: table->lock, BH off; takes all_lock.
 */
void hostroute_clone_sync(struct hostroute *route)
{
	struct hostroute_clone *clone;

	if (hlist_empty(&route->clones))
		return;
	/* hostroute_clone_device_sync() computes and stores the same word under it. */
	spin_lock(&all_lock);
	hlist_for_each_entry(clone, &route->clones, in_route)
		if (clone->rt->dst.obsolete != DST_OBSOLETE_DEAD)
			store_mtu(clone, wanted_mtu(clone, route));
	spin_unlock(&all_lock);
}

/**
 * hostroute_clone_drop - take all clones out of the set of a host route
 * @route:	host route or device route
 * @table_lock:	the lock that guards its set
 *
 * Sockets under it look their route up again.
 *
 * Context: @table_lock, BH off; takes all_lock.
 */
void hostroute_clone_drop(struct hostroute *route, spinlock_t *table_lock)
{
	struct hostroute_clone *clone;
	struct hlist_node *next;

	lockdep_assert_held(table_lock);
	hlist_for_each_entry_safe(clone, next, &route->clones, in_route)
		leave_set(clone);
}

/**
 * hostroute_clone_sockets - how many references to a route's clones are in use
 * @route: host route
 *
 * Context: RCU.
 * Return: the references that sockets and packets in flight hold, without the set's own.
 */
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
 * hostroute_clone_forget - a clone is destroyed: no event finds it any more
 * @clone: without references
 *
 * Context: any but hardirq; takes all_lock.
 */
void hostroute_clone_forget(struct hostroute_clone *clone)
{
	struct hostroute *route;

	spin_lock_bh(&all_lock);
	route = take_off_list(clone);
	spin_unlock_bh(&all_lock);
	if (route)
		hostroute_put(route);
}

/* Whether none is left. */
bool hostroute_clone_none(void)
{
	return list_empty(&all_clones);
}

/**
 * hostroute_clone_retire_own - retire the clones that are a socket's own
 * @net: in this namespace
 *
 * Their sockets look their route up again.
 *
 * Context: process; takes all_lock.
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

/**
 * hostroute_clone_device_gone - move the clones of a device to the blackhole device
 * @dev: the device, which is being unregistered
 *
 * Unregistration waits until all references to the device are dropped.
 *
 * Context: RTNL (NETDEV_UNREGISTER); takes all_lock.
 */
void hostroute_clone_device_gone(const struct net_device *dev)
{
	struct rtable *rt;

	spin_lock_bh(&all_lock);
	for_each_clone(rt)
		if (rt->dst.dev == dev)
			dst_dev_put(&rt->dst);
	spin_unlock_bh(&all_lock);
}

/**
 * hostroute_clone_device_mtu - the MTU of a link has changed
 * @dev: the device
 *
 * Sockets look their route up again. Their new clones get the smaller of the MTU of the
 * link and that of the host route.
 *
 * Context: RTNL (NETDEV_CHANGEMTU); takes all_lock.
 */
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

/**
 * hostroute_clone_device_sync - the MTU that is set on a device has changed
 * @dev: the device
 *
 * Clones of host routes follow at once, down and up. A socket's own clone cannot follow,
 * because it stores only what it was limited to. So it is retired; the next message about
 * the socket makes a new one.
 *
 * Context: src/device.c's mutex; takes all_lock.
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
 * hostroute_clone_retire_all - retire all clones
 * @net: of this namespace
 *
 * Their holders look their route up again. After the next grace period no packet is on
 * its way on a clone.
 *
 * Context: process; takes all_lock.
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
 * Before this the clones are retired, and no more clones of @net can be made. After this
 * the caller waits for a grace period. Then no CPU reaches @net's table through a clone.
 * (A task may still be inside a function of this module: hostroute_clone_exit() waits for
 * those.)
 *
 * A disowned clone is on no list, so hostroute_clone_device_gone() would not find it.
 * Therefore it is moved to the blackhole device here.
 *
 * Context: process; takes all_lock.
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
			/* The stock MTU may be the device's, and the blackhole device
			 * has an MTU of 68: so store it in the metric.
			 */
			store_mtu(clone, hostroute_clone_stock_mtu(clone));
			dst_dev_put(&rt->dst);
		}
		route = take_off_list(clone);
		if (route)
			hostroute_put(route);
		/* This is last: from here on the clone may be freed without all_lock. */
		smp_store_release(&rt->dst.ops, hostroute_stock_ops);
	}
	spin_unlock_bh(&all_lock);
}
