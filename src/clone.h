/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clones: the dst_entry side of a host route. This file has one clone, the set of clones
 * of a host route, and the list of all clones. src/ipv4/stock.c makes a clone of a stock
 * route.
 */
#ifndef HOSTROUTE_CLONE_H
#define HOSTROUTE_CLONE_H

#include "hostroute.h"

#include <linux/spinlock.h>
#include <linux/types.h>
#include <net/dst.h>
#include <net/route.h>

/**
 * struct hostroute_clone - what a clone has beyond its rtable
 * @metrics:	must be first, see the top of clone.c
 * @rt:		the clone itself
 * @net:	namespace; alive while @route is not NULL
 * @route:	the host route or device route; NULL once disowned, or if the clone is a
 *		socket's own
 * @in_route:	in the set of @route; table->lock, RCU
 * @stock_metrics:	metrics of the stock route; only compared, never followed
 * @metric_mtu:	RTAX_MTU of the stock route, bytes; 0: the MTU of the device
 * @of_device:	clone of a device route; a host route takes precedence over it
 * @own:	a datagram socket's own clone
 *
 * 128 bytes: kmalloc() would use 192 for any more.
 */
struct hostroute_clone {
	struct dst_metrics		metrics;
	struct rtable			*rt;
	const struct net		*net;
	struct hostroute __rcu		*route;
	struct hlist_node		in_route;
	const u32			*stock_metrics;
	u32				metric_mtu;
	bool				of_device;
	bool				own;
};

/* The operations of a clone of a host route or device route. A socket's own clone has
 * others (clone.c).
 */
extern struct dst_ops hostroute_clone_ops;
extern struct dst_ops hostroute_own_ops;
/* The kernel's operations. A clone has them before it is published, and again after it is
 * disowned.
 */
extern struct dst_ops *hostroute_stock_ops;

/* Context: RCU, or with a reference to @dst, which must be a clone or have been one. */
static inline struct hostroute_clone *
hostroute_clone_of(const struct dst_entry *dst)
{
	return (struct hostroute_clone *)DST_METRICS_PTR(dst);
}

/* Whether @dst is a clone: of a host route or device route, or a socket's own. */
static inline bool hostroute_clone_is(const struct dst_entry *dst)
{
	const struct dst_ops *ops = READ_ONCE(dst->ops);

	return ops == &hostroute_clone_ops || ops == &hostroute_own_ops;
}

static inline bool hostroute_clone_is_own(const struct dst_entry *dst)
{
	return READ_ONCE(dst->ops) == &hostroute_own_ops;
}

/**
 * hostroute_of_dst - the host route or device route that a dst_entry is a clone for
 * @dst: any dst_entry
 *
 * Context: RCU.
 * Return: the route; NULL if @dst is no clone, a socket's own clone, or was disowned.
 */
static inline struct hostroute *hostroute_of_dst(const struct dst_entry *dst)
{
	if (READ_ONCE(dst->ops) != &hostroute_clone_ops)
		return NULL;
	return rcu_dereference(hostroute_clone_of(dst)->route);
}

/**
 * hostroute_clone_mtu - the MTU of a clone of a host route or device route
 * @dst: the clone
 *
 * This is RTAX_MTU. It is 0 only in a clone that was retired just now, if the stock
 * route has no RTAX_MTU either.
 *
 * Context: RCU.
 * Return: bytes.
 */
static inline u32 hostroute_clone_mtu(const struct dst_entry *dst)
{
	return dst_metric_raw(dst, RTAX_MTU) ?: dst_mtu(dst);
}

u32 hostroute_clone_stock_mtu(const struct hostroute_clone *clone);
u32 hostroute_clone_allowed_mtu(const struct hostroute_clone *clone);

/* One clone */
void hostroute_clone_forget(struct hostroute_clone *clone);
bool hostroute_clone_none(void);
void hostroute_clone_publish(struct hostroute_clone *clone, struct hostroute *route);
void hostroute_clone_limit(struct hostroute_clone *clone, u32 mtu, bool locked,
			   unsigned long expires);
void hostroute_clone_lower(struct hostroute_clone *clone, u32 mtu);

/* The set of a host route */
void hostroute_clone_join(struct hostroute *route, struct hostroute_clone *clone);
void hostroute_clone_sync(struct hostroute *route);
void hostroute_clone_drop(struct hostroute *route, spinlock_t *table_lock);
unsigned int hostroute_clone_sockets(const struct hostroute *route);

/* All clones */
void hostroute_clone_retire_own(const struct net *net);
void hostroute_clone_device_gone(const struct net_device *dev);
void hostroute_clone_device_mtu(const struct net_device *dev);
void hostroute_clone_device_sync(const struct net_device *dev);
void hostroute_clone_retire_all(const struct net *net);
void hostroute_clone_disown_all(const struct net *net);

#endif
