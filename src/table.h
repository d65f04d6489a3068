/* SPDX-License-Identifier: GPL-2.0 */
/* The table of host routes: its fields, and changes of a route that is in it. */
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
 * struct hostroute_limits - the settings that the table obeys
 * @max_routes:	maximum number of host routes; N means N
 * @max_unproven: of these, maximum number of the unproven rank
 * @min_mtu:	bytes; a lower claim is raised to this
 * @min_mtu_unproven: the same for claims of the unproven rank
 * @expire:	seconds after the last accepted message; 0: never
 * @expire_unproven: the same for routes of the unproven rank
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

/* The limits of a new namespace, unless a module parameter sets others. */
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

/**
 * struct hostroute_pool - the routes of one rank
 * @count:	how many there are
 * @age:	those that can expire, the next to expire first
 */
struct hostroute_pool {
	u32			count;
	struct list_head	age;
};

/**
 * struct hostroute_table - the host routes of a namespace
 * @lock:	guards what the table at the top of pmtu_hostroute.c says; BH off. Taken
 *		by the files of the floor "table", and by src/ipv4/stock.c, which puts
 *		clones in the set of a route
 * @hash:	routes by key. Only index.c
 * @newest:	the route that was linked last, while it is linked. Only index.c
 * @ids:	routes by id, for walks. Only index.c
 * @unproven:	routes of the unproven rank, dense: [0, slots). Only table.c, index.c
 *		and evict.c
 * @slots:	length of @unproven. Only table.c and index.c
 * @count:	number of routes. Written by index.c; evict.c and bulk.c read it, all
 *		other files use hostroute_table_count()
 * @smallest_mtu: bytes; no route that applies to TCP has less, U32_MAX if there is
 *		none. Written by table.c and index.c; src/ipv4/output.c reads it by
 *		READ_ONCE()
 * @smallest_any: bytes; the same for all routes. Written by table.c and index.c;
 *		src/ipv4/output.c and src/ipv4/datagram.c read it by READ_ONCE()
 * @in_vrfs:	number of routes with an l3mdev. Only index.c and bulk.c
 * @forwarded:	number of routes of class forwarded. Written by table.c; all other files
 *		use hostroute_table_count_forwarded()
 * @leaving:	number of walks that take out many routes now. Only index.c
 * @serial:	serial of the route that was linked last. Only index.c
 * @now:	boot time, ns; the latest that a caller passed. Written by index.c;
 *		learn.c and admin.c read it
 * @starved:	boot time, ns; when memory was last short. Only learn.c
 * @lru:	routes of the trusted rank, least recently used first. Only table.c and
 *		evict.c
 * @pool:	routes by rank. Only the files of the floor "table"; all other files use
 *		hostroute_table_count_rank()
 * @limits:	settings. max_routes and max_unproven are written by bulk.c, which
 *		admin.c calls; the others by src/settings.c, one word each. All files
 *		may read them by READ_ONCE()
 * @unproven_follows: max_unproven is a share of max_routes. Only admin.c
 * @admin:	mutex, held while max_routes or max_unproven is set or a route is pinned.
 *		Only admin.c and bulk.c
 * @memcg:	memory cgroup that pays for routes and clones; NULL: none in particular.
 *		Set once by pmtu_hostroute.c; all files may read it
 * @owner:	inode of the namespace, for the log and tracepoints. Set once by
 *		pmtu_hostroute.c; all files may read it
 * @stats:	counters of the namespace. Set once by hostroute_index_init(); all files
 *		may read it
 *
 * hostroute_index_init() sets the first value of all but @memcg and @owner.
 */
struct hostroute_table {
	spinlock_t			lock;	/* see above */
	struct rhashtable		hash;
	struct hostroute __rcu		*newest;
	struct xarray			ids;
	struct xarray			unproven;
	u32				slots;
	u32				count;
	u32				smallest_mtu;
	u32				smallest_any;
	u32				in_vrfs;
	u32				forwarded;
	u32				leaving;
	u64				serial;
	u64				now;
	u64				starved;
	struct list_head		lru;
	struct hostroute_pool		pool[HOSTROUTE_RANK_COUNT];
	struct hostroute_limits		limits;
	bool				unproven_follows;
	struct mutex			admin;	/* see above */
	struct mem_cgroup		*memcg;
	unsigned int			owner;
	struct hostroute_stats __percpu	*stats;
};

/* Read functions. Context: RCU or table->lock */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now);
u64 hostroute_table_expires(const struct hostroute_table *table,
			    const struct hostroute *route);

/* Write functions. Context: table->lock */
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

/* The share of unproven routes with max_unproven=auto. */
static inline u32 hostroute_table_share(u32 max_routes)
{
	return max_routes / HOSTROUTE_UNPROVEN_SHARE;
}

/* Counts. Context: any; without table->lock they may change at once. */
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

/* Whether there are host routes that apply to TCP. */
static inline bool hostroute_table_applies(const struct hostroute_table *table)
{
	return hostroute_table_count_rank(table, HOSTROUTE_RANK_TRUSTED) ||
	       hostroute_table_count_rank(table, HOSTROUTE_RANK_PINNED);
}

#endif
