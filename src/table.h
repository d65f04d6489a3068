/* SPDX-License-Identifier: GPL-2.0 */
/* The table of host routes: its fields, and what becomes of a route that is in it. */
#ifndef HOSTROUTE_TABLE_H
#define HOSTROUTE_TABLE_H

#include "../pmtu_hostroute.h"
#include "hostroute.h"
#include "stats.h"

#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct hostroute_limits - the tunables the table obeys
 * @max_routes:	host routes at most; N means N
 * @max_unproven: of these, unproven ones at most
 * @min_mtu:	lower claims are taken as this many bytes
 * @min_mtu_unproven: the same, for unproven claims
 * @expire:	seconds after the last accepted message; 0: never
 * @expire_unproven: the same, for unproven routes
 * @at_limit:	enum hostroute_at_limit
 */
struct hostroute_limits {
	u32 max_routes;
	u32 max_unproven;
	u32 min_mtu;
	u32 min_mtu_unproven;
	u32 expire;
	u32 expire_unproven;
	u32 at_limit;
};

/* What a namespace starts with unless a module parameter says otherwise. */
#define HOSTROUTE_LIMITS_DEFAULT {					\
	.max_routes = HOSTROUTE_MAX_ROUTES_DEFAULT,			\
	.max_unproven = HOSTROUTE_MAX_UNPROVEN_AUTO,			\
	.min_mtu = HOSTROUTE_MIN_MTU_DEFAULT,				\
	.min_mtu_unproven = HOSTROUTE_MIN_MTU_UNPROVEN_DEFAULT,		\
	.expire = HOSTROUTE_EXPIRE_DEFAULT,				\
	.expire_unproven = HOSTROUTE_EXPIRE_UNPROVEN_DEFAULT,		\
	.at_limit = HOSTROUTE_AT_LIMIT_EVICT,				\
}

struct mem_cgroup;

struct hostroute_pool {
	u32			count;
	struct list_head	age;	/* next to expire first */
};

struct hostroute_table {
	/* Guards what the table at the top of pmtu_hostroute.c says. */
	spinlock_t			lock;
	struct rhashtable		hash;
	struct hostroute __rcu		*newest;	/* while it is linked */
	struct xarray			ids;
	struct xarray			unproven;	/* dense: [0, slots) */
	u32				slots;
	u32				count;
	u32				smallest_mtu;	/* of those that apply to TCP */
	u32				smallest_any;	/* of all */
	u32				in_vrfs;	/* routes with an l3mdev */
	u32				forwarded;	/* of the unproven */
	u32				leaving;	/* walks that take many out */
	u64				serial;
	u64				now;		/* latest that was heard of */
	u64				starved;	/* then memory was short */
	struct list_head		lru;		/* learned routes */
	struct hostroute_pool		pool[HOSTROUTE_RANK_COUNT];
	struct hostroute_limits		limits;
	bool				unproven_follows;	/* max_routes */
	struct mutex			admin;	/* one that sets limits or pins */
	struct mem_cgroup		*memcg;	/* pays; NULL: nobody in particular */
	unsigned int			owner;	/* inode of the namespace, for the log */
	struct hostroute_stats __percpu	*stats;
};

/* Read functions: under RCU */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now);
u64 hostroute_table_expires(const struct hostroute_table *table,
			    const struct hostroute *route);

/* Write functions: under the table's lock */
void hostroute_table_join(struct hostroute_table *table, struct hostroute *route);
void hostroute_table_leave(struct hostroute_table *table, struct hostroute *route,
			   const struct hostroute *heir);
void hostroute_table_give_slot_back(struct hostroute_table *table,
				    struct hostroute *route);
bool hostroute_table_lapsed(const struct hostroute_table *table,
			    const struct hostroute *route, u64 now);
void hostroute_table_set_mtu(struct hostroute_table *table, struct hostroute *route,
			     u32 mtu);
void hostroute_table_change_class(struct hostroute_table *table,
				  struct hostroute *route,
				  enum hostroute_class class);
void hostroute_table_make_pinned(struct hostroute_table *table, struct hostroute *route,
				 u32 mtu);
void hostroute_table_restore(struct hostroute_table *table, struct hostroute *route);
void hostroute_table_note(struct hostroute_table *table, const struct hostroute *route,
			  enum hostroute_outcome what);

static inline u32 hostroute_table_share(u32 max_routes)
{
	return max_routes / HOSTROUTE_UNPROVEN_SHARE;
}

static inline u32 hostroute_table_count(const struct hostroute_table *table)
{
	return READ_ONCE(table->count);
}

static inline u32 hostroute_table_count_rank(const struct hostroute_table *table,
					     enum hostroute_rank rank)
{
	return READ_ONCE(table->pool[rank].count);
}

static inline u32 hostroute_table_count_forwarded(const struct hostroute_table *table)
{
	return READ_ONCE(table->forwarded);
}

/* Host routes that TCP is put under. */
static inline bool hostroute_table_applies(const struct hostroute_table *table)
{
	return hostroute_table_count_rank(table, HOSTROUTE_RANK_TRUSTED) ||
	       hostroute_table_count_rank(table, HOSTROUTE_RANK_PINNED);
}

#endif
