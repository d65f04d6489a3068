// SPDX-License-Identifier: GPL-2.0
/*
 * The table of host routes: one for each destination and VRF, exactly counted.
 *
 * Pure: time, limits and claims come in as arguments; nothing here looks at a
 * packet, a socket or a clock. What a change means for clones is told to
 * hostroute_route_sync() and hostroute_route_drop(), and what happened to
 * hostroute_trace_route(), if hostroute_trace_learning(): the tests replace these.
 *
 * While it is linked a route is in the hash (look-ups), in the ids (walks that
 * can stop and go on later) and in the pool of its rank: the unproven in an
 * array (one is evicted at random), the learned in the lru list, both in a list
 * by age. It enters and leaves all of them under the table's lock, and the
 * count changes in link() and unlink(), nowhere else. A message about a known
 * destination cannot count again: it never gets to link().
 */
#include "../pmtu_hostroute.h"

#include <linux/delay.h>
#include <linux/ratelimit.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/siphash.h>
#include <linux/slab.h>

/* What one hold of the lock may do to routes; the hooks wait no longer. */
#define BATCH			64
/* Used routes that are passed over in one hold before one goes all the same. */
#define SECOND_CHANCES		64

/* As the user guide says. */
static_assert(sizeof(struct hostroute) <= 104);

static struct kmem_cache *route_cache;
static hsiphash_key_t hash_key __read_mostly;
/* One line a minute for the whole module: anybody can make namespaces. */
static DEFINE_RATELIMIT_STATE(limit_log, 60 * HZ, 1);

static bool same_key(const struct hostroute_key *a, const struct hostroute_key *b)
{
	return a->daddr == b->daddr && a->l3mdev == b->l3mdev;
}

/* Addresses come from the wire: the key is secret, the seed is the table's. What is
 * outside VRFs, mostly all, is spared a round; it is told from the rest by its length.
 */
static u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct hostroute_key *key = data;
	u32 daddr = (__force u32)key->daddr;

	return key->l3mdev ? hsiphash_3u32(daddr, key->l3mdev, seed, &hash_key) :
			     hsiphash_1u32(daddr ^ seed, &hash_key);
}

/* The default is memcmp(), by a call. */
static int differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct hostroute *route = obj;

	return !same_key(&route->key, arg->key);
}

static const struct rhashtable_params hash_params = {
	.key_len = sizeof(struct hostroute_key),
	.key_offset = offsetof(struct hostroute, key),
	.head_offset = offsetof(struct hostroute, node),
	.hashfn = key_hash,
	.obj_cmpfn = differs,
	.automatic_shrinking = true,
};

int hostroute_table_slab_init(void)
{
	get_random_bytes(&hash_key, sizeof(hash_key));
	ratelimit_set_flags(&limit_log, RATELIMIT_MSG_ON_RELEASE);
	route_cache = KMEM_CACHE(hostroute, SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT);
	return route_cache ? 0 : -ENOMEM;
}

/* The caller has waited for every route's grace period (rcu_barrier()). */
void hostroute_table_slab_exit(void)
{
	kmem_cache_destroy(route_cache);
}

static u32 share_of(u32 max_routes)
{
	return max_routes / HOSTROUTE_UNPROVEN_SHARE;
}

/**
 * hostroute_table_init - make an empty table
 * @table:	to fill
 * @stats:	counters for what happens to routes; outlive the table
 * @limits:	copied; max_unproven may be HOSTROUTE_MAX_UNPROVEN_AUTO
 *
 * @table->memcg and ->owner are the caller's to set.
 * Context: process, may sleep. Return: 0 or a negative errno.
 */
int hostroute_table_init(struct hostroute_table *table,
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
		table->limits.max_unproven = share_of(table->limits.max_routes);
	table->stats = stats;
	return rhashtable_init(&table->hash, &hash_params);
}

/* The caller has made sure that nobody learns or reads any more. */
void hostroute_table_exit(struct hostroute_table *table)
{
	hostroute_table_flush(table, true);
	WARN_ON(table->count || table->slots);
	xa_destroy(&table->unproven);
	xa_destroy(&table->ids);
	rhashtable_destroy(&table->hash);
	mutex_destroy(&table->admin);
}

/* ---- one route ---------------------------------------------------------------- */

static enum hostroute_rank rank_of(const struct hostroute *route)
{
	return hostroute_rank(READ_ONCE(route->class));
}

/* A pinned route that a message has lowered for a while. */
static bool lowered(const struct hostroute *route)
{
	return READ_ONCE(route->mtu) < READ_ONCE(route->pinned_mtu);
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

/**
 * hostroute_table_expires - when a route, or what lowered it, ends by age
 * @table:	whose limits apply
 * @route:	under RCU or the table's lock
 *
 * The limit is read anew each time: a changed one acts on every route at once.
 * Return: boot time in ns, 0: never.
 */
u64 hostroute_table_expires(const struct hostroute_table *table,
			    const struct hostroute *route)
{
	enum hostroute_rank rank = rank_of(route);
	u32 life;

	if (rank == HOSTROUTE_RANK_PINNED && !lowered(route))
		return 0;
	life = rank == HOSTROUTE_RANK_UNPROVEN ?
	       READ_ONCE(table->limits.expire_unproven) :
	       READ_ONCE(table->limits.expire);
	return life ? atomic64_read(&route->updated) + (u64)life * NSEC_PER_SEC : 0;
}

/* It happened to this one: counted, and shown to those who watch. */
static void note(struct hostroute_table *table, const struct hostroute *route,
		 enum hostroute_outcome what)
{
	lockdep_assert_held(&table->lock);
	hostroute_stats_inc(table->stats, what);
	hostroute_trace_route(table, route, what, false);
}

/* 64 bits of nanoseconds do not wrap in 584 years of uptime. */
static bool lapsed(const struct hostroute_table *table,
		   const struct hostroute *route, u64 now)
{
	u64 end = hostroute_table_expires(table, route);

	return end && now >= end;
}

/**
 * hostroute_table_expired - has a route outlived its last accepted message?
 * @table:	whose limits apply
 * @route:	to judge; under RCU or the table's lock
 * @now:	boot time, ns
 *
 * Return: false for a pinned one, always.
 */
bool hostroute_table_expired(const struct hostroute_table *table,
			     const struct hostroute *route, u64 now)
{
	return rank_of(route) != HOSTROUTE_RANK_PINNED &&
	       lapsed(table, route, now);
}

static void note_mtu(struct hostroute_table *table, const struct hostroute *route)
{
	bool unproven = rank_of(route) == HOSTROUTE_RANK_UNPROVEN;
	u32 mtu = route->mtu;

	if (!unproven && mtu < table->smallest_mtu)
		WRITE_ONCE(table->smallest_mtu, mtu);
	/* Who claimed this may have claimed less. */
	if (unproven && mtu <= READ_ONCE(table->limits.min_mtu_unproven))
		mtu = HOSTROUTE_MTU_MIN;
	if (mtu < table->smallest_any)
		WRITE_ONCE(table->smallest_any, mtu);
}

static void set_mtu(struct hostroute_table *table, struct hostroute *route, u32 mtu)
{
	lockdep_assert_held(&table->lock);
	if (mtu == route->mtu)
		return;
	WRITE_ONCE(route->previous_mtu, route->mtu);
	WRITE_ONCE(route->mtu, mtu);
	note_mtu(table, route);
	hostroute_route_sync(route);
}

/* ---- in and out ------------------------------------------------------------------ */

/* The last of the array moves into the hole: storing where there is something
 * takes no memory, so this cannot fail.
 */
static void give_slot_back(struct hostroute_table *table, struct hostroute *route)
{
	struct hostroute *last;

	lockdep_assert_held(&table->lock);
	last = xa_load(&table->unproven, --table->slots);
	xa_store(&table->unproven, route->slot, last, 0);
	last->slot = route->slot;
	xa_erase(&table->unproven, table->slots);
}

/* One of this class more, or less. */
static void count_class(struct hostroute_table *table, enum hostroute_class class,
			int n)
{
	lockdep_assert_held(&table->lock);
	if (class == HOSTROUTE_CLASS_FORWARDED)
		WRITE_ONCE(table->forwarded, table->forwarded + n);
}

static void join_pool(struct hostroute_table *table, struct hostroute *route)
{
	enum hostroute_rank rank = rank_of(route);
	struct hostroute_pool *pool = &table->pool[rank];

	lockdep_assert_held(&table->lock);
	WRITE_ONCE(pool->count, pool->count + 1);
	count_class(table, route->class, 1);
	if (rank == HOSTROUTE_RANK_LEARNED)
		list_add_tail(&route->lru, &table->lru);
	if (rank != HOSTROUTE_RANK_PINNED || lowered(route))
		list_add_tail(&route->age, &pool->age);
	note_mtu(table, route);
}

/* @heir: has its slot already, or NULL. */
static void leave_pool(struct hostroute_table *table, struct hostroute *route,
		       const struct hostroute *heir)
{
	enum hostroute_rank rank = rank_of(route);
	struct hostroute_pool *pool = &table->pool[rank];

	lockdep_assert_held(&table->lock);
	WRITE_ONCE(pool->count, pool->count - 1);
	count_class(table, route->class, -1);
	list_del_init(&route->lru);
	list_del_init(&route->age);
	if (rank == HOSTROUTE_RANK_UNPROVEN &&
	    !(heir && rank_of(heir) == HOSTROUTE_RANK_UNPROVEN))
		give_slot_back(table, route);
}

static void change_class(struct hostroute_table *table, struct hostroute *route,
			 enum hostroute_class class)
{
	/* Not out and in again: for an instant nothing would seem to apply. */
	if (hostroute_rank(class) == rank_of(route)) {
		count_class(table, route->class, -1);
		WRITE_ONCE(route->class, class);
		count_class(table, class, 1);
		return;
	}
	leave_pool(table, route, NULL);
	WRITE_ONCE(route->class, class);
	join_pool(table, route);
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
	bool unproven = rank_of(route) == HOSTROUTE_RANK_UNPROVEN;

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
		give_slot_back(table, route);
err_id:
	xa_erase(&table->ids, route->id);
	return -ENOMEM;
}

/* A route that can be found, and is complete but for its being linked. */
static struct hostroute *create(struct hostroute_table *table,
				const struct hostroute *model,
				const struct hostroute *old)
{
	struct hostroute *route;

	route = kmem_cache_alloc(route_cache, gfp(table));
	if (!route)
		return NULL;
	*route = *model;
	refcount_set(&route->ref, 1);
	INIT_LIST_HEAD(&route->lru);
	INIT_LIST_HEAD(&route->age);
	INIT_HLIST_HEAD(&route->clones);
	if (!publish(table, route, old))
		return route;
	kmem_cache_free(route_cache, route);
	return NULL;
}

/* The owner of the table pays, if it has one, whoever happens to be running. */
static struct hostroute *create_charged(struct hostroute_table *table,
					const struct hostroute *model,
					const struct hostroute *old)
{
	struct mem_cgroup *active = set_active_memcg(table->memcg);
	struct hostroute *route = create(table, model, old);

	set_active_memcg(active);
	return route;
}

/* The id of what create() made is reserved, or another's: to fill it takes no
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
static void link(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	join_pool(table, route);
	WRITE_ONCE(table->in_vrfs, table->in_vrfs + !!route->key.l3mdev);
	WRITE_ONCE(table->count, table->count + 1);
}

/* Take a route out of everything. The table's reference is the caller's from now on.
 * @heir: made for its places, which it takes at the same instant; NULL.
 */
static void unlink_for(struct hostroute_table *table, struct hostroute *route,
		       struct hostroute *heir, enum hostroute_outcome why)
{
	lockdep_assert_held(&table->lock);
	rhashtable_remove_fast(&table->hash, &route->node, hash_params);
	if (heir)
		take_id(table, heir);
	else
		xa_erase(&table->ids, route->id);
	if (heir && rank_of(heir) == HOSTROUTE_RANK_UNPROVEN)
		xa_store(&table->unproven, route->slot, heir, 0);
	if (rcu_access_pointer(table->newest) == route)
		RCU_INIT_POINTER(table->newest, NULL);
	leave_pool(table, route, heir);
	WRITE_ONCE(table->in_vrfs, table->in_vrfs - !!route->key.l3mdev);
	WRITE_ONCE(table->count, table->count - 1);
	if (!hostroute_table_applies(table))
		WRITE_ONCE(table->smallest_mtu, U32_MAX);
	if (!table->count)
		WRITE_ONCE(table->smallest_any, U32_MAX);
	WRITE_ONCE(route->id, HOSTROUTE_ID_DEAD);
	hostroute_route_drop(table, route);
	note(table, route, why);
}

static void unlink(struct hostroute_table *table, struct hostroute *route,
		   enum hostroute_outcome why)
{
	unlink_for(table, route, NULL, why);
	hostroute_put(route);
}

/* ---- many at a time -------------------------------------------------------------- */

/* Routes that are freed after one grace period, at most. */
#define CROWD			4096
/* So few are not worth a wait. */
#define FEW			1024

/**
 * struct leaving - routes that leave in numbers
 * @now:	out of the table; nobody has a reference, RCU readers may look
 * @count:	of these
 * @total:	that have left so far
 * @rested:	the same, when others last had their turn; not 0: more than fit one batch
 * @before:	the same, waiting for @grace
 * @grace:	a grace period
 *
 * An RCU callback for each would be more than softirqs do at once: ksoftirqd would
 * have to, and all other softirqs would wait with it for the process that takes routes
 * out to let the CPU go, which takes the scheduler until its next tick. For the same
 * reason the hash shrinks once, when all have left: at each halving it clears and
 * frees megabytes at a time.
 */
struct leaving {
	struct list_head	now;
	struct list_head	before;
	unsigned int		count;
	unsigned int		total;
	unsigned int		rested;
	unsigned long		grace;
};

static void begin_leaving(struct leaving *leaving)
{
	INIT_LIST_HEAD(&leaving->now);
	INIT_LIST_HEAD(&leaving->before);
	leaving->count = 0;
	leaving->total = 0;
	leaving->rested = 0;
}

/* One more that has many leave, or one less. */
static void hold_shrinking(struct hostroute_table *table, int n)
{
	spin_lock_bh(&table->lock);
	table->leaving += n;
	WRITE_ONCE(table->hash.p.automatic_shrinking, !table->leaving);
	spin_unlock_bh(&table->lock);
}

static void unlink_many(struct hostroute_table *table, struct hostroute *route,
			enum hostroute_outcome why, struct leaving *leaving)
{
	unlink_for(table, route, NULL, why);
	leaving->total++;
	if (!refcount_dec_and_test(&route->ref))
		return;
	list_add(&route->lru, &leaving->now);
	leaving->count++;
}

static void free_those_before(struct leaving *leaving)
{
	struct hostroute *route, *next;
	unsigned int n = 0;

	if (list_empty(&leaving->before))
		return;
	cond_synchronize_rcu(leaving->grace);
	list_for_each_entry_safe(route, next, &leaving->before, lru) {
		kmem_cache_free(route_cache, route);
		if (++n % (4 * BATCH) == 0)
			usleep_range(20, 100);
	}
	INIT_LIST_HEAD(&leaving->before);
}

static void wait_for_next(struct leaving *leaving)
{
	free_those_before(leaving);
	list_splice_init(&leaving->now, &leaving->before);
	leaving->count = 0;
	leaving->grace = start_poll_synchronize_rcu();
}

/* Between two batches; who waits for the CPU, ksoftirqd say, gets it now. */
static void let_others_run(struct hostroute_table *table, struct leaving *leaving)
{
	cond_resched();
	if (leaving->total == leaving->rested)
		return;
	if (!leaving->rested)
		hold_shrinking(table, 1);
	leaving->rested = leaving->total;
	if (leaving->count >= CROWD)
		wait_for_next(leaving);
	usleep_range(20, 100);
}

/* All have left. */
static void end_leaving(struct hostroute_table *table, struct leaving *leaving)
{
	struct hostroute *route, *next;

	if (leaving->rested) {
		hold_shrinking(table, -1);
		schedule_work(&table->hash.run_work);
	}
	free_those_before(leaving);
	if (leaving->total > FEW)
		wait_for_next(leaving);
	list_for_each_entry_safe(route, next, &leaving->now, lru)
		call_rcu(&route->rcu, free_rcu);
	free_those_before(leaving);
}

/* ---- who has to go ------------------------------------------------------------------ */

/* One that is linked: an attacker must not be able to tell which. */
static struct hostroute *pick_unproven(struct hostroute_table *table)
{
	u32 n = table->pool[HOSTROUTE_RANK_UNPROVEN].count;

	lockdep_assert_held(&table->lock);
	return n ? xa_load(&table->unproven, reciprocal_scale(get_random_u32(), n)) :
		   NULL;
}

/* The least recently used route, with a second chance for used ones, as long
 * as there are @chances left.
 */
static struct hostroute *pick_learned(struct hostroute_table *table, int *chances)
{
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	for (; *chances; --*chances) {
		route = list_first_entry_or_null(&table->lru, struct hostroute,
						 lru);
		if (!route || !READ_ONCE(route->used))
			return route;
		WRITE_ONCE(route->used, false);
		list_move_tail(&route->lru, &table->lru);
	}
	return list_first_entry_or_null(&table->lru, struct hostroute, lru);
}

/* Where many go by the administrator's word, the next to expire. (At random each would
 * leave a hole somewhere, and the nodes of the ids would be given back all at the end.)
 */
static struct hostroute *pick_oldest_unproven(struct hostroute_table *table)
{
	lockdep_assert_held(&table->lock);
	return list_first_entry_or_null(&table->pool[HOSTROUTE_RANK_UNPROVEN].age,
					struct hostroute, age);
}

/* The weakest first; a pinned one never. */
static struct hostroute *pick_victim(struct hostroute_table *table, int *chances)
{
	return pick_unproven(table) ?: pick_learned(table, chances);
}

/* Who has to go for a new route. */
enum victim {
	VICTIM_NONE,		/* there is room */
	VICTIM_UNPROVEN,
	VICTIM_LEARNED,
	VICTIM_ITSELF,		/* it is refused */
};

/*
 * There is room, but none to spare: a share of the table as large as that of
 * unproven routes is what is left. Whether an unproven route takes of it is left to
 * chance, the less room the less. Else who has all but filled the table could see
 * by his own records whether one more learned route is there, and so whether
 * his guess of a sequence number was right.
 */
static bool room_for_unproven(const struct hostroute_table *table)
{
	u32 share = share_of(table->limits.max_routes);
	u32 room = table->limits.max_routes - table->count;

	lockdep_assert_held(&table->lock);
	if (table->pool[HOSTROUTE_RANK_UNPROVEN].count == table->count)
		return true;
	return room >= share || reciprocal_scale(get_random_u32(), share) < room;
}

/* Unproven routes make room for others of their own rank only. */
static enum victim victim_of_unproven(const struct hostroute_table *table)
{
	const struct hostroute_limits *limits = &table->limits;
	u32 unproven = table->pool[HOSTROUTE_RANK_UNPROVEN].count;

	if (unproven < limits->max_unproven && table->count < limits->max_routes &&
	    room_for_unproven(table))
		return VICTIM_NONE;
	return limits->max_unproven && unproven &&
	       READ_ONCE(limits->at_limit) == HOSTROUTE_AT_LIMIT_EVICT ?
	       VICTIM_UNPROVEN : VICTIM_ITSELF;
}

/*
 * May a new route of this rank come in, and if need be for whom? at_limit says
 * whether messages may evict routes of their own rank. That is what they do,
 * and leave unproven routes, which have their own limit, alone: these are what
 * anybody can make and see, and they must not tell what was learned. But where
 * a learned route would be refused they do give way: what nobody can prove must
 * not keep out what somebody can. The administrator's own always come in, as
 * long as there is another to go, the weakest first.
 */
static enum victim victim_of(const struct hostroute_table *table,
			     enum hostroute_rank rank)
{
	const struct hostroute_limits *limits = &table->limits;
	bool evict = READ_ONCE(limits->at_limit) == HOSTROUTE_AT_LIMIT_EVICT;
	u32 learned = table->pool[HOSTROUTE_RANK_LEARNED].count;

	lockdep_assert_held(&table->lock);
	if (!limits->max_routes)
		return VICTIM_ITSELF;
	if (rank == HOSTROUTE_RANK_UNPROVEN)
		return victim_of_unproven(table);
	if (table->count < limits->max_routes)
		return VICTIM_NONE;
	if (rank == HOSTROUTE_RANK_LEARNED && learned && evict)
		return VICTIM_LEARNED;
	if (table->pool[HOSTROUTE_RANK_UNPROVEN].count)
		return VICTIM_UNPROVEN;
	return rank == HOSTROUTE_RANK_PINNED && learned ? VICTIM_LEARNED :
							  VICTIM_ITSELF;
}

/* Is max_routes in the way of a new route? What anybody can send says nothing. */
static bool limit_bites(enum victim victim, enum hostroute_rank rank)
{
	return rank != HOSTROUTE_RANK_UNPROVEN &&
	       (victim == VICTIM_LEARNED || victim == VICTIM_ITSELF);
}

/* NULL: there is room. */
static struct hostroute *pick_one(struct hostroute_table *table, enum victim victim)
{
	int chances = SECOND_CHANCES;

	switch (victim) {
	case VICTIM_UNPROVEN:
		return pick_unproven(table);
	case VICTIM_LEARNED:
		return pick_learned(table, &chances);
	default:
		return NULL;
	}
}

/* A new route, in the place of another where there is no room. Nobody goes unless
 * everything that can fail has been done.
 */
static struct hostroute *enter(struct hostroute_table *table,
			       const struct hostroute *model, enum victim victim)
{
	struct hostroute *old = pick_one(table, victim);
	struct hostroute *route = create_charged(table, model, old);

	lockdep_assert_held(&table->lock);
	if (!route)
		return NULL;
	if (old) {
		unlink_for(table, old, route, HOSTROUTE_EVICTED);
		hostroute_put(old);
	} else {
		take_id(table, route);
	}
	link(table, route);
	return route;
}

/* ---- learning ------------------------------------------------------------------------ */

/* A pinned route that was lowered is the administrator's value again. */
static void restore(struct hostroute_table *table, struct hostroute *route)
{
	if (!lowered(route))
		return;
	list_del_init(&route->age);
	set_mtu(table, route, route->pinned_mtu);
	WRITE_ONCE(route->router, 0);
	WRITE_ONCE(route->ifindex, 0);
	note(table, route, HOSTROUTE_RESTORED);
}

/* A message about a known destination was believed. */
static void accept(struct hostroute_table *table, struct hostroute *route,
		   const struct hostroute_claim *claim)
{
	enum hostroute_rank rank = rank_of(route);

	atomic64_set(&route->updated, table->now);
	WRITE_ONCE(route->uses, route->uses + 1);
	WRITE_ONCE(route->used, true);
	if (rank == HOSTROUTE_RANK_PINNED && !lowered(route))
		return;
	WRITE_ONCE(route->router, claim->router);
	WRITE_ONCE(route->ifindex, claim->ifindex);
	list_move_tail(&route->age, &table->pool[rank].age);
}

static enum hostroute_outcome update(struct hostroute_table *table,
				     struct hostroute *route,
				     const struct hostroute_claim *claim, u32 mtu)
{
	lockdep_assert_held(&table->lock);
	if (mtu > route->mtu)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	/* The path's own MTU, the link's say, has come below what was learned:
	 * no news about the rest of the path, and it may grow again.
	 */
	if (mtu < route->mtu && mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (claim->dry_run)
		return mtu == route->mtu ? HOSTROUTE_REFRESHED : HOSTROUTE_LOWERED;
	if (claim->class > route->class)
		change_class(table, route, claim->class);
	if (mtu == route->mtu) {
		accept(table, route, claim);
		return HOSTROUTE_REFRESHED;
	}
	set_mtu(table, route, mtu);
	accept(table, route, claim);
	return HOSTROUTE_LOWERED;
}

/* A device may carry more than IP can use. */
static u16 estimate_of(const struct hostroute_claim *claim)
{
	return min(claim->estimate, HOSTROUTE_MTU_MAX);
}

/* What was unproven is proven by now, or vouched for. Its value counts for
 * nothing.
 */
static enum hostroute_outcome confirm(struct hostroute_table *table,
				      struct hostroute *route,
				      const struct hostroute_claim *claim, u32 mtu)
{
	lockdep_assert_held(&table->lock);
	if (mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (claim->dry_run)
		return HOSTROUTE_CONFIRMED;
	set_mtu(table, route, mtu);
	change_class(table, route, claim->class);
	WRITE_ONCE(route->previous_mtu, estimate_of(claim));
	accept(table, route, claim);
	return HOSTROUTE_CONFIRMED;
}

static enum hostroute_outcome insert(struct hostroute_table *table,
				     const struct hostroute_claim *claim, u32 mtu,
				     enum victim victim)
{
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	if (mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (victim == VICTIM_ITSELF)
		return HOSTROUTE_IGNORED_FULL;
	if (claim->dry_run)
		return HOSTROUTE_LEARNED;
	/* Each try makes work for the memory cgroup, too; what anybody can send is not
	 * tried again within the tick.
	 */
	if (hostroute_rank(claim->class) == HOSTROUTE_RANK_UNPROVEN &&
	    table->starved == table->now)
		return HOSTROUTE_PASSED_MEMORY;
	route = enter(table, &(struct hostroute) {
		.key = claim->key,
		.class = claim->class,
		.mtu = mtu,
		.previous_mtu = estimate_of(claim),
		.updated = ATOMIC64_INIT(table->now),
		.router = claim->router,
		.ifindex = claim->ifindex,
		.uses = 1,
	}, victim);
	if (route)
		return HOSTROUTE_LEARNED;
	table->starved = table->now;
	return HOSTROUTE_PASSED_MEMORY;
}

static u32 floor_of(const struct hostroute_table *table, enum hostroute_class class)
{
	return hostroute_rank(class) == HOSTROUTE_RANK_UNPROVEN ?
	       READ_ONCE(table->limits.min_mtu_unproven) :
	       READ_ONCE(table->limits.min_mtu);
}

/*
 * What is known about a destination. Whose socket is under its route need not
 * look it up.
 *
 * A route that has had its time is not there; a pinned one is itself again.
 * Whoever read the clock first may be the last to get the lock: the table's own
 * time never goes back, so that lists by age stay in order.
 */
static struct hostroute *find_alive(struct hostroute_table *table,
				    const struct hostroute_key *key, u64 now,
				    struct hostroute *known)
{
	struct hostroute *route = known;

	lockdep_assert_held(&table->lock);
	if (!known || hostroute_is_dead(known) || !same_key(&known->key, key))
		route = hostroute_table_find(table, key);
	table->now = max(table->now, now);
	if (!route || !lapsed(table, route, table->now))
		return route;
	if (rank_of(route) == HOSTROUTE_RANK_PINNED) {
		restore(table, route);
		return route;
	}
	unlink(table, route, HOSTROUTE_EXPIRED);
	return NULL;
}

/* Is a claim of @class stronger than what is known? Proven and local are equals,
 * and neither is stronger than what is pinned.
 */
static bool stronger(enum hostroute_class class, const struct hostroute *route)
{
	return route->class <= HOSTROUTE_CLASS_FORWARDED && class > route->class;
}

/* What a claim that is obeyed makes of a route, or of none. */
static struct hostroute aftermath(const struct hostroute *route,
				  const struct hostroute_claim *claim, u32 mtu)
{
	struct hostroute after = {
		.key = claim->key,
		.class = claim->class,
		.mtu = mtu,
		.previous_mtu = estimate_of(claim),
		.router = claim->router,
		.ifindex = claim->ifindex,
	};

	/* Of one that is confirmed nothing stays. */
	if (route && !stronger(claim->class, route)) {
		after.class = max_t(u8, route->class, claim->class);
		after.previous_mtu = mtu < route->mtu ? route->mtu :
							route->previous_mtu;
	}
	return after;
}

static void log_limit(const struct hostroute_table *table, u32 max,
		      enum hostroute_outcome outcome)
{
	if (__ratelimit(&limit_log))
		pr_notice(HOSTROUTE_NAME ": netns %u has max_routes=%u host routes: %s\n",
			  table->owner, max, outcome == HOSTROUTE_LEARNED ?
			  "new destinations evict others" :
			  "new destinations are ignored");
}

/**
 * hostroute_table_learn - act on a claim that was believed
 * @table:	the table
 * @claim:	what is claimed, by whom, when
 *
 * A known destination is updated in place and never counts again (KB 898060).
 * An increase is refused and does not extend the route's life (RFC 1191 6.3);
 * the same value again does. A pinned route may be lowered for a while, and
 * stays pinned (KB 244539).
 *
 * A dry run changes nothing but what time has changed already: what has expired
 * is taken out, as the sweep would do it.
 *
 * Context: any but hardirq; takes the table's lock.
 * Return: LEARNED, LOWERED, REFRESHED, CONFIRMED, IGNORED_NOT_SMALLER,
 * OUTRANKED, IGNORED_FULL or PASSED_MEMORY.
 */
enum hostroute_outcome hostroute_table_learn(struct hostroute_table *table,
					     const struct hostroute_claim *claim)
{
	enum hostroute_rank rank = hostroute_rank(claim->class);
	u32 mtu = max(claim->mtu, floor_of(table, claim->class));
	bool watched = hostroute_trace_learning();
	enum hostroute_outcome outcome;
	struct hostroute *route, after;
	enum victim victim = VICTIM_NONE;
	u32 max;

	spin_lock_bh(&table->lock);
	route = find_alive(table, &claim->key, claim->now, claim->known);
	max = table->limits.max_routes;
	if (!route)
		victim = victim_of(table, rank);
	if (watched)
		after = aftermath(route, claim, mtu);
	if (!route)
		outcome = insert(table, claim, mtu, victim);
	else if (rank == HOSTROUTE_RANK_UNPROVEN && claim->class < route->class)
		outcome = HOSTROUTE_OUTRANKED;
	else if (stronger(claim->class, route))
		outcome = confirm(table, route, claim, mtu);
	else
		outcome = update(table, route, claim, mtu);
	if (watched)
		hostroute_trace_route(table, &after, outcome, claim->dry_run);
	spin_unlock_bh(&table->lock);

	if (limit_bites(victim, rank) && max && !claim->dry_run &&
	    (outcome == HOSTROUTE_LEARNED || outcome == HOSTROUTE_IGNORED_FULL))
		log_limit(table, max, outcome);
	return outcome;
}

/* ---- the administrator ------------------------------------------------------------------ */

static int pin_new(struct hostroute_table *table, const struct hostroute_key *key,
		   u32 mtu)
{
	enum victim victim = victim_of(table, HOSTROUTE_RANK_PINNED);
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	if (victim == VICTIM_ITSELF)
		return -ENOSPC;
	route = enter(table, &(struct hostroute) {
		.key = *key,
		.class = HOSTROUTE_CLASS_PINNED,
		.mtu = mtu,
		.previous_mtu = mtu,
		.pinned_mtu = mtu,
		.updated = ATOMIC64_INIT(table->now),
	}, victim);
	if (!route)
		return -ENOMEM;
	note(table, route, HOSTROUTE_ADDED);
	return 0;
}

/* The count does not move. What was learned is of no account any more. */
static void pin_known(struct hostroute_table *table, struct hostroute *route,
		      u32 mtu)
{
	lockdep_assert_held(&table->lock);
	leave_pool(table, route, NULL);
	set_mtu(table, route, mtu);
	WRITE_ONCE(route->pinned_mtu, mtu);
	WRITE_ONCE(route->class, HOSTROUTE_CLASS_PINNED);
	WRITE_ONCE(route->router, 0);
	WRITE_ONCE(route->ifindex, 0);
	join_pool(table, route);
	note(table, route, HOSTROUTE_PINNED);
}

/**
 * hostroute_table_pin - the administrator's host route
 * @table:	the table
 * @key:	destination and VRF
 * @mtu:	bytes
 * @now:	boot time, ns
 *
 * A route that is there, of whatever class, becomes the administrator's.
 *
 * Context: process, may sleep.
 * Return: 0, -ENOSPC if every route there may be is pinned, or -ENOMEM.
 */
int hostroute_table_pin(struct hostroute_table *table,
			const struct hostroute_key *key, u32 mtu, u64 now)
{
	struct hostroute *route;
	int err = 0;

	mutex_lock(&table->admin);
	spin_lock_bh(&table->lock);
	route = find_alive(table, key, now, NULL);
	if (route)
		pin_known(table, route, mtu);
	else
		err = pin_new(table, key, mtu);
	spin_unlock_bh(&table->lock);
	mutex_unlock(&table->admin);
	return err;
}

/**
 * hostroute_table_del - forget a destination, whoever vouched for it
 * @table:	the table
 * @key:	destination and VRF
 *
 * Context: process. Return: 0 or -ENOENT.
 */
int hostroute_table_del(struct hostroute_table *table,
			const struct hostroute_key *key)
{
	struct hostroute *route;

	spin_lock_bh(&table->lock);
	route = hostroute_table_find(table, key);
	if (route)
		unlink(table, route, HOSTROUTE_DELETED);
	spin_unlock_bh(&table->lock);
	return route ? 0 : -ENOENT;
}

/*
 * Come down to the limits in batches. The limits in force come down with the
 * counts: at no instant is a count above its limit, nothing that arrives
 * meanwhile undoes the work, and the hooks wait for no more than one batch.
 */
static void trim(struct hostroute_table *table, u32 routes, u32 unproven)
{
	struct hostroute_pool *pool = &table->pool[HOSTROUTE_RANK_UNPROVEN];
	struct hostroute_limits *limits = &table->limits;
	struct hostroute *route;
	struct leaving leaving;
	int i;

	lockdep_assert_held(&table->admin);
	begin_leaving(&leaving);
	for (;;) {
		int chances = SECOND_CHANCES;

		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++) {
			if (pool->count <= unproven && table->count <= routes)
				break;
			route = pick_oldest_unproven(table) ?:
				pick_learned(table, &chances);
			unlink_many(table, route, HOSTROUTE_EVICTED, &leaving);
		}
		WRITE_ONCE(limits->max_routes, max(routes, table->count));
		WRITE_ONCE(limits->max_unproven, max(unproven, pool->count));
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
}

/**
 * hostroute_table_set_max_routes - change the maximum, at once
 * @table:	the table
 * @max:	0 ... HOSTROUTE_MAX_ROUTES_MAX; 0 learns nothing
 *
 * Context: process, may sleep.
 * Return: 0, or -EBUSY if more routes than that are pinned.
 */
int hostroute_table_set_max_routes(struct hostroute_table *table, u32 max)
{
	int err = -EBUSY;

	mutex_lock(&table->admin);
	/* Nobody pins while we have the mutex. */
	if (hostroute_table_count_rank(table, HOSTROUTE_RANK_PINNED) <= max) {
		trim(table, max, table->unproven_follows ?
				 share_of(max) : table->limits.max_unproven);
		err = 0;
	}
	mutex_unlock(&table->admin);
	return err;
}

/**
 * hostroute_table_set_max_unproven - change the share of unproven routes
 * @table:	the table
 * @max:	0 ... HOSTROUTE_MAX_ROUTES_MAX, or HOSTROUTE_MAX_UNPROVEN_AUTO
 *
 * Context: process, may sleep.
 */
void hostroute_table_set_max_unproven(struct hostroute_table *table, u32 max)
{
	mutex_lock(&table->admin);
	table->unproven_follows = max == HOSTROUTE_MAX_UNPROVEN_AUTO;
	if (table->unproven_follows)
		max = share_of(table->limits.max_routes);
	trim(table, table->limits.max_routes, max);
	mutex_unlock(&table->admin);
}

/* ---- in no table ------------------------------------------------------------------------- */

/**
 * hostroute_table_loose - a host route for no destination, in no table
 * @mtu: bytes
 *
 * For a device's packets (device.c). hostroute_table_end_loose() ends it.
 * Context: process, may sleep. Return: the route, or NULL.
 */
struct hostroute *hostroute_table_loose(u32 mtu)
{
	struct hostroute *route = kmem_cache_zalloc(route_cache, GFP_KERNEL);

	if (!route)
		return NULL;
	route->class = HOSTROUTE_CLASS_DEVICE;
	route->mtu = min(mtu, HOSTROUTE_MTU_MAX);
	refcount_set(&route->ref, 1);
	INIT_LIST_HEAD(&route->lru);
	INIT_LIST_HEAD(&route->age);
	INIT_HLIST_HEAD(&route->clones);
	return route;
}

/**
 * hostroute_table_set_loose - change the MTU of such a route
 * @table:	of the namespace that it is used in
 * @route:	the route
 * @mtu:	bytes
 *
 * Context: any but hardirq.
 */
void hostroute_table_set_loose(struct hostroute_table *table,
			       struct hostroute *route, u32 mtu)
{
	spin_lock_bh(&table->lock);
	WRITE_ONCE(route->mtu, min(mtu, HOSTROUTE_MTU_MAX));
	hostroute_route_sync(route);
	spin_unlock_bh(&table->lock);
}

/* Nobody makes a clone for it any more, and those that are there are dropped. */
void hostroute_table_end_loose(struct hostroute_table *table,
			       struct hostroute *route)
{
	spin_lock_bh(&table->lock);
	WRITE_ONCE(route->id, HOSTROUTE_ID_DEAD);
	hostroute_route_drop(table, route);
	spin_unlock_bh(&table->lock);
	hostroute_put(route);
}

/* ---- a batch at a time ------------------------------------------------------------------- */

typedef void (*visitor)(struct hostroute_table *table, struct hostroute *route,
			int arg, struct leaving *leaving);

/* Every route there is when it is called, once; those learned meanwhile stay
 * out of it. It ends however fast messages arrive: ids are reused from below.
 */
static void for_each(struct hostroute_table *table, visitor visit, int arg)
{
	u64 last = hostroute_table_serial(table);
	struct hostroute *route;
	unsigned long id = 0;
	struct leaving leaving;
	int i;

	begin_leaving(&leaving);
	for (;;) {
		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++, id++) {
			route = hostroute_table_next(table, &id);
			if (!route)
				break;
			if (route->serial <= last)
				visit(table, route, arg, &leaving);
		}
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
}

static void flush_one(struct hostroute_table *table, struct hostroute *route,
		      int pinned_too, struct leaving *leaving)
{
	if (rank_of(route) == HOSTROUTE_RANK_PINNED && !pinned_too)
		restore(table, route);
	else
		unlink_many(table, route, HOSTROUTE_FLUSHED, leaving);
}

/**
 * hostroute_table_flush - forget every route there is when it is called
 * @table:	the table
 * @pinned_too:	also the administrator's; else these lose what lowered them
 *
 * Context: process, may sleep.
 */
void hostroute_table_flush(struct hostroute_table *table, bool pinned_too)
{
	for_each(table, flush_one, pinned_too);
}

static void forget_one(struct hostroute_table *table, struct hostroute *route,
		       int l3mdev, struct leaving *leaving)
{
	/* Under RTNL: who waits for that must not wait for grace periods, too. */
	if (route->key.l3mdev == l3mdev)
		unlink(table, route, HOSTROUTE_FLUSHED);
}

/**
 * hostroute_table_forget_vrf - a VRF is gone, and its ifindex may be used again
 * @table:	the table
 * @l3mdev:	its ifindex
 *
 * Context: process, may sleep.
 */
void hostroute_table_forget_vrf(struct hostroute_table *table, int l3mdev)
{
	if (READ_ONCE(table->in_vrfs))
		for_each(table, forget_one, l3mdev);
}

/* One whose time is up; else NULL, and @next is when the next one's is. */
static struct hostroute *due(struct hostroute_table *table, u64 now, u64 *next)
{
	struct hostroute *route;
	u64 end;
	int i;

	lockdep_assert_held(&table->lock);
	*next = 0;
	for (i = 0; i < HOSTROUTE_RANK_COUNT; i++) {
		route = list_first_entry_or_null(&table->pool[i].age,
						 struct hostroute, age);
		if (!route)
			continue;
		if (lapsed(table, route, now))
			return route;
		end = hostroute_table_expires(table, route);
		if (end && (!*next || end < *next))
			*next = end;
	}
	return NULL;
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
	struct leaving leaving;
	u64 next;
	int i;

	begin_leaving(&leaving);
	for (;;) {
		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH; i++) {
			route = due(table, now, &next);
			if (!route)
				break;
			if (rank_of(route) == HOSTROUTE_RANK_PINNED)
				restore(table, route);
			else
				unlink_many(table, route, HOSTROUTE_EXPIRED, &leaving);
		}
		spin_unlock_bh(&table->lock);
		if (i < BATCH)
			break;
		let_others_run(table, &leaving);
	}
	end_leaving(table, &leaving);
	return next;
}

/**
 * hostroute_table_shrink - give memory back
 * @table:	the table
 * @n:		routes at most; pinned ones stay
 *
 * Context: any but hardirq. Return: routes given back.
 */
unsigned long hostroute_table_shrink(struct hostroute_table *table,
				     unsigned long n)
{
	struct hostroute *route = NULL;
	unsigned long done = 0;
	int i;

	do {
		int chances = SECOND_CHANCES;

		spin_lock_bh(&table->lock);
		for (i = 0; i < BATCH && done < n; i++, done++) {
			route = pick_victim(table, &chances);
			if (!route)
				break;
			unlink(table, route, HOSTROUTE_RECLAIMED);
		}
		spin_unlock_bh(&table->lock);
	} while (route && done < n);
	return done;
}

/* ---- looking ------------------------------------------------------------------------------ */

/**
 * hostroute_table_find - look a destination up
 * @table:	the table
 * @key:	destination and VRF
 *
 * Context: RCU or the table's lock.
 * Return: the route, of whatever class, expired or not; NULL.
 */
struct hostroute *hostroute_table_find(struct hostroute_table *table,
				       const struct hostroute_key *key)
{
	struct hostroute *route;

	rcu_read_lock();
	/* What has just been learned is what its socket looks for next. */
	route = rcu_dereference(table->newest);
	if (!route || !same_key(&route->key, key))
		route = rhashtable_lookup(&table->hash, key, hash_params);
	rcu_read_unlock();
	return route;
}

/**
 * hostroute_table_next - walk the table
 * @table:	the table
 * @id:		where to start; set to the id of the route returned
 *
 * A walk from 0 that goes on at *@id + 1 comes upon every route that was there
 * all the while once, and on none twice, however long it pauses between two
 * calls. One that leaves out routes with a serial above what
 * hostroute_table_serial() said at its beginning shows no destination twice.
 *
 * Context: RCU. Return: the route, NULL at the end.
 */
struct hostroute *hostroute_table_next(struct hostroute_table *table,
				       unsigned long *id)
{
	return xa_find(&table->ids, id, U32_MAX, XA_PRESENT);
}

/* The serial of the newest route. Any context but hardirq. */
u64 hostroute_table_serial(struct hostroute_table *table)
{
	u64 serial;

	spin_lock_bh(&table->lock);
	serial = table->serial;
	spin_unlock_bh(&table->lock);
	return serial;
}
