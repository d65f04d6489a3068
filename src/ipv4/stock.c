// SPDX-License-Identifier: GPL-2.0
/*
 * Stock routes, which the kernel chose, and clones made of them: an rtable of the
 * kernel's own making (rt_dst_alloc()) that copies the stock route and differs from
 * it in its MTU.
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

/* Paths to one destination: ECMP next hops, uplinks, policy tables; of a device's
 * own, neighbours that its packets go to (there are several, see device.c). One more
 * pushes out the oldest, whose sockets then look their route up again; with
 * traffic on all of them at every packet. So this is beyond what fabrics have.
 */
#define CLONES_PER_ROUTE	64

static bool is_device_clone(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) && hostroute_clone_of(dst)->of_device;
}

/* Of the original, if @dst is a clone; only compared. */
static const u32 *metrics_of(const struct dst_entry *dst)
{
	return hostroute_clone_is(dst) ? hostroute_clone_of(dst)->origin :
					 DST_METRICS_PTR(dst);
}

/**
 * hostroute_stock_plain - is this of a kind that host routes are for?
 * @dst: any dst_entry; under RCU or with a reference
 *
 * Plain unicast IPv4 routes through a device only: no xfrm, no lightweight
 * tunnel, no "mtu lock", nothing of somebody else's making. It may be stale. So
 * is a clone that stands for a whole device, which was made of such a route.
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
 * Context: RCU. Return: bytes.
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

/* Under RCU. A clone with a reference for the caller, or NULL. */
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

/* What is the same in the copy. */
static void copy_path(struct rtable *rt, const struct rtable *stock)
{
	/* Counted by clones alone: hostroute_clone_ops has no counter of its own. */
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
	/* The stock route may be taken down meanwhile (dst_dev_put()), without a
	 * grace period: obsolete first, then what was copied here.
	 */
	smp_rmb();
	if (READ_ONCE(stock->dst.obsolete) == DST_OBSOLETE_FORCE_CHK &&
	    rt->dst.output != dst_discard_out)
		return rt;
	dst_release(&rt->dst);
	return NULL;
}

/* @rt, a copy of @stock, becomes @clone. */
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

	/* Set before the grace period that NETDEV_UNREGISTER comes after: no clone of
	 * a device is made after its clones were taken down.
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
 * @memcg:	pays
 *
 * Context: RCU; any but hardirq.
 * Return: the clone, with a reference of the caller's; NULL if the device is going
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

/* Room for one more: stale ones go first, else the oldest. */
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
 * hostroute_stock_clone - the clone of a route for a destination
 * @table:	the table @route is in
 * @route:	host route; under RCU
 * @stock:	the route the kernel chose, clonable
 *
 * Context: RCU; any but hardirq; takes the table's lock when there is no such
 * clone yet.
 * Return: the clone, with a reference for the caller; NULL when there is
 * nothing to gain (the original's MTU is as small), the device is going away,
 * the route is no longer in the table, or memory is short.
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
 * hostroute_stock_hash - tell the next hops of a device apart
 * @dst: a stock route
 * @bits: of the result
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
