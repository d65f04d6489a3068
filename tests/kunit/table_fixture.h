/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table alone, for the suites that test it: time and limits are passed in,
 * clones are counted by fakes in place of clone.c, and what it says of routes is kept
 * by one in place of trace.c.
 */
#include <kunit/test.h>
#include <linux/percpu.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/xarray.h>

/* A seam: each step of learning that takes memory can be made to fail, the next
 * but @fail_step - 1. Steps that come while it is 0 are not counted.
 */
static unsigned int fail_step;

static bool step_fails(void)
{
	return fail_step && !--fail_step;
}

#define kmem_cache_alloc(cache, gfp) \
	(step_fails() ? NULL : kmem_cache_alloc(cache, gfp))
#define xa_alloc(xa, id, entry, limit, gfp) \
	(step_fails() ? -ENOMEM : xa_alloc(xa, id, entry, limit, gfp))
#define xa_insert(xa, index, entry, gfp) \
	(step_fails() ? -ENOMEM : xa_insert(xa, index, entry, gfp))
#define rhashtable_insert_fast(hash, node, params) \
	(step_fails() ? -ENOMEM : rhashtable_insert_fast(hash, node, params))

#include "../../src/stats.c"
#include "../../src/hostroute.c"
#include "../../src/table.c"
#include "../../src/index.c"
#include "../../src/evict.c"
#include "../../src/learn.c"
#include "../../src/bulk.c"
#include "../../src/admin.c"
#include "../../src/device_route.c"

#define SECOND	NSEC_PER_SEC
#define MINUTE	(60 * SECOND)

static unsigned int syncs, drops;
static void (*on_drop)(struct hostroute *route);

void hostroute_clone_sync(struct hostroute *route)
{
	syncs++;
}

void hostroute_clone_drop(struct hostroute *route, spinlock_t *table_lock)
{
	lockdep_assert_held(table_lock);
	drops++;
	if (on_drop)
		on_drop(route);
}

/* What the table told last, and how often it told what. */
static struct {
	enum hostroute_outcome what;
	struct hostroute route;
	bool observed;
	unsigned long count[HOSTROUTE_OUTCOME_COUNT];
} told;

bool hostroute_trace_learning(void)
{
	return true;
}

/* The tables of fixtures, by their owner: what is traced is traced under the lock. */
static struct hostroute_table *traced[4];
static unsigned int fixtures;

void hostroute_trace_route(unsigned int netns, const struct hostroute *route,
			   enum hostroute_outcome what, bool observed)
{
	lockdep_assert_held(&traced[netns]->lock);
	told.what = what;
	told.route = *route;
	told.observed = observed;
	told.count[what]++;
}

struct fixture {
	struct hostroute_table table;
	struct hostroute_stats __percpu *stats;
	u64 now;
};

static void fixture_start(struct kunit *test, struct fixture *f, u32 max_routes)
{
	struct hostroute_limits limits = HOSTROUTE_LIMITS_DEFAULT;

	limits.max_routes = max_routes;
	f->stats = alloc_percpu(struct hostroute_stats);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)f->stats);
	KUNIT_ASSERT_EQ(test, hostroute_index_init(&f->table, f->stats, &limits), 0);
	f->now = MINUTE;
	f->table.owner = fixtures++ % ARRAY_SIZE(traced);
	traced[f->table.owner] = &f->table;
}

static void fixture_end(struct fixture *f)
{
	hostroute_bulk_flush(&f->table, true);
	hostroute_index_exit(&f->table);
	free_percpu(f->stats);
}

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	fixture_start(test, f, HOSTROUTE_MAX_ROUTES_DEFAULT);
	syncs = 0;
	drops = 0;
	on_drop = NULL;
	memset(&told, 0, sizeof(told));
	return 0;
}

static void done(struct kunit *test)
{
	fixture_end(test->priv);
}

static int suite_init(struct kunit_suite *suite)
{
	hostroute_index_module_init();
	return hostroute_slab_init();
}

static void suite_exit(struct kunit_suite *suite)
{
	rcu_barrier();
	hostroute_slab_exit();
}

static unsigned long stat(struct fixture *f, enum hostroute_outcome outcome)
{
	return hostroute_stats_read(f->stats, outcome);
}

static struct hostroute_claim claim_of(const struct fixture *f, u32 n, u32 mtu)
{
	return (struct hostroute_claim) {
		.key.daddr = hostroute_addr_v4(cpu_to_be32(0x0a000000 + n)),
		.now = f->now,
		.mtu = mtu,
		.estimate = 1500,
		.router = hostroute_addr_v4(cpu_to_be32(0xc0000201)),
		.ifindex = 7,
		.class = HOSTROUTE_CLASS_PROVEN,
	};
}

static __maybe_unused enum hostroute_outcome
learn_as(struct fixture *f, u32 n, u32 mtu, enum hostroute_class class)
{
	struct hostroute_claim claim = claim_of(f, n, mtu);

	claim.class = class;
	return hostroute_learn(&f->table, &claim);
}

static __maybe_unused enum hostroute_outcome learn(struct fixture *f, u32 n, u32 mtu)
{
	return learn_as(f, n, mtu, HOSTROUTE_CLASS_PROVEN);
}

static __maybe_unused enum hostroute_outcome record(struct fixture *f, u32 n, u32 mtu)
{
	return learn_as(f, n, mtu, HOSTROUTE_CLASS_UNPROVEN);
}

static __maybe_unused int pin(struct fixture *f, u32 n, u32 mtu)
{
	struct hostroute_claim claim = claim_of(f, n, 0);

	return hostroute_admin_pin(&f->table, &claim.key, mtu, f->now);
}

static __maybe_unused int del(struct fixture *f, u32 n)
{
	struct hostroute_claim claim = claim_of(f, n, 0);

	return hostroute_admin_del(&f->table, &claim.key);
}

static __maybe_unused struct hostroute *lookup(struct fixture *f, u32 n)
{
	struct hostroute_claim claim = claim_of(f, n, 0);

	return hostroute_index_find(&f->table, &claim.key);
}

static size_t list_length(const struct list_head *head)
{
	const struct list_head *at;
	size_t n = 0;

	list_for_each(at, head)
		n++;
	return n;
}

/* The count, the pools, the walk, the lists and the array all tell the same. */
static void expect_count(struct kunit *test, struct fixture *f, u32 count)
{
	u32 ranks[HOSTROUTE_RANK_COUNT] = {}, lowered_ones = 0, forwarded = 0;
	struct hostroute_table *t = &f->table;
	struct hostroute *route;
	unsigned long id = 0;

	KUNIT_EXPECT_EQ(test, hostroute_table_count(t), count);
	KUNIT_EXPECT_LE(test, count, t->limits.max_routes);
	rcu_read_lock();
	for (; (route = hostroute_index_next(t, &id)); id++) {
		enum hostroute_rank rank = hostroute_rank_of(route);

		ranks[rank]++;
		forwarded += route->class == HOSTROUTE_CLASS_FORWARDED;
		lowered_ones += rank == HOSTROUTE_RANK_PINNED && hostroute_is_lowered(route);
		KUNIT_EXPECT_PTR_EQ(test, hostroute_index_find(t, &route->key), route);
		KUNIT_EXPECT_PTR_EQ(test, rhashtable_lookup(&t->hash, &route->key,
							    hash_params), route);
		if (rank == HOSTROUTE_RANK_UNPROVEN)
			KUNIT_EXPECT_PTR_EQ(test, xa_load(&t->unproven, route->slot),
					    (void *)route);
	}
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ranks[0] + ranks[1] + ranks[2], count);
	for (id = 0; id < HOSTROUTE_RANK_COUNT; id++) {
		u32 aging = id == HOSTROUTE_RANK_PINNED ? lowered_ones : ranks[id];

		KUNIT_EXPECT_EQ(test, t->pool[id].count, ranks[id]);
		KUNIT_EXPECT_EQ(test, list_length(&t->pool[id].age), (size_t)aging);
	}
	KUNIT_EXPECT_EQ(test, hostroute_table_count_forwarded(t), forwarded);
	KUNIT_EXPECT_EQ(test, t->slots, ranks[HOSTROUTE_RANK_UNPROVEN]);
	KUNIT_EXPECT_LE(test, t->slots, t->limits.max_unproven);
	KUNIT_EXPECT_EQ(test, list_length(&t->lru), (size_t)ranks[HOSTROUTE_RANK_TRUSTED]);
}

/* Every route that ever was is accounted for, and its end was told. */
static __maybe_unused void expect_balance(struct kunit *test, struct fixture *f)
{
	static const enum hostroute_outcome out[] = {
		HOSTROUTE_EVICTED, HOSTROUTE_RECLAIMED, HOSTROUTE_EXPIRED,
		HOSTROUTE_DELETED, HOSTROUTE_FLUSHED,
	};
	static const enum hostroute_outcome other[] = {
		HOSTROUTE_ADDED, HOSTROUTE_PINNED, HOSTROUTE_RESTORED,
	};
	unsigned long gone = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(out); i++) {
		gone += stat(f, out[i]);
		KUNIT_EXPECT_EQ(test, stat(f, out[i]), told.count[out[i]]);
	}
	for (i = 0; i < ARRAY_SIZE(other); i++)
		KUNIT_EXPECT_EQ(test, stat(f, other[i]), told.count[other[i]]);
	KUNIT_EXPECT_EQ(test, drops, gone);
	KUNIT_EXPECT_EQ(test, f->table.serial, hostroute_table_count(&f->table) + gone);
}
