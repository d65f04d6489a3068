// SPDX-License-Identifier: GPL-2.0
/*
 * The table of host routes: one for each destination and VRF, exactly counted.
 *
 * Pure: time, limits and claims come in as arguments; nothing here looks at a packet, a
 * socket or a clock. A change of a route reaches its clones by hostroute_clone_sync()
 * and hostroute_clone_drop(), and the tracepoints by hostroute_trace_route(); the tests
 * replace these.
 *
 * While it is linked a route is in the hash (look-ups), in the ids (walks that can stop
 * and go on later) and in the pool of its rank: the unproven in an array (one is
 * evicted at random), the trusted in the lru list, both in a list by age. It enters and
 * leaves all of them under the table's lock, and the count changes in link_in() and
 * take_out(), nowhere else. A message about a known destination cannot count again: it
 * never gets to link_in().
 */
#include "index.h"
#include "../pmtu_hostroute.h"
#include "clone.h"
#include "trace.h"

#include <linux/rhashtable.h>
#include <linux/sched/mm.h>
#include <linux/siphash.h>
#include <linux/slab.h>

static hsiphash_key_t hash_key __read_mostly;

/* Addresses come from the wire: the key is secret, the seed is the table's. What is
 * outside VRFs, mostly all, is spared a round; it is told from the rest by its length.
 */
static u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct hostroute_key *key = data;
	u32 daddr = hostroute_addr_word(key->daddr);

	return key->l3mdev ? hsiphash_3u32(daddr, key->l3mdev, seed, &hash_key) :
			     hsiphash_1u32(daddr ^ seed, &hash_key);
}

/* The default is memcmp(), by a call. */
static int differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct hostroute *route = obj;

	return !hostroute_key_equal(&route->key, arg->key);
}

static const struct rhashtable_params hash_params = {
	.key_len = sizeof(struct hostroute_key),
	.key_offset = offsetof(struct hostroute, key),
	.head_offset = offsetof(struct hostroute, node),
	.hashfn = key_hash,
	.obj_cmpfn = differs,
	.automatic_shrinking = true,
};

/* Before the first table. */
void hostroute_index_module_init(void)
{
	get_random_bytes(&hash_key, sizeof(hash_key));
}

/**
 * hostroute_index_init - make an empty table
 * @table:	to fill
 * @stats:	counters for what happens to routes; outlive the table
 * @limits:	copied; max_unproven may be HOSTROUTE_MAX_UNPROVEN_AUTO
 *
 * @table->memcg and ->owner are the caller's to set.
 * Context: process, may sleep. Return: 0 or a negative errno.
 */
int hostroute_index_init(struct hostroute_table *table,
			 struct hostroute_stats __percpu *stats,
			 const struct hostroute_limits *limits)
{
	int i;

	spin_lock_init(&table->lock);
	mutex_init(&table->admin);
	xa_init_flags(&table->ids, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	xa_init_flags(&table->unproven, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&table->lru);
	for (i = 0; i < HOSTROUTE_RANK_COUNT; i++) {
		table->pool[i].count = 0;
		INIT_LIST_HEAD(&table->pool[i].age);
	}
	RCU_INIT_POINTER(table->newest, NULL);
	table->slots = 0;
	table->count = 0;
	table->forwarded = 0;
	table->in_vrfs = 0;
	table->serial = 0;
	table->leaving = 0;
	table->now = 0;
	table->starved = 0;
	table->smallest_mtu = U32_MAX;
	table->smallest_any = U32_MAX;
	table->limits = *limits;
	/* From the copy: a module parameter may change meanwhile. */
	table->unproven_follows =
		table->limits.max_unproven == HOSTROUTE_MAX_UNPROVEN_AUTO;
	if (table->unproven_follows)
		table->limits.max_unproven = hostroute_table_share(table->limits.max_routes);
	table->stats = stats;
	return rhashtable_init(&table->hash, &hash_params);
}

/* Nobody learns or reads any more, and all routes were flushed. */
void hostroute_index_exit(struct hostroute_table *table)
{
	WARN_ON(table->count || table->slots);
	xa_destroy(&table->unproven);
	xa_destroy(&table->ids);
	rhashtable_destroy(&table->hash);
	mutex_destroy(&table->admin);
}

/*
 * No sleep under the lock. As much as a table has by default is worth the
 * reserves, and a charge above the limit of a cgroup that is full of what could
 * be reclaimed; for more there has to be room.
 */
static gfp_t gfp(const struct hostroute_table *table)
{
	return (table->count < HOSTROUTE_MAX_ROUTES_DEFAULT ? GFP_ATOMIC : GFP_NOWAIT) |
	       __GFP_NOWARN;
}

/*
 * All of linking that can fail. The id is only reserved, so that no walk sees
 * the new route together with the one it is going to replace. Look-ups do,
 * for as long as the lock is held. Who is going to be replaced, @old, hands its id
 * and its slot on: to store where there is something cannot fail.
 */
static int publish(struct hostroute_table *table, struct hostroute *route,
		   const struct hostroute *old)
{
	bool unproven = hostroute_rank_of(route) == HOSTROUTE_RANK_UNPROVEN;

	lockdep_assert_held(&table->lock);
	if (old) {
		route->id = old->id;
		route->slot = old->slot;
		return rhashtable_insert_fast(&table->hash, &route->node, hash_params);
	}
	if (xa_alloc(&table->ids, &route->id, NULL, XA_LIMIT(0, HOSTROUTE_ID_DEAD - 1),
		     gfp(table)))
		return -ENOMEM;
	if (unproven) {
		if (xa_insert(&table->unproven, table->slots, route, gfp(table)))
			goto err_id;
		route->slot = table->slots++;
	}
	if (rhashtable_insert_fast(&table->hash, &route->node, hash_params))
		goto err_slot;
	return 0;

err_slot:
	if (unproven)
		hostroute_table_give_slot_back(table, route);
err_id:
	xa_erase(&table->ids, route->id);
	return -ENOMEM;
}

static struct hostroute *create(struct hostroute_table *table,
				const struct hostroute *model,
				const struct hostroute *old)
{
	struct hostroute *route = hostroute_alloc(model, gfp(table));

	if (!route || !publish(table, route, old))
		return route;
	hostroute_free(route);
	return NULL;
}

/**
 * hostroute_index_create - do all of linking that can fail
 * @table:	the table
 * @model:	what the route is like
 * @old:	the route whose place it is going to take, or NULL
 *
 * The owner of the table pays, if it has one, whoever happens to be running.
 *
 * Context: the table's lock.
 * Return: a route that can be found, complete but for its being linked; NULL.
 */
struct hostroute *hostroute_index_create(struct hostroute_table *table,
					 const struct hostroute *model,
					 const struct hostroute *old)
{
	struct mem_cgroup *active = set_active_memcg(table->memcg);
	struct hostroute *route = create(table, model, old);

	set_active_memcg(active);
	return route;
}

/* The id of a route that was created is reserved, or another's: to fill it takes no
 * memory. From now on walks come upon it.
 */
static void take_id(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	route->serial = ++table->serial;
	xa_store(&table->ids, route->id, route, 0);
	rcu_assign_pointer(table->newest, route);
}

/* What has its id. */
static void link_in(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	hostroute_table_join(table, route);
	WRITE_ONCE(table->in_vrfs, table->in_vrfs + !!route->key.l3mdev);
	WRITE_ONCE(table->count, table->count + 1);
}

/* Take a route out of everything. The table's reference is the caller's from now on.
 * @heir: made for its places, which it takes at the same instant; NULL.
 */
static void take_out(struct hostroute_table *table, struct hostroute *route,
		     struct hostroute *heir, enum hostroute_outcome why)
{
	lockdep_assert_held(&table->lock);
	rhashtable_remove_fast(&table->hash, &route->node, hash_params);
	if (heir)
		take_id(table, heir);
	else
		xa_erase(&table->ids, route->id);
	if (heir && hostroute_rank_of(heir) == HOSTROUTE_RANK_UNPROVEN)
		xa_store(&table->unproven, route->slot, heir, 0);
	if (rcu_access_pointer(table->newest) == route)
		RCU_INIT_POINTER(table->newest, NULL);
	hostroute_table_leave(table, route, heir);
	WRITE_ONCE(table->in_vrfs, table->in_vrfs - !!route->key.l3mdev);
	WRITE_ONCE(table->count, table->count - 1);
	if (!hostroute_table_applies(table))
		WRITE_ONCE(table->smallest_mtu, U32_MAX);
	if (!table->count)
		WRITE_ONCE(table->smallest_any, U32_MAX);
	WRITE_ONCE(route->id, HOSTROUTE_ID_DEAD);
	hostroute_clone_drop(route, &table->lock);
	hostroute_table_note(table, route, why);
}

/**
 * hostroute_index_take_out - take a route out of everything
 * @table:	the table
 * @route:	linked; the table's reference is the caller's from now on
 * @why:	the outcome that is counted
 *
 * Context: the table's lock.
 */
void hostroute_index_take_out(struct hostroute_table *table, struct hostroute *route,
			      enum hostroute_outcome why)
{
	take_out(table, route, NULL, why);
}

/* The same, and its reference is dropped. Context: the table's lock. */
void hostroute_index_unlink(struct hostroute_table *table, struct hostroute *route,
			    enum hostroute_outcome why)
{
	take_out(table, route, NULL, why);
	hostroute_put(route);
}

/**
 * hostroute_index_link - put a route that was created in
 * @table:	the table
 * @route:	created with @old
 * @old:	the route whose place it takes, or NULL
 * @why:	the outcome that is counted of @old
 *
 * Context: the table's lock. Cannot fail.
 */
void hostroute_index_link(struct hostroute_table *table, struct hostroute *route,
			  struct hostroute *old, enum hostroute_outcome why)
{
	if (old) {
		take_out(table, old, route, why);
		hostroute_put(old);
	} else {
		take_id(table, route);
	}
	link_in(table, route);
}

/**
 * hostroute_index_find - look a destination up
 * @table:	the table
 * @key:	destination and VRF
 *
 * Context: RCU or the table's lock.
 * Return: the route, of whatever class, expired or not; NULL.
 */
struct hostroute *hostroute_index_find(struct hostroute_table *table,
				       const struct hostroute_key *key)
{
	struct hostroute *route;

	rcu_read_lock();
	/* What has just been learned is what its socket looks for next. */
	route = rcu_dereference(table->newest);
	if (!route || !hostroute_key_equal(&route->key, key))
		route = rhashtable_lookup(&table->hash, key, hash_params);
	rcu_read_unlock();
	return route;
}

/*
 * What is known about a destination. Whose socket is under its route need not
 * look it up.
 *
 * A route that has had its time is not there; a pinned one is itself again.
 * Whoever read the clock first may be the last to get the lock: the table's own
 * time never goes back, so that lists by age stay in order.
 */
struct hostroute *hostroute_index_find_alive(struct hostroute_table *table,
					     const struct hostroute_key *key, u64 now,
					     struct hostroute *known)
{
	struct hostroute *route = known;

	lockdep_assert_held(&table->lock);
	if (!known || hostroute_is_dead(known) || !hostroute_key_equal(&known->key, key))
		route = hostroute_index_find(table, key);
	table->now = max(table->now, now);
	if (!route || !hostroute_table_lapsed(table, route, table->now))
		return route;
	if (hostroute_rank_of(route) == HOSTROUTE_RANK_PINNED) {
		hostroute_table_restore(table, route);
		return route;
	}
	hostroute_index_unlink(table, route, HOSTROUTE_EXPIRED);
	return NULL;
}

/**
 * hostroute_index_next - walk the table
 * @table:	the table
 * @id:		where to start; set to the id of the route returned
 *
 * A walk from 0 that goes on at *@id + 1 comes upon every route that was there
 * all the while once, and on none twice, however long it pauses between two
 * calls. One that leaves out routes with a serial above what
 * hostroute_index_serial() said at its beginning shows no destination twice.
 *
 * Context: RCU. Return: the route, NULL at the end.
 */
struct hostroute *hostroute_index_next(struct hostroute_table *table,
				       unsigned long *id)
{
	return xa_find(&table->ids, id, U32_MAX, XA_PRESENT);
}

/* The serial of the newest route. Any context but hardirq. */
u64 hostroute_index_serial(struct hostroute_table *table)
{
	u64 serial;

	spin_lock_bh(&table->lock);
	serial = table->serial;
	spin_unlock_bh(&table->lock);
	return serial;
}

static void count_leaving(struct hostroute_table *table, int n)
{
	spin_lock_bh(&table->lock);
	table->leaving += n;
	WRITE_ONCE(table->hash.p.automatic_shrinking, !table->leaving);
	spin_unlock_bh(&table->lock);
}

/**
 * hostroute_index_hold_size - many routes are going to leave
 * @table: the table
 *
 * The hash does not shrink until hostroute_index_resize(): at each halving it clears and
 * frees megabytes at a time. Context: any but hardirq.
 */
void hostroute_index_hold_size(struct hostroute_table *table)
{
	count_leaving(table, 1);
}

/* All have left: the hash shrinks once. Context: any but hardirq. */
void hostroute_index_resize(struct hostroute_table *table)
{
	count_leaving(table, -1);
	schedule_work(&table->hash.run_work);
}
