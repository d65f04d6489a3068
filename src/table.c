// SPDX-License-Identifier: GPL-2.0
/*
 * The table of host routes: one for each destination and VRF, exactly counted.
 *
 * Pure: time, limits and claims come in as arguments; nothing here looks at a
 * packet, a socket or a clock. What a change means for clones is told to
 * hostroute_route_sync() and hostroute_route_drop(), which the tests replace.
 *
 * A route is in four places while it is linked: the hash (look-ups), the ids
 * (a walk that can stop and go on later), the lru list (eviction) and the age
 * list (expiry). It enters and leaves all four under the table's lock, and
 * the count changes in link() and unlink(), nowhere else. A message about a
 * known destination cannot count again: it never gets to link().
 */
#include "../pmtu_hostroute.h"

#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/slab.h>

/* What one hold of the lock may do to routes; the hooks wait no longer. */
#define BATCH			64
/* Used routes that an eviction passes over before it takes one all the same. */
#define SECOND_CHANCES		64

static struct kmem_cache *route_cache;
static hsiphash_key_t hash_key __read_mostly;

/* Addresses come from the wire: the key is secret, the seed is the table's. */
static u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct hostroute_key *key = data;

	return hsiphash_3u32((__force u32)key->daddr, key->l3mdev, seed,
			     &hash_key);
}

static const struct rhashtable_params hash_params = {
	.key_len = sizeof(struct hostroute_key),
	.key_offset = offsetof(struct hostroute, key),
	.head_offset = offsetof(struct hostroute, node),
	.hashfn = key_hash,
	.automatic_shrinking = true,
};

int hostroute_table_slab_init(void)
{
	get_random_bytes(&hash_key, sizeof(hash_key));
	route_cache = KMEM_CACHE(hostroute, 0);
	return route_cache ? 0 : -ENOMEM;
}

/* The caller has waited for every route's grace period (rcu_barrier()). */
void hostroute_table_slab_exit(void)
{
	kmem_cache_destroy(route_cache);
}

/**
 * hostroute_table_init - make an empty table
 * @table:	to fill
 * @stats:	counters for evictions, expiries and flushes; outlive the table
 * @limits:	copied
 *
 * Context: process, may sleep. Return: 0 or a negative errno.
 */
int hostroute_table_init(struct hostroute_table *table,
			 struct hostroute_stats __percpu *stats,
			 const struct hostroute_limits *limits)
{
	spin_lock_init(&table->lock);
	xa_init_flags(&table->ids, XA_FLAGS_ALLOC);
	INIT_LIST_HEAD(&table->lru);
	INIT_LIST_HEAD(&table->age);
	table->next_id = 0;
	table->count = 0;
	table->smallest_mtu = U32_MAX;
	table->limits = *limits;
	table->stats = stats;
	return rhashtable_init(&table->hash, &hash_params);
}

/* The caller has made sure that nobody learns or reads any more. */
void hostroute_table_exit(struct hostroute_table *table)
{
	hostroute_table_flush(table);
	WARN_ON(table->count);
	xa_destroy(&table->ids);
	rhashtable_destroy(&table->hash);
}

static void free_rcu(struct rcu_head *head)
{
	kmem_cache_free(route_cache, container_of(head, struct hostroute, rcu));
}

void hostroute_put(struct hostroute *route)
{
	if (refcount_dec_and_test(&route->ref))
		call_rcu(&route->rcu, free_rcu);
}

/* Where a route can be found; the part of linking that can fail. */
static int publish(struct hostroute_table *table, struct hostroute *route)
{
	int err;

	lockdep_assert_held(&table->lock);
	err = xa_alloc_cyclic(&table->ids, &route->id, route, xa_limit_32b,
			      &table->next_id, GFP_ATOMIC | __GFP_NOWARN);
	if (err < 0)
		return err;
	err = rhashtable_insert_fast(&table->hash, &route->node, hash_params);
	if (err)
		xa_erase(&table->ids, route->id);
	return err;
}

static void link(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	list_add_tail(&route->lru, &table->lru);
	list_add_tail(&route->age, &table->age);
	WRITE_ONCE(table->count, table->count + 1);
}

/* Take a route out of all four places and drop the table's reference. */
static void unlink(struct hostroute_table *table, struct hostroute *route,
		   enum hostroute_outcome why)
{
	lockdep_assert_held(&table->lock);
	rhashtable_remove_fast(&table->hash, &route->node, hash_params);
	xa_erase(&table->ids, route->id);
	list_del(&route->lru);
	list_del(&route->age);
	WRITE_ONCE(table->count, table->count - 1);
	if (!table->count)
		WRITE_ONCE(table->smallest_mtu, U32_MAX);
	WRITE_ONCE(route->dead, true);
	hostroute_route_drop(table, route);
	hostroute_stats_inc(table->stats, why);
	hostroute_put(route);
}

/**
 * hostroute_table_expired - has a route outlived its last accepted message?
 * @table:	whose limits apply
 * @route:	to judge; under RCU or the table's lock
 * @now:	boot time, ns
 *
 * The limit is read anew each time: a changed one acts on every route at once.
 */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now)
{
	u64 life = (u64)READ_ONCE(table->limits.expire) * NSEC_PER_SEC;
	u64 updated = READ_ONCE(route->updated);

	return life && now > updated && now - updated >= life;
}

/* The least recently used route, with a second chance for used ones. */
static struct hostroute *pick_victim(struct hostroute_table *table)
{
	struct hostroute *route;
	int i;

	lockdep_assert_held(&table->lock);
	for (i = 0; i < SECOND_CHANCES; i++) {
		route = list_first_entry_or_null(&table->lru, struct hostroute,
						 lru);
		if (!route || !READ_ONCE(route->used))
			return route;
		WRITE_ONCE(route->used, false);
		list_move_tail(&route->lru, &table->lru);
	}
	return list_first_entry(&table->lru, struct hostroute, lru);
}

static void note_mtu(struct hostroute_table *table, u32 mtu)
{
	if (mtu < table->smallest_mtu)
		WRITE_ONCE(table->smallest_mtu, mtu);
}

static void take_over(struct hostroute_table *table, struct hostroute *route,
		      const struct hostroute_claim *claim)
{
	WRITE_ONCE(route->updated, claim->now);
	WRITE_ONCE(route->router, claim->router);
	WRITE_ONCE(route->ifindex, claim->ifindex);
	WRITE_ONCE(route->uses, route->uses + 1);
	WRITE_ONCE(route->used, true);
	if (claim->class > route->class)
		WRITE_ONCE(route->class, claim->class);
	list_move_tail(&route->age, &table->age);
}

static enum hostroute_outcome update(struct hostroute_table *table,
				     struct hostroute *route,
				     const struct hostroute_claim *claim, u32 mtu)
{
	lockdep_assert_held(&table->lock);
	if (mtu > route->mtu)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (mtu == route->mtu) {
		take_over(table, route, claim);
		return HOSTROUTE_REFRESHED;
	}
	WRITE_ONCE(route->previous_mtu, route->mtu);
	WRITE_ONCE(route->mtu, mtu);
	note_mtu(table, mtu);
	take_over(table, route, claim);
	hostroute_route_sync(route);
	return HOSTROUTE_LOWERED;
}

static enum hostroute_outcome insert(struct hostroute_table *table,
				     const struct hostroute_claim *claim, u32 mtu)
{
	u32 max = table->limits.max_routes;
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	if (mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (!max || (table->count >= max && READ_ONCE(table->limits.at_limit) ==
					    HOSTROUTE_AT_LIMIT_IGNORE))
		return HOSTROUTE_IGNORED_FULL;

	route = kmem_cache_zalloc(route_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!route)
		return HOSTROUTE_PASSED_MEMORY;
	route->key = claim->key;
	route->mtu = mtu;
	route->previous_mtu = claim->estimate;
	route->updated = claim->now;
	route->router = claim->router;
	route->ifindex = claim->ifindex;
	route->class = claim->class;
	route->uses = 1;
	refcount_set(&route->ref, 1);
	INIT_HLIST_HEAD(&route->clones);

	/* All that can fail comes before the eviction: a failure must cost
	 * nobody his route.
	 */
	if (publish(table, route)) {
		/* A walk may have seen it: not freed at once. */
		hostroute_put(route);
		return HOSTROUTE_PASSED_MEMORY;
	}
	while (table->count >= max)
		unlink(table, pick_victim(table), HOSTROUTE_EVICTED);
	link(table, route);
	note_mtu(table, mtu);
	return HOSTROUTE_LEARNED;
}

/**
 * hostroute_table_learn - act on a claim that was believed
 * @table:	the table
 * @claim:	what is claimed, by whom, when
 *
 * A known destination is updated in place and never counts again (KB 898060).
 * An increase is refused and does not extend the route's life (RFC 1191 6.3);
 * the same value again does.
 *
 * Context: any but hardirq; takes the table's lock.
 * Return: LEARNED, LOWERED, REFRESHED, IGNORED_NOT_SMALLER, IGNORED_FULL or
 * PASSED_MEMORY.
 */
enum hostroute_outcome hostroute_table_learn(struct hostroute_table *table,
					     const struct hostroute_claim *claim)
{
	u32 mtu = max(claim->mtu, READ_ONCE(table->limits.min_mtu));
	enum hostroute_outcome outcome;
	struct hostroute *route;

	spin_lock_bh(&table->lock);
	route = hostroute_table_find(table, &claim->key);
	if (route && hostroute_table_expired(table, route, claim->now)) {
		unlink(table, route, HOSTROUTE_EXPIRED);
		route = NULL;
	}
	if (route)
		outcome = update(table, route, claim, mtu);
	else
		outcome = insert(table, claim, mtu);
	spin_unlock_bh(&table->lock);
	return outcome;
}

/**
 * hostroute_table_set_max_routes - change the maximum, at once
 * @table:	the table
 * @max:	0 ... HOSTROUTE_MAX_ROUTES_MAX; 0 learns nothing
 *
 * Lowering evicts in batches, and the limit in force comes down with the
 * count: at no instant is the count above it, and the hooks never wait for
 * more than one batch.
 *
 * Context: process, may sleep. Of two callers at once either may be the last.
 */
void hostroute_table_set_max_routes(struct hostroute_table *table, u32 max)
{
	bool done;

	do {
		int i;

		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH && table->count > max; i++)
			unlink(table, pick_victim(table), HOSTROUTE_EVICTED);
		done = table->count <= max;
		WRITE_ONCE(table->limits.max_routes, max_t(u32, max, table->count));
		spin_unlock_bh(&table->lock);
		cond_resched();
	} while (!done);
}

/**
 * hostroute_table_sweep - take out what has expired
 * @table:	the table
 * @now:	boot time, ns
 *
 * Context: process, may sleep.
 * Return: boot time in ns when the next route expires, 0 if none ever does.
 */
u64 hostroute_table_sweep(struct hostroute_table *table, u64 now)
{
	struct hostroute *route;
	u64 next = 0, life;
	int i;

	do {
		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++) {
			route = list_first_entry_or_null(&table->age,
							 struct hostroute, age);
			if (!route || !hostroute_table_expired(table, route, now))
				break;
			unlink(table, route, HOSTROUTE_EXPIRED);
		}
		life = (u64)table->limits.expire * NSEC_PER_SEC;
		if (i < BATCH && route && life)
			next = route->updated + life;
		spin_unlock_bh(&table->lock);
		cond_resched();
	} while (i == BATCH);
	return next;
}

/**
 * hostroute_table_flush - take out every route there is when it is called
 * @table:	the table
 *
 * Routes learned meanwhile may stay: it ends however fast messages arrive.
 * Context: process, may sleep.
 */
void hostroute_table_flush(struct hostroute_table *table)
{
	u32 left = hostroute_table_count(table);

	while (left) {
		u32 n = min_t(u32, left, BATCH);

		left -= n;
		spin_lock_bh(&table->lock);
		while (n-- && !list_empty(&table->age))
			unlink(table, list_first_entry(&table->age,
						       struct hostroute, age),
			       HOSTROUTE_FLUSHED);
		spin_unlock_bh(&table->lock);
		cond_resched();
	}
}

/**
 * hostroute_table_find - look a destination up
 * @table:	the table
 * @key:	destination and VRF
 *
 * Context: RCU or the table's lock. Return: the route, expired or not; NULL.
 */
struct hostroute *hostroute_table_find(struct hostroute_table *table,
				       const struct hostroute_key *key)
{
	struct hostroute *route;

	rcu_read_lock();
	route = rhashtable_lookup(&table->hash, key, hash_params);
	rcu_read_unlock();
	return route;
}

/**
 * hostroute_table_next - walk the table
 * @table:	the table
 * @id:		where to start; set to the id of the route returned
 *
 * A walk from 0 that goes on at *@id + 1 shows every route that was there all
 * the while once, and none twice, however long it pauses between two calls.
 *
 * Context: RCU. Return: the route, NULL at the end.
 */
struct hostroute *hostroute_table_next(struct hostroute_table *table,
				       unsigned long *id)
{
	return xa_find(&table->ids, id, U32_MAX, XA_PRESENT);
}
