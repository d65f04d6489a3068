/* SPDX-License-Identifier: GPL-2.0 */
/* One host route: its fields, its class and rank, its references and its memory. */
#ifndef HOSTROUTE_HOSTROUTE_H
#define HOSTROUTE_HOSTROUTE_H

#include "addr.h"

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <net/l3mdev.h>

/* The evidence for a host route. src/learn.c compares classes by their order. */
enum hostroute_class {
	HOSTROUTE_CLASS_UNPROVEN,	/* a third party's message: nothing proves it */
	HOSTROUTE_CLASS_FORWARDED,	/* it quotes other hosts' connection (conntrack) */
	HOSTROUTE_CLASS_PROVEN,		/* it quotes a live TCP connection's own data */
	HOSTROUTE_CLASS_LOCAL,		/* this host itself: a tunnel, xfrm */
	HOSTROUTE_CLASS_PINNED,		/* the administrator */
	HOSTROUTE_CLASS_DEVICE,		/* the MTU set for a device; never in the table */
};

/* Large enough for each name below with its NUL. */
#define HOSTROUTE_CLASS_NAME_SIZE	12

/* The state that the listing and the tracepoints show. */
static inline const char *hostroute_class_name(enum hostroute_class class)
{
	switch (class) {
	case HOSTROUTE_CLASS_UNPROVEN:
		return "unproven";
	case HOSTROUTE_CLASS_FORWARDED:
		return "forwarded";
	case HOSTROUTE_CLASS_PROVEN:
		return "proven";
	case HOSTROUTE_CLASS_LOCAL:
		return "local";
	case HOSTROUTE_CLASS_PINNED:
		return "pinned";
	case HOSTROUTE_CLASS_DEVICE:
		return "device";
	}
	return "-";
}

/* A route gives way to one of a higher rank. Proven and local routes are equals. Within
 * the unproven rank, a forwarded claim replaces an unproven route, and not the other
 * way round.
 */
enum hostroute_rank {
	HOSTROUTE_RANK_UNPROVEN,	/* unproven or forwarded */
	HOSTROUTE_RANK_TRUSTED,		/* proven or local */
	HOSTROUTE_RANK_PINNED,
	HOSTROUTE_RANK_COUNT,
};

static inline enum hostroute_rank hostroute_class_rank(enum hostroute_class class)
{
	switch (class) {
	case HOSTROUTE_CLASS_UNPROVEN:
	case HOSTROUTE_CLASS_FORWARDED:
		return HOSTROUTE_RANK_UNPROVEN;
	case HOSTROUTE_CLASS_PINNED:
		return HOSTROUTE_RANK_PINNED;
	default:
		return HOSTROUTE_RANK_TRUSTED;
	}
}

/**
 * struct hostroute_key - what a host route is for
 * @daddr:	destination
 * @l3mdev:	ifindex of the VRF master, 0 for none
 */
struct hostroute_key {
	struct hostroute_addr daddr;
	int l3mdev;
};

static inline bool hostroute_key_equal(const struct hostroute_key *a,
				       const struct hostroute_key *b)
{
	return hostroute_addr_equal(a->daddr, b->daddr) && a->l3mdev == b->l3mdev;
}

/**
 * struct hostroute - what is known about the path to one destination
 * @node:	in the hash
 * @key:	destination and VRF
 * @updated:	boot time of the last accepted message, ns; atomic, because 32-bit
 *		CPUs would read a plain u64 in two halves
 * @serial:	order in which routes were linked; a walk leaves out routes that were
 *		linked after it began
 * @mtu:	bytes, in force
 * @previous_mtu: bytes; what was in force before the last change; at first the MTU of
 *		the path without a host route, or the pinned MTU
 * @pinned_mtu:	bytes; the administrator's value, 0 unless pinned
 * @slot:	index in the table's array of unproven routes, if it is one of these
 * @router:	source of the last accepted message; 0: this host, or none was accepted
 * @ifindex:	interface that this message came in by
 * @uses:	number of accepted messages
 * @id:		index in the table's ids; HOSTROUTE_ID_DEAD: no longer in the table
 * @ref:	one of the table's while it is linked, one of each clone (see clone.c)
 * @class:	enum hostroute_class
 * @used:	traffic has used it since src/evict.c last looked; a hint
 * @lru:	in the table's lru, if its rank is trusted
 * @age:	in the age list of its rank; a pinned route only while it is lowered
 * @clones:	its set of clones, see clone.c
 * @rcu:	freed by RCU after the last reference
 *
 * The locking table at the top of pmtu_hostroute.c has the lock of each field. There may
 * be a million host routes, so each takes 104 bytes at most (hostroute.c asserts this).
 */
struct hostroute {
	struct rhash_head	node;
	struct hostroute_key	key;
	atomic64_t		updated;
	u64			serial;
	u16			mtu;
	u16			previous_mtu;
	u16			pinned_mtu;
	u8			class;
	bool			used;
	u32			slot;
	struct hostroute_addr	router;
	int			ifindex;
	u32			uses;
	u32			id;
	refcount_t		ref;
	union {
		struct list_head	lru;	/* while it is linked */
		struct rcu_head		rcu;	/* after the last reference */
	};
	struct list_head	age;
	struct hlist_head	clones;
};

#define HOSTROUTE_ID_DEAD	U32_MAX

/* Whether the route has left the table; of a device route, whether it has ended. */
static inline bool hostroute_is_dead(const struct hostroute *route)
{
	return READ_ONCE(route->id) == HOSTROUTE_ID_DEAD;
}

static inline bool hostroute_is_device(const struct hostroute *route)
{
	return READ_ONCE(route->class) == HOSTROUTE_CLASS_DEVICE;
}

static inline enum hostroute_rank hostroute_rank_of(const struct hostroute *route)
{
	return hostroute_class_rank(READ_ONCE(route->class));
}

/* A pinned route that a message has lowered for a while. */
static inline bool hostroute_is_lowered(const struct hostroute *route)
{
	return READ_ONCE(route->mtu) < READ_ONCE(route->pinned_mtu);
}

/* Traffic uses the route. Context: any; no lock, for it is only a hint. */
static inline void hostroute_mark_used(struct hostroute *route)
{
	/* Read first, so that the cache line stays shared between the CPUs that send. */
	if (!READ_ONCE(route->used))
		WRITE_ONCE(route->used, true);
}

/* Context: any. The caller knows of a reference that is not dropped meanwhile. */
static inline void hostroute_hold(struct hostroute *route)
{
	refcount_inc(&route->ref);
}

/**
 * hostroute_l3mdev - the VRF of a device
 * @dev: any device
 *
 * The flags of most devices rule a VRF out without a function call.
 *
 * Context: RCU.
 * Return: ifindex of the VRF master that @dev is or belongs to, 0 for none.
 */
static inline int hostroute_l3mdev(const struct net_device *dev)
{
	if (likely(!netif_is_l3_slave(dev) && !netif_is_l3_master(dev)))
		return 0;
	return l3mdev_master_ifindex_rcu(dev);
}

/* Boot time in ns: counts time in suspend, and setting the clock does not change it. It
 * has the resolution of a tick.
 */
static inline u64 hostroute_now(void)
{
	return ktime_get_coarse_boottime_ns();
}

int hostroute_slab_init(void);
void hostroute_slab_exit(void);
struct hostroute *hostroute_alloc(const struct hostroute *model, gfp_t gfp);
void hostroute_free(struct hostroute *route);
void hostroute_free_rcu(struct hostroute *route);
void hostroute_put(struct hostroute *route);

#endif
