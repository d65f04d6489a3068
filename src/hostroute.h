/* SPDX-License-Identifier: GPL-2.0 */
/* One host route: what it is, its class and rank, its references and its memory. */
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

/* Who vouches for a host route. */
enum hostroute_class {
	HOSTROUTE_CLASS_UNPROVEN,	/* a third party: nothing proves it */
	HOSTROUTE_CLASS_FORWARDED,	/* conntrack: others' connection is quoted */
	HOSTROUTE_CLASS_PROVEN,		/* a live TCP connection's own data quoted */
	HOSTROUTE_CLASS_LOCAL,		/* this host itself: a tunnel, xfrm */
	HOSTROUTE_CLASS_PINNED,		/* the administrator */
	HOSTROUTE_CLASS_DEVICE,		/* an MTU set on a device; never in the table */
};

/* Room for a name, and its NUL. */
#define HOSTROUTE_CLASS_NAME_SIZE	12

/* As it is shown: the state in the listing and in traces. */
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

/* Which class gives way to which; proven and local routes are equals. In the
 * unproven rank, what is only claimed gives way to what is forwarded.
 */
enum hostroute_rank {
	HOSTROUTE_RANK_UNPROVEN,
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

struct hostroute_key {
	struct hostroute_addr daddr;
	int l3mdev;		/* ifindex of the VRF master, 0 for none */
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
 * @updated:	boot time of the last accepted message, ns; whole on 32 bit, too
 * @serial:	order of creation; tells a walk what came after it began
 * @mtu:	bytes, in force
 * @previous_mtu: bytes; what was believed before
 * @pinned_mtu:	bytes; the administrator's value, 0 unless pinned
 * @slot:	index among the unproven, if it is one
 * @router:	who sent the last accepted message, 0: this host
 * @ifindex:	where that came in
 * @uses:	accepted messages
 * @id:		index in the table's ids; HOSTROUTE_ID_DEAD: no longer in the table
 * @ref:	the table's while linked, and each clone's (see clone.c)
 * @class:	enum hostroute_class
 * @used:	by traffic since last looked at
 * @lru:	in the table's lru, if learned
 * @age:	in the age list of its rank; a pinned one only while it is lowered
 * @clones:	the dst_entry side, see clone.c
 * @rcu:	freed by RCU after the last reference
 *
 * There may be a million: 104 bytes.
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

static inline void hostroute_mark_used(struct hostroute *route)
{
	/* Read first: the line stays shared between the CPUs that send. */
	if (!READ_ONCE(route->used))
		WRITE_ONCE(route->used, true);
}

static inline void hostroute_hold(struct hostroute *route)
{
	refcount_inc(&route->ref);
}

/* ifindex of the VRF that @dev is, or is in, 0 for none. Under RCU. Of most its flags
 * tell, without a call.
 */
static inline int hostroute_l3mdev(const struct net_device *dev)
{
	if (likely(!netif_is_l3_slave(dev) && !netif_is_l3_master(dev)))
		return 0;
	return l3mdev_master_ifindex_rcu(dev);
}

/* Nanoseconds since boot: 64 bit, counts suspend, not stepped by the clock. */
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
