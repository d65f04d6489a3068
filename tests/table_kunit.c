// SPDX-License-Identifier: GPL-2.0
/*
 * The table alone: time and limits are passed in, clones are counted by fakes
 * in place of route.c.
 */
#include "../src/stats.c"
#include "../src/table.c"

#include <kunit/test.h>
#include <linux/percpu.h>

#define SECOND	NSEC_PER_SEC
#define MINUTE	(60 * SECOND)

static unsigned int syncs, drops;

void hostroute_route_sync(struct hostroute *route)
{
	syncs++;
}

void hostroute_route_drop(struct hostroute_table *table, struct hostroute *route)
{
	lockdep_assert_held(&table->lock);
	drops++;
}

struct fixture {
	struct hostroute_table table;
	struct hostroute_stats __percpu *stats;
	u64 now;
};

static void fixture_start(struct kunit *test, struct fixture *f, u32 max_routes)
{
	const struct hostroute_limits limits = {
		.max_routes = max_routes,
		.min_mtu = HOSTROUTE_MIN_MTU_DEFAULT,
		.expire = HOSTROUTE_EXPIRE_DEFAULT,
		.at_limit = HOSTROUTE_AT_LIMIT_EVICT,
	};

	f->stats = alloc_percpu(struct hostroute_stats);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)f->stats);
	KUNIT_ASSERT_EQ(test, hostroute_table_init(&f->table, f->stats, &limits), 0);
	f->now = MINUTE;
}

static void fixture_end(struct fixture *f)
{
	hostroute_table_exit(&f->table);
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
	return 0;
}

static void done(struct kunit *test)
{
	fixture_end(test->priv);
}

static int suite_init(struct kunit_suite *suite)
{
	return hostroute_table_slab_init();
}

static void suite_exit(struct kunit_suite *suite)
{
	rcu_barrier();
	hostroute_table_slab_exit();
}

static unsigned long stat(struct fixture *f, enum hostroute_outcome outcome)
{
	return hostroute_stats_read(f->stats, outcome);
}

static struct hostroute_claim claim_of(const struct fixture *f, u32 n, u32 mtu)
{
	return (struct hostroute_claim) {
		.key.daddr = cpu_to_be32(0x0a000000 + n),
		.now = f->now,
		.mtu = mtu,
		.estimate = 1500,
		.router = cpu_to_be32(0xc0000201),
		.ifindex = 7,
		.class = HOSTROUTE_CLASS_PROVEN,
	};
}

static enum hostroute_outcome learn(struct fixture *f, u32 n, u32 mtu)
{
	struct hostroute_claim claim = claim_of(f, n, mtu);

	return hostroute_table_learn(&f->table, &claim);
}

static struct hostroute *lookup(struct fixture *f, u32 n)
{
	struct hostroute_claim claim = claim_of(f, n, 0);

	return hostroute_table_find(&f->table, &claim.key);
}

static size_t list_length(const struct list_head *head)
{
	const struct list_head *at;
	size_t n = 0;

	list_for_each(at, head)
		n++;
	return n;
}

/* The count, the walk and the lists all tell the same. */
static void expect_count(struct kunit *test, struct fixture *f, u32 count)
{
	unsigned long id = 0;
	u32 walked = 0;

	KUNIT_EXPECT_EQ(test, hostroute_table_count(&f->table), count);
	rcu_read_lock();
	for (; hostroute_table_next(&f->table, &id); id++)
		walked++;
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, walked, count);
	KUNIT_EXPECT_EQ(test, list_length(&f->table.lru), (size_t)count);
	KUNIT_EXPECT_EQ(test, list_length(&f->table.age), (size_t)count);
}

/* KB 898060: an update must not count as one more route. */
static const u32 update_params[] = { 1, 2, 10001 };

static void update_desc(const u32 *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", *n);
}

KUNIT_ARRAY_PARAM(update, update_params, update_desc);

static void updates_count_once(struct kunit *test)
{
	u32 n = *(const u32 *)test->param_value, i;
	struct fixture *f = test->priv;

	f->table.limits.max_routes = 2;
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_LEARNED);
	for (i = 0; i < n; i++) {
		/* Lower, the same, higher; from one router after another. */
		struct hostroute_claim claim = claim_of(f, 1, 1400 - i / 10 % 700 + i % 2);

		claim.router = cpu_to_be32(i);
		hostroute_table_learn(&f->table, &claim);
		f->now += SECOND / 100;
	}
	expect_count(test, f, 2);
	/* The last, lower one is obeyed. */
	KUNIT_EXPECT_EQ(test, learn(f, 1, 100), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 100);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 0);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 2));
	expect_count(test, f, 2);
}

static void learns_what_is_claimed(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;

	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
	route = lookup(f, 1);
	KUNIT_ASSERT_NOT_NULL(test, route);
	KUNIT_EXPECT_EQ(test, route->mtu, 1400);
	KUNIT_EXPECT_EQ(test, route->previous_mtu, 1500);
	KUNIT_EXPECT_EQ(test, route->router, cpu_to_be32(0xc0000201));
	KUNIT_EXPECT_EQ(test, route->ifindex, 7);
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, 1400);

	KUNIT_EXPECT_EQ(test, learn(f, 1, 1300), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300);
	KUNIT_EXPECT_EQ(test, route->previous_mtu, 1400);
	KUNIT_EXPECT_EQ(test, route->uses, 2);
	KUNIT_EXPECT_EQ(test, syncs, 1);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, 1300);
}

static void never_raised(struct kunit *test)
{
	struct fixture *f = test->priv;

	learn(f, 1, 1300);
	f->now += MINUTE;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1301), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1300);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->updated, f->now - MINUTE);
	KUNIT_EXPECT_EQ(test, syncs, 0);
	/* The path's own estimate is no news either. */
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1500), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1499), HOSTROUTE_LEARNED);
}

static void floor_applies(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->table.limits.min_mtu = 552;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 551), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 552);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 68), HOSTROUTE_REFRESHED);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 553), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 2)->mtu, 553);
}

static void maximum_is_exact(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < HOSTROUTE_MAX_ROUTES_DEFAULT; i++)
		KUNIT_ASSERT_EQ(test, learn(f, i, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, HOSTROUTE_MAX_ROUTES_DEFAULT);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 0);

	KUNIT_EXPECT_EQ(test, learn(f, i, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, HOSTROUTE_MAX_ROUTES_DEFAULT);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 1);
	KUNIT_EXPECT_EQ(test, drops, 1);
	KUNIT_EXPECT_NULL(test, lookup(f, 0));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, i));
}

static void ignores_at_limit(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->table.limits.max_routes = 2;
	f->table.limits.at_limit = HOSTROUTE_AT_LIMIT_IGNORE;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, learn(f, 3, 1400), HOSTROUTE_IGNORED_FULL);
	expect_count(test, f, 2);
	/* A known destination is never refused. */
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1300), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1300), HOSTROUTE_REFRESHED);
}

static void zero_learns_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;

	learn(f, 1, 1400);
	hostroute_table_set_max_routes(&f->table, 0);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_IGNORED_FULL);
	hostroute_table_set_max_routes(&f->table, 1);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
}

static void maximum_lowered(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 1000; i++)
		learn(f, i, 1400);
	hostroute_table_set_max_routes(&f->table, 1000);
	expect_count(test, f, 1000);
	hostroute_table_set_max_routes(&f->table, 10);
	expect_count(test, f, 10);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_routes, 10);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 990);
	/* The oldest went. */
	KUNIT_EXPECT_NULL(test, lookup(f, 989));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 990));
	learn(f, 2000, 1400);
	expect_count(test, f, 10);
	hostroute_table_set_max_routes(&f->table, 11);
	learn(f, 2001, 1400);
	expect_count(test, f, 11);
}

static void evicts_least_recently_used(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->table.limits.max_routes = 3;
	learn(f, 1, 1400);
	learn(f, 2, 1400);
	learn(f, 3, 1400);
	hostroute_mark_used(lookup(f, 1));
	learn(f, 4, 1400);		/* 1 gets a second chance, 2 goes */
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
	learn(f, 3, 1400);		/* a message is a use */
	learn(f, 5, 1400);		/* 3 second chance; 1 has none left */
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 3));
	KUNIT_EXPECT_NULL(test, lookup(f, 1));
	expect_count(test, f, 3);
}

static void evicts_even_if_all_are_used(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	f->table.limits.max_routes = 2 * SECOND_CHANCES;
	for (i = 0; i < 2 * SECOND_CHANCES; i++)
		learn(f, i, 1400);
	for (i = 0; i < 2 * SECOND_CHANCES; i++)
		hostroute_mark_used(lookup(f, i));
	KUNIT_EXPECT_EQ(test, learn(f, 9999, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, 2 * SECOND_CHANCES);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 1);
}

static void expires(struct kunit *test)
{
	const u64 life = HOSTROUTE_EXPIRE_DEFAULT * SECOND;
	struct fixture *f = test->priv;
	u64 begun = f->now;

	learn(f, 1, 1400);
	f->now += SECOND;
	learn(f, 2, 1400);
	KUNIT_EXPECT_EQ(test, hostroute_table_sweep(&f->table, begun + life - 1),
			begun + life);
	expect_count(test, f, 2);
	KUNIT_EXPECT_EQ(test, hostroute_table_sweep(&f->table, begun + life),
			begun + life + SECOND);
	expect_count(test, f, 1);
	KUNIT_EXPECT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EXPIRED), 1);
	KUNIT_EXPECT_EQ(test, drops, 1);
	KUNIT_EXPECT_EQ(test, hostroute_table_sweep(&f->table, begun + 2 * life), 0);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, U32_MAX);
}

static void sweeps_more_than_a_batch(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 10 * BATCH; i++)
		learn(f, i, 1400);
	hostroute_table_sweep(&f->table, f->now + 3600 * SECOND);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EXPIRED), 10 * BATCH);
}

static void message_extends_life(struct kunit *test)
{
	const u64 life = HOSTROUTE_EXPIRE_DEFAULT * SECOND;
	struct fixture *f = test->priv;
	u64 begun = f->now;

	learn(f, 1, 1400);
	learn(f, 2, 1400);
	f->now = begun + life - 1;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_REFRESHED);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1450), HOSTROUTE_IGNORED_NOT_SMALLER);
	hostroute_table_sweep(&f->table, begun + life);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
}

static void zero_never_expires(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->table.limits.expire = 0;
	learn(f, 1, 1400);
	KUNIT_EXPECT_EQ(test, hostroute_table_sweep(&f->table, U64_MAX), 0);
	expect_count(test, f, 1);
	/* A changed limit acts on routes that are there. */
	f->table.limits.expire = 1;
	hostroute_table_sweep(&f->table, f->now + SECOND);
	expect_count(test, f, 0);
}

static void learns_anew_after_expiry(struct kunit *test)
{
	struct fixture *f = test->priv;

	learn(f, 1, 1200);
	f->now += HOSTROUTE_EXPIRE_DEFAULT * SECOND;
	/* Not swept yet; a higher value is news all the same. */
	expect_count(test, f, 1);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1400);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EXPIRED), 1);
	expect_count(test, f, 1);
}

static void flushes(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 3 * BATCH + 1; i++)
		learn(f, i, 1400);
	hostroute_table_flush(&f->table);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_FLUSHED), 3 * BATCH + 1);
	KUNIT_EXPECT_EQ(test, drops, 3 * BATCH + 1);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
}

static void walk_goes_on_where_it_stopped(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;
	unsigned long id = 0;
	u32 seen = 0, i;

	for (i = 0; i < 100; i++)
		learn(f, i, 1400);
	for (;; id++) {
		rcu_read_lock();
		route = hostroute_table_next(&f->table, &id);
		if (route)
			KUNIT_EXPECT_EQ(test, route->key.daddr,
					cpu_to_be32(0x0a000000 + seen));
		rcu_read_unlock();
		if (!route)
			break;
		seen++;
		/* Routes come while it pauses; those after it are seen. */
		if (seen == 50)
			learn(f, 100, 1400);
	}
	KUNIT_EXPECT_EQ(test, seen, 101);
}

static void vrfs_are_apart(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute_claim claim = claim_of(f, 1, 1200);

	learn(f, 1, 1400);
	claim.key.l3mdev = 5;
	KUNIT_EXPECT_EQ(test, hostroute_table_learn(&f->table, &claim), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1400);
	expect_count(test, f, 2);
}

static void namespaces_are_apart(struct kunit *test)
{
	struct fixture *f = test->priv, *g;

	g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g);
	fixture_start(test, g, 1);
	learn(f, 1, 1400);
	learn(g, 1, 1200);
	learn(g, 2, 1300);
	expect_count(test, f, 1);
	expect_count(test, g, 1);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1400);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 0);
	hostroute_table_flush(&f->table);
	expect_count(test, g, 1);
	fixture_end(g);
}

static void references_keep_a_route(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;

	learn(f, 1, 1400);
	route = lookup(f, 1);
	hostroute_hold(route);
	hostroute_table_flush(&f->table);
	rcu_barrier();
	/* KASAN would tell if the table's had been the last. */
	KUNIT_EXPECT_TRUE(test, route->dead);
	KUNIT_EXPECT_EQ(test, refcount_read(&route->ref), 1);
	hostroute_put(route);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(updates_count_once, update_gen_params),
	KUNIT_CASE(learns_what_is_claimed),
	KUNIT_CASE(never_raised),
	KUNIT_CASE(floor_applies),
	KUNIT_CASE(maximum_is_exact),
	KUNIT_CASE(ignores_at_limit),
	KUNIT_CASE(zero_learns_nothing),
	KUNIT_CASE(maximum_lowered),
	KUNIT_CASE(evicts_least_recently_used),
	KUNIT_CASE(evicts_even_if_all_are_used),
	KUNIT_CASE(expires),
	KUNIT_CASE(sweeps_more_than_a_batch),
	KUNIT_CASE(message_extends_life),
	KUNIT_CASE(zero_never_expires),
	KUNIT_CASE(learns_anew_after_expiry),
	KUNIT_CASE(flushes),
	KUNIT_CASE(walk_goes_on_where_it_stopped),
	KUNIT_CASE(vrfs_are_apart),
	KUNIT_CASE(namespaces_are_apart),
	KUNIT_CASE(references_keep_a_route),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_table",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = done,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pmtu_hostroute's table");
MODULE_LICENSE("GPL");
