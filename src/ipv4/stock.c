// SPDX-License-Identifier: GPL-2.0
/*
 * Stock routes, which the kernel chose, and how a clone is made of one. A clone is an
 * rtable that the kernel itself allocates (rt_dst_alloc()). It copies the stock route,
 * and differs from it in its MTU. What becomes of a clone later is in src/clone.c.
 */
#include "stock.h"
#include "../../pmtu_hostroute.h"
#include "../compat.h"

#include <linux/hash.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/dst_metadata.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/lwtunnel.h>

/* The number of clones that a host route or device route can have. A host route has
 * one for each path to its destination: ECMP next hops, uplinks, policy tables. A
 * device route has one for each neighbour that packets go to (a device has several
 * device routes, see src/device.c). One more pushes out the oldest, and the sockets
 * under that look up their route again. With traffic on all paths they would do so at
 * every packet. So this is beyond what fabrics have.
 */
#define CLONES_PER_ROUTE	64

static bool is_device_clone(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) && hostroute_clone_of(dst)->of_device;
}

/* Metrics of the stock route, also if @dst is a clone of it; only compared. */
static const u32 *metrics_of(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) ? hostroute_clone_of(dst)->origin :
					 DST_METRICS_PTR(dst);
}

/**
 * hostroute_stock_plain - is this route of a kind that host routes are for?
 * @dst: any dst_entry; under RCU or with a reference
 *
 * These are plain unicast IPv4 routes through a device: no xfrm, no lightweight
 * tunnel, no "mtu lock", no lo or VRF device, no dst_ops but the kernel's own. The
 * route may be stale. A device route's clone is plain, too, since it was made of such
 * a route.
 *
 * Context: any.
 * Return: true if it is.
 */
bool hostroute_stock_plain(const struct dst_entry *dst)
{
	const struct rtable *rt = container_of(dst, struct rtable, dst);

	if ((READ_ONCE(dst->ops) != hostroute_stock_ops && !is_device_clone(dst)) ||
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
 * hostroute_stock_clonable - can packets on this route be put under a host route?
 * @dst: any dst_entry; under RCU or with a reference
 *
 * Context: any.
 * Return: true if the route is plain, and not marked obsolete.
 */
bool hostroute_stock_clonable(const struct dst_entry *dst)
{
	return dst->obsolete == DST_OBSOLETE_FORCE_CHK &&
	       hostroute_stock_plain(dst);
}

/**
 * hostroute_stock_estimate - what a path's MTU is taken for without its host route
 * @dst: stock route or clone
 *
 * Context: RCU.
 * Return: bytes.
 */
u32 hostroute_stock_estimate(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) ?
	       hostroute_clone_stock_mtu(hostroute_clone_of(dst)) : dst_mtu(dst);
}

static bool same_path(const struct hostroute_clone *clone,
		      const struct rtable *stock)
{
	const struct rtable *rt = clone->rt;

	if (rt->dst.dev != stock->dst.dev ||
	    clone->origin != metrics_of(&stock->dst) ||
	    rt->rt_genid != stock->rt_genid ||
	    rt->rt_iif != stock->rt_iif ||
	    rt->rt_is_input != stock->rt_is_input ||
	    rt->rt_uses_gateway != stock->rt_uses_gateway ||
	    rt->rt_gw_family != stock->rt_gw_family ||
	    rt->dst.output != stock->dst.output)
		return false;
	if (stock->rt_gw_family == AF_INET6)
		return ipv6_addr_equal(&rt->rt_gw6, &stock->rt_gw6);
	return rt->rt_gw4 == stock->rt_gw4;
}

/* Context: RCU. Return: a clone, with a reference for the caller, or NULL. */
static struct dst_entry *find_clone(struct hostroute *route,
				    const struct rtable *stock)
{
	struct hostroute_clone *clone;

	hlist_for_each_entry_rcu(clone, &route->clones, in_route)
		if (clone->rt->dst.obsolete == DST_OBSOLETE_FORCE_CHK &&
		    same_path(clone, stock) && dst_hold_safe(&clone->rt->dst))
			return &clone->rt->dst;
	return NULL;
}

/* Copy what is the same in the clone. */
static void copy_path(struct rtable *rt, const struct rtable *stock)
{
	/* hostroute_clone_ops has no counter, so a clone is not counted. Undo what
	 * rt_dst_alloc() has counted.
	 */
	rt->dst.flags |= DST_NOCOUNT | (stock->dst.flags & DST_NOPOLICY);
	dst_entries_add(hostroute_stock_ops, -1);

	rt->rt_genid = stock->rt_genid;
	rt->rt_is_input = stock->rt_is_input;
	rt->rt_iif = stock->rt_iif;
	rt->rt_uses_gateway = stock->rt_uses_gateway;
	rt->rt_gw_family = stock->rt_gw_family;
	if (stock->rt_gw_family == AF_INET6)
		rt->rt_gw6 = stock->rt_gw6;
	else
		rt->rt_gw4 = stock->rt_gw4;
	rt->dst.input = stock->dst.input;
	rt->dst.output = stock->dst.output;
#ifdef CONFIG_IP_ROUTE_CLASSID
	rt->dst.tclassid = stock->dst.tclassid;
#endif
}

/* A copy of @stock through @dev, or NULL. */
static struct rtable *copy_stock(const struct rtable *stock, struct net_device *dev)
{
	struct rtable *rt;

	rt = rt_dst_alloc(dev, stock->rt_flags, stock->rt_type,
			  stock->dst.flags & DST_NOXFRM);
	if (!rt)
		return NULL;
	copy_path(rt, stock);
	/* dst_dev_put() may take down the stock route meanwhile, without a grace
	 * period. It sets obsolete first, and then what was copied here.
	 */
	smp_rmb();
	if (READ_ONCE(stock->dst.obsolete) == DST_OBSOLETE_FORCE_CHK &&
	    rt->dst.output != dst_discard_out)
		return rt;
	dst_release(&rt->dst);
	return NULL;
}

/* Make @rt, a copy of @stock, into @clone. @route is NULL for a socket's own clone. */
static void fill_clone(struct hostroute_clone *clone, struct rtable *rt,
		       const struct rtable *stock, struct hostroute *route)
{
	*clone = (struct hostroute_clone) {
		.rt = rt,
		.net = dev_net(rt->dst.dev),
		.origin = metrics_of(&stock->dst),
	};
	memcpy(clone->metrics.metrics, DST_METRICS_PTR(&stock->dst),
	       sizeof(clone->metrics.metrics));
	refcount_set(&clone->metrics.refcnt, 1);
	clone->base_mtu = hostroute_clone_is(&stock->dst) ?
			  hostroute_clone_of(&stock->dst)->base_mtu :
			  dst_metric_raw(&stock->dst, RTAX_MTU);
	clone->of_device = route && hostroute_is_device(route);
	clone->own = !route;
	rt->dst._metrics = (unsigned long)&clone->metrics |
			   DST_METRICS_READ_ONLY | DST_METRICS_REFCOUNTED;
	if (route) {
		hostroute_hold(route);
		rcu_assign_pointer(clone->route, route);
	}
}

/* NULL if the device is going away, or memory is short. */
static struct hostroute_clone *make(struct hostroute *route, const struct rtable *stock)
{
	struct net_device *dev = READ_ONCE(stock->dst.dev);
	struct hostroute_clone *clone;
	struct rtable *rt;

	/* reg_state is set first, then comes a grace period, then NETDEV_UNREGISTER.
	 * So no clone of a device is made after its clones were taken down.
	 */
	if (READ_ONCE(dev->reg_state) != NETREG_REGISTERED)
		return NULL;
	clone = kmalloc(sizeof(*clone), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!clone)
		return NULL;
	rt = copy_stock(stock, dev);
	if (!rt) {
		kfree(clone);
		return NULL;
	}
	fill_clone(clone, rt, stock, route);
	hostroute_clone_publish(clone, route);
	return clone;
}

/**
 * hostroute_stock_make - make a clone of a stock route
 * @route:	its host route or device route; NULL: a socket's own clone
 * @stock:	clonable, or a clone
 * @memcg:	the memory cgroup that is charged; NULL: none in particular
 *
 * Context: RCU; any but hardirq.
 * Return: the clone, with a reference for the caller; NULL if the device is going
 * away, or memory is short.
 */
struct hostroute_clone *hostroute_stock_make(struct hostroute *route,
					     struct dst_entry *stock,
					     struct mem_cgroup *memcg)
{
	struct mem_cgroup *active = set_active_memcg(memcg);
	struct hostroute_clone *clone;

	clone = make(route, container_of(stock, struct rtable, dst));
	set_active_memcg(active);
	return clone;
}

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
			hostroute_clone_leave(clone);
			continue;
		}
		oldest = clone;
		count++;
	}
	if (count >= CLONES_PER_ROUTE)
		hostroute_clone_leave(oldest);
}

/**
 * hostroute_stock_clone - find or make the clone of a stock route for a host route
 * @table:	the table whose lock guards @route
 * @route:	host route or device route; under RCU
 * @stock:	the stock route, clonable
 *
 * Takes the table's lock if there is no such clone yet.
 *
 * Context: RCU; any but hardirq.
 * Return: the clone, with a reference for the caller. NULL if there is nothing to gain
 * (the stock route's MTU is as small), if the device is going away, if @route is dead,
 * or if memory is short.
 */
struct dst_entry *hostroute_stock_clone(struct hostroute_table *table,
					struct hostroute *route,
					struct dst_entry *stock)
{
	const struct rtable *rt = container_of(stock, struct rtable, dst);
	struct hostroute_clone *clone;
	struct dst_entry *dst;

	if (dst_mtu(stock) <= READ_ONCE(route->mtu))
		return NULL;
	dst = find_clone(route, rt);
	if (dst)
		return dst;
	spin_lock_bh(&table->lock);
	dst = hostroute_is_dead(route) ? NULL : find_clone(route, rt);
	if (!dst && !hostroute_is_dead(route)) {
		clone = hostroute_stock_make(route, stock, table->memcg);
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

/**
 * hostroute_stock_hash - hash the next hop of a stock route
 * @dst:	a stock route
 * @bits:	width of the result
 *
 * Context: RCU.
 * Return: 0 to 2^@bits - 1, by gateway and metrics.
 */
u32 hostroute_stock_hash(const struct dst_entry *dst, unsigned int bits)
{
	const struct rtable *rt = container_of(dst, struct rtable, dst);
	u32 gateway = 0;

	if (rt->rt_gw_family == AF_INET6)
		gateway = ipv6_addr_hash(&rt->rt_gw6);
	else if (rt->rt_gw_family)
		gateway = (__force u32)rt->rt_gw4;
	return hash_32(gateway ^ hash_ptr(DST_METRICS_PTR(dst), 32), bits);
}
