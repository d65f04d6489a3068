// SPDX-License-Identifier: GPL-2.0
/*
 * The table of host routes: one for each destination and VRF, counted exactly.
 *
 * Pure: time, limits and claims are arguments. Nothing here looks at a packet, a socket
 * or a clock. A change of a route reaches its clones by hostroute_clone_sync() and
 * hostroute_clone_drop(), and the tracepoints by hostroute_trace_route(); the tests
 * replace these.
 *
 * While a route is linked it is in three places: in the hash (for look-ups), in the ids
 * (for walks that can pause and go on later) and in the pool of its rank (see table.c).
 * It enters and leaves all three under table->lock. The count changes in link_in() and
 * take_out(), and nowhere else. So a message about a known destination does not count
 * again: it never gets to link_in().
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

/* Addresses come from the wire, so the key is secret; each table has its own seed. Keys
 * outside a VRF (nearly all) hash one word instead of three. The two kinds do not
 * collide systematically, because the length of the input is part of the hash.
 */
static u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct hostroute_key *key = data;
	u32 daddr = hostroute_addr_word(key->daddr);

	return key->l3mdev ? hsiphash_3u32(daddr, key->l3mdev, seed, &hash_key) :
			     hsiphash_1u32(daddr ^ seed, &hash_key);
}

/* The default would be a call of memcmp(). */
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

/* Call this before the first table is made. */
void hostroute_index_module_init(void)
{
	get_random_bytes(&hash_key, sizeof(hash_key));
}

/**
 * hostroute_index_init - make an empty table
 * @table:	filled
 * @stats:	counters for what happens to routes; must outlive the table
 * @limits:	copied; max_unproven may be HOSTROUTE_MAX_UNPROVEN_AUTO
 *
 * The caller sets @table->memcg and @table->owner.
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
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
	/* Read the copy: @limits are module parameters, which may change meanwhile. */
	table->unproven_follows =
		table->limits.max_unproven == HOSTROUTE_MAX_UNPROVEN_AUTO;
	if (table->unproven_follows)
		table->limits.max_unproven = hostroute_table_share(table->limits.max_routes);
	table->stats = stats;
	return rhashtable_init(&table->hash, &hash_params);
}

/* Free an empty table. All routes were flushed, and no CPU learns or reads any more.
 * Context: process, may sleep.
 */
void hostroute_index_exit(struct hostroute_table *table)
{
	WARN_ON(table->count || table->slots);
	xa_destroy(&table->unproven);
	xa_destroy(&table->ids);
	rhashtable_destroy(&table->hash);
	mutex_destroy(&table->admin);
}

/*
 * An allocation must not sleep under table->lock. Up to the default number of routes it
 * may use the atomic reserves, and may be charged above the limit of a cgroup that is
 * full of memory that could be reclaimed. Beyond that number it succeeds only if there is
 * free memory.
 */
static gfp_t gfp(const struct hostroute_table *table)
{
	return (table->count < HOSTROUTE_MAX_ROUTES_DEFAULT ? GFP_ATOMIC : GFP_NOWAIT) |
	       __GFP_NOWARN;
}

/*
 * Do all steps of linking that can fail. The id is only reserved, so that no walk finds
 * both the new route and @old, which it is going to replace. Look-ups find both for as
 * long as table->lock is held. The new route gets the id and the slot of @old: to store
 * over an entry cannot fail.
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
 * hostroute_index_create - make a route, and do all steps of linking that can fail
 * @table:	the table
 * @model:	copied to the route
 * @old:	the route that it is going to replace, or NULL
 *
 * The memory is charged to the table's memory cgroup if there is one, and not to that of
 * the task that happens to be running.
 *
 * Context: table->lock.
 * Return: a route that look-ups find, for hostroute_index_link(); NULL if memory is
 * short.
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

/* The id of a route that was created is reserved, or that of the route it replaces. To
 * store there takes no memory. From now on walks find the route.
 */
static void take_id(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	route->serial = ++table->serial;
	xa_store(&table->ids, route->id, route, 0);
	rcu_assign_pointer(table->newest, route);
}

/* Count a route that has taken its id. */
static void link_in(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	hostroute_table_join(table, route);
	WRITE_ONCE(table->in_vrfs, table->in_vrfs + !!route->key.l3mdev);
	WRITE_ONCE(table->count, table->count + 1);
}

/* Take a route out of the table. The table's reference becomes the caller's. @heir: the
 * route that was created to replace it, and takes its id and slot in the same step; or
 * NULL.
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
 * hostroute_index_take_out - take a route out of the table and keep its reference
 * @table:	the table
 * @route:	linked; the table's reference becomes the caller's
 * @why:	the outcome that is counted
 *
 * Its clones are dropped as well.
 *
 * Context: table->lock.
 */
void hostroute_index_take_out(struct hostroute_table *table, struct hostroute *route,
			      enum hostroute_outcome why)
{
	take_out(table, route, NULL, why);
}

/* Take a route out of the table and drop the table's reference. Context: table->lock. */
void hostroute_index_unlink(struct hostroute_table *table, struct hostroute *route,
			    enum hostroute_outcome why)
{
	take_out(table, route, NULL, why);
	hostroute_put(route);
}

/**
 * hostroute_index_link - link a route that was created
 * @table:	the table
 * @route:	created with @old by hostroute_index_create()
 * @old:	the route that it replaces, or NULL
 * @why:	the outcome that is counted for @old
 *
 * This cannot fail.
 *
 * Context: table->lock.
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
 * Context: RCU or table->lock.
 * Return: the route, of any class, expired or not; NULL if there is none.
 */
struct hostroute *hostroute_index_find(struct hostroute_table *table,
				       const struct hostroute_key *key)
{
	struct hostroute *route;

	rcu_read_lock();
	/* After a route is learned its socket looks it up next. */
	route = rcu_dereference(table->newest);
	if (!route || !hostroute_key_equal(&route->key, key))
		route = rhashtable_lookup(&table->hash, key, hash_params);
	rcu_read_unlock();
	return route;
}

/**
 * hostroute_index_find_alive - look a destination up, and act on its age first
 * @table:	the table
 * @key:	destination and VRF
 * @now:	boot time, ns
 * @known:	saves the look-up if it is this destination's route; may be dead or NULL
 *
 * An expired route is taken out. A pinned route gets the administrator's MTU back if what
 * lowered it has expired. CPUs may get the lock in another order than that in which they
 * read the clock. So the time of the table never goes back, and the lists by age stay in
 * order.
 *
 * Context: table->lock; RCU if @known is not NULL.
 * Return: the route, not expired; NULL if there is none.
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
 * @id:		where to start; set to the id of the route that is returned
 *
 * A walk from 0 that goes on at *@id + 1 finds each route that was linked all the time
 * exactly once, and no route twice, however long it pauses between two calls. If it also
 * leaves out routes with a serial above that of hostroute_index_serial() at its start, it
 * finds no destination twice.
 *
 * Context: RCU or table->lock.
 * Return: the route, NULL at the end.
 */
struct hostroute *hostroute_index_next(struct hostroute_table *table,
				       unsigned long *id)
{
	return xa_find(&table->ids, id, U32_MAX, XA_PRESENT);
}

/* The serial of the route that was linked last. Context: any but hardirq; takes
 * table->lock.
 */
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
 * The hash does not shrink until hostroute_index_resize(), because at each halving it
 * clears and frees megabytes at a time.
 *
 * Context: any but hardirq; takes table->lock.
 */
void hostroute_index_hold_size(struct hostroute_table *table)
{
	count_leaving(table, 1);
}

/* The routes have left: let the hash shrink once. Context: any but hardirq; takes
 * table->lock.
 */
void hostroute_index_resize(struct hostroute_table *table)
{
	count_leaving(table, -1);
	schedule_work(&table->hash.run_work);
}
