/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clones: the dst_entry side of a host route. What a clone is, the set of clones of a
 * host route, and the list of all. How one is made of a stock route is
 * src/ipv4/stock.c's.
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
 * @metrics:	must be first, see the top of src/route.c
 * @rt:	the clone itself
 * @net:	namespace; alive while @route is not NULL
 * @route:	the host route, NULL once disowned, or if it is a socket's own
 * @in_route:	the route's set; table lock, RCU
 * @origin:	metrics of the original, only compared
 * @base_mtu:	RTAX_MTU of the original, bytes, 0: the device's
 * @of_device:	for a whole device; a host route may go before it
 * @own:	a socket's own
 *
 * 128 bytes: kmalloc() would make 192 of any more.
 */
struct hostroute_clone {
	struct dst_metrics		metrics;
	struct rtable			*rt;
	const struct net		*net;
	struct hostroute __rcu		*route;
	struct hlist_node		in_route;
	const u32			*origin;
	u32				base_mtu;
	bool				of_device;
	bool				own;
};

/* Of a host route's clone; a socket's own has others. */
extern struct dst_ops hostroute_clone_ops;
/* The kernel's: what a clone's ops were, and will be again. */
extern struct dst_ops *hostroute_stock_ops;

typedef void (*hostroute_update_pmtu)(struct dst_entry *dst, struct sock *sk,
				      struct sk_buff *skb, u32 mtu,
				      bool confirm_neigh);

/* Under RCU or with a reference to @dst, which is a clone or was one. */
static inline struct hostroute_clone *
hostroute_clone_of(const struct dst_entry *dst)
{
	return (struct hostroute_clone *)DST_METRICS_PTR(dst);
}

/**
 * hostroute_of_dst - the host route that a dst_entry is a clone for
 * @dst: any dst_entry
 *
 * Context: RCU. Return: NULL if it is not a clone of ours, or a socket's own.
 */
static inline struct hostroute *hostroute_of_dst(const struct dst_entry *dst)
{
	if (READ_ONCE(dst->ops) != &hostroute_clone_ops)
		return NULL;
	return rcu_dereference(hostroute_clone_of(dst)->route);
}

/**
 * hostroute_clone_mtu - what a clone for a host route carries
 * @dst: the clone
 *
 * Its metric, unless it was retired just now. Context: RCU. Return: bytes.
 */
static inline u32 hostroute_clone_mtu(const struct dst_entry *dst)
{
	return dst_metric_raw(dst, RTAX_MTU) ?: dst_mtu(dst);
}

int hostroute_clone_init(hostroute_update_pmtu update_pmtu);
void hostroute_clone_exit(void);
bool hostroute_clone_is(const struct dst_entry *dst);
bool hostroute_clone_is_own(const struct dst_entry *dst);
u32 hostroute_clone_stock_mtu(const struct hostroute_clone *clone);
u32 hostroute_clone_base_mtu(const struct hostroute_clone *clone);

/* One clone */
void hostroute_clone_publish(struct hostroute_clone *clone, struct hostroute *route);
void hostroute_clone_leave(struct hostroute_clone *clone);
void hostroute_clone_limit(struct hostroute_clone *clone, u32 mtu, bool locked,
			   unsigned long expires);
void hostroute_clone_lower(struct hostroute_clone *clone, u32 mtu);

/* The set of a host route */
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
