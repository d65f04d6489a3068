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
struct dst_ops *hostroute_stock_ops;
static struct dst_ops own_ops;		/* of a socket's own clone */
static LIST_HEAD(all_clones);
static DEFINE_SPINLOCK(all_lock);

/* Every clone, by its rtable. Context: all_lock. */
#define for_each_clone(rt) \
	list_for_each_entry(rt, &all_clones, hostroute_compat_uncached)

/* Whether @dst is a clone: of a host route or device route, or a socket's own. */
bool hostroute_clone_is(const struct dst_entry *dst)
{
	const struct dst_ops *ops = READ_ONCE(dst->ops);

	return ops == &hostroute_clone_ops || ops == &own_ops;
}

bool hostroute_clone_is_own(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) && hostroute_clone_of(dst)->own;
}

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

/**
 * hostroute_clone_stock_mtu - the MTU of the stock route that a clone is a copy of
 * @clone: the clone
 *
 * Context: RCU or all_lock.
 * Return: bytes.
 */
u32 hostroute_clone_stock_mtu(const struct hostroute_clone *clone)
{
	u32 mtu = clone->base_mtu;

	return mtu ?: READ_ONCE(clone->rt->dst.dev->mtu);
}

/**
 * hostroute_clone_base_mtu - the MTU of the path without what was learned about it
 * @clone: the clone
 *
 * This is the MTU of the stock route, or that which the administrator has set on the
 * device if it is less.
 *
 * Context: RCU or all_lock.
 * Return: bytes.
 */
u32 hostroute_clone_base_mtu(const struct hostroute_clone *clone)
{
	return min(hostroute_clone_stock_mtu(clone),
		   hostroute_override_mtu(clone->rt->dst.dev));
}

/* The MSS that a SYN offers depends on the interface or the stock route. It never depends
 * on the learned MTU, which is that of the other direction (RFC 1191 6.4, RFC 2923 2.3).
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

/* A socket's own clone is not valid after it has expired. Then the socket looks its route
 * up again, and may come under a host route.
 */
static struct dst_entry *own_check(struct dst_entry *dst, u32 cookie)
{
	if (time_after_eq(jiffies, READ_ONCE(dst->expires)))
		return NULL;
	return hostroute_stock_ops->check(dst, cookie);
}

/* ipv4_dst_ops is static, so allocate a route to see what its operations are. */
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

/* Copy the stock operations field by field, for the struct embeds a per-CPU counter.
 * Those that each packet calls (check, mtu) are not replaced: the kernel calls the stock
 * functions directly (INDIRECT_CALL_INET()).
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
	/* dst_metric_raw() reads it without a lock. */
	WRITE_ONCE(clone->metrics.metrics[RTAX_MTU - 1], mtu);
}

/* The smaller of what was learned and what the path carries without that. */
static u32 wanted_mtu(const struct hostroute_clone *clone,
		      const struct hostroute *route)
{
	return min_t(u32, READ_ONCE(route->mtu), hostroute_clone_base_mtu(clone));
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
	store_mtu(clone, route ? wanted_mtu(clone, route) : clone->base_mtu);
	list_add(&rt->hostroute_compat_uncached, &all_clones);
	spin_unlock_bh(&all_lock);
	WRITE_ONCE(rt->dst.ops, route ? &hostroute_clone_ops : &own_ops);
}

/* Make each holder of @clone look its route up again. */
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

/**
 * hostroute_clone_leave - take a clone out of the set of its host route
 * @clone: in a set
 *
 * Its holders look their route up again. The set's reference is dropped after a grace
 * period.
 *
 * Context: table->lock, BH off; takes all_lock.
 */
void hostroute_clone_leave(struct hostroute_clone *clone)
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
 * @mtu:	bytes; limited to hostroute_clone_base_mtu()
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
	rt->rt_pmtu = min(hostroute_clone_base_mtu(clone), mtu);
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
		hostroute_clone_leave(clone);
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

/**
 * hostroute_clone_init - prepare the operations of clones
 * @update_pmtu: what a clone does with a report of this host itself
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
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

/* Wait until no CPU uses the operations of a clone. Before this, every namespace has
 * disowned its clones. First wait for tasks that were preempted inside one of the
 * operations, then for RCU readers, then for callbacks: those that drop the sets'
 * references, and those that are queued when these references are dropped.
 * Context: process, may sleep.
 */
void hostroute_clone_exit(void)
{
	WARN_ON(!list_empty(&all_clones));
	synchronize_rcu_tasks();
	synchronize_rcu();
	rcu_barrier();
	rcu_barrier();
}
