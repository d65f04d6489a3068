// SPDX-License-Identifier: GPL-2.0
/* The table: what it does with claims, limits, pins and time. */
#include "table_fixture.h"

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

	hostroute_admin_set_max_routes(&f->table, 2);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_LEARNED);
	for (i = 0; i < n; i++) {
		/* Lower, the same, higher; from one router after another. */
		struct hostroute_claim claim = claim_of(f, 1, 1400 - i / 10 % 700 + i % 2);

		claim.router = hostroute_addr_v4(cpu_to_be32(i));
		hostroute_learn(&f->table, &claim);
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
	KUNIT_EXPECT_EQ(test, route->router.v4, cpu_to_be32(0xc0000201));
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
	struct hostroute_claim claim;

	learn(f, 1, 1300);
	f->now += MINUTE;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1301), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1300);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&lookup(f, 1)->updated),
			f->now - MINUTE);
	KUNIT_EXPECT_EQ(test, syncs, 0);
	/* Nor is that the link has become smaller than what was learned. */
	claim = claim_of(f, 1, 1000);
	claim.estimate = 1000;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim),
			HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1300);
	/* The path's own estimate is no news either. */
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1500), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1499), HOSTROUTE_LEARNED);
}

/* A device may carry more than IP can use, and be told to. */
static void no_more_than_ip(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute_claim claim = claim_of(f, 1, 1400);
	struct hostroute *device;

	claim.estimate = 65536;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->previous_mtu, 65535);
	record(f, 2, 1400);
	claim = claim_of(f, 2, 1300);
	claim.estimate = 65536;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), HOSTROUTE_CONFIRMED);
	KUNIT_EXPECT_EQ(test, lookup(f, 2)->previous_mtu, 65535);

	device = hostroute_device_route_new(U32_MAX - 1);
	KUNIT_ASSERT_NOT_NULL(test, device);
	KUNIT_EXPECT_EQ(test, device->mtu, 65535);
	hostroute_device_route_set(&f->table, device, 1400);
	KUNIT_EXPECT_EQ(test, device->mtu, 1400);
	hostroute_device_route_set(&f->table, device, 65536 + 68);
	KUNIT_EXPECT_EQ(test, device->mtu, 65535);
	hostroute_device_route_end(&f->table, device);
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

	hostroute_admin_set_max_routes(&f->table, 2);
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
	hostroute_admin_set_max_routes(&f->table, 0);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_IGNORED_FULL);
	hostroute_admin_set_max_routes(&f->table, 1);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
}

static void maximum_lowered(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 1000; i++)
		learn(f, i, 1400);
	hostroute_admin_set_max_routes(&f->table, 1000);
	expect_count(test, f, 1000);
	hostroute_admin_set_max_routes(&f->table, 10);
	expect_count(test, f, 10);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_routes, 10);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 990);
	/* The oldest went. */
	KUNIT_EXPECT_NULL(test, lookup(f, 989));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 990));
	learn(f, 2000, 1400);
	expect_count(test, f, 10);
	hostroute_admin_set_max_routes(&f->table, 11);
	learn(f, 2001, 1400);
	expect_count(test, f, 11);
}

static void evicts_least_recently_used(struct kunit *test)
{
	struct fixture *f = test->priv;

	hostroute_admin_set_max_routes(&f->table, 3);
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

	hostroute_admin_set_max_routes(&f->table, 2 * HOSTROUTE_SECOND_CHANCES);
	for (i = 0; i < 2 * HOSTROUTE_SECOND_CHANCES; i++)
		learn(f, i, 1400);
	for (i = 0; i < 2 * HOSTROUTE_SECOND_CHANCES; i++)
		hostroute_mark_used(lookup(f, i));
	KUNIT_EXPECT_EQ(test, learn(f, 9999, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, 2 * HOSTROUTE_SECOND_CHANCES);
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
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life - 1),
			begun + life);
	expect_count(test, f, 2);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life),
			begun + life + SECOND);
	expect_count(test, f, 1);
	KUNIT_EXPECT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EXPIRED), 1);
	KUNIT_EXPECT_EQ(test, drops, 1);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + 2 * life), 0);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, U32_MAX);
}

static void sweeps_more_than_a_batch(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 10 * BATCH; i++)
		learn(f, i, 1400);
	hostroute_bulk_sweep(&f->table, f->now + 3600 * SECOND);
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
	hostroute_bulk_sweep(&f->table, begun + life);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
}

static void zero_never_expires(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->table.limits.expire = 0;
	learn(f, 1, 1400);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, U64_MAX), 0);
	expect_count(test, f, 1);
	/* A changed limit acts on routes that are there. */
	f->table.limits.expire = 1;
	hostroute_bulk_sweep(&f->table, f->now + SECOND);
	expect_count(test, f, 0);
}

/* Who read the clock first got the lock last. */
static void time_does_not_go_back(struct kunit *test)
{
	const u64 life = HOSTROUTE_EXPIRE_DEFAULT * SECOND;
	struct fixture *f = test->priv;
	u64 begun = f->now;

	learn(f, 1, 1400);
	f->now = begun - SECOND;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_REFRESHED);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_LEARNED);
	hostroute_bulk_sweep(&f->table, begun + life - 1);
	expect_count(test, f, 2);
	hostroute_bulk_sweep(&f->table, begun + life);
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
	hostroute_bulk_flush(&f->table, false);
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
		route = hostroute_index_next(&f->table, &id);
		if (route)
			KUNIT_EXPECT_EQ(test, route->key.daddr.v4,
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
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), HOSTROUTE_LEARNED);
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
	hostroute_bulk_flush(&f->table, false);
	expect_count(test, g, 1);
	fixture_end(g);
}

static struct hostroute *lookup_and_hold(struct fixture *f, u32 n)
{
	struct hostroute *route = lookup(f, n);

	hostroute_hold(route);
	return route;
}

static void references_keep_a_route(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;

	learn(f, 1, 1400);
	route = lookup_and_hold(f, 1);
	hostroute_bulk_flush(&f->table, false);
	rcu_barrier();
	/* KASAN would tell if the table's had been the last. */
	KUNIT_EXPECT_TRUE(test, hostroute_is_dead(route));
	KUNIT_EXPECT_EQ(test, refcount_read(&route->ref), 1);
	hostroute_put(route);
}

/* ---- classes --------------------------------------------------------------------- */

static void unproven_has_its_own_share(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, hostroute_admin_set_max_routes(&f->table, 80), 0);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_unproven, 10);
	for (i = 0; i < 50; i++)
		learn(f, i, 1400);
	for (i = 1000; i < 3000; i++)
		KUNIT_ASSERT_EQ(test, record(f, i, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, 60);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_NOT_NULL(test, lookup(f, i));
	expect_balance(test, f);

	hostroute_admin_set_max_unproven(&f->table, 0);
	expect_count(test, f, 50);
	KUNIT_EXPECT_EQ(test, record(f, 1, 1300), HOSTROUTE_OUTRANKED);
	KUNIT_EXPECT_EQ(test, record(f, 5000, 1300), HOSTROUTE_IGNORED_FULL);
	/* Set once, the share does not follow; "auto" follows again. */
	hostroute_admin_set_max_routes(&f->table, 800);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_unproven, 0);
	hostroute_admin_set_max_unproven(&f->table, HOSTROUTE_MAX_UNPROVEN_AUTO);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_unproven, 100);
	hostroute_admin_set_max_routes(&f->table, 8000);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_unproven, 1000);
}

static void unproven_is_evicted_at_random(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i, survivors = 0;

	hostroute_admin_set_max_unproven(&f->table, 64);
	for (i = 0; i < 64; i++)
		record(f, i, 1400);
	for (; i < 128; i++)
		record(f, i, 1400);
	for (i = 0; i < 64; i++)
		survivors += !!lookup(f, i);
	/* (63/64)^64 of them, 23, are likely; all or none would be an order. */
	KUNIT_EXPECT_GT(test, survivors, 5);
	KUNIT_EXPECT_LT(test, survivors, 50);
	/* The newcomer is never its own victim. */
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 127));
	expect_count(test, f, 64);
}

static void unproven_has_its_own_life_and_floor(struct kunit *test)
{
	const u64 life = HOSTROUTE_EXPIRE_UNPROVEN_DEFAULT * SECOND;
	struct fixture *f = test->priv;
	u64 begun = f->now;

	KUNIT_EXPECT_EQ(test, record(f, 1, 68), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, HOSTROUTE_MIN_MTU_UNPROVEN_DEFAULT);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 68), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, lookup(f, 2)->mtu, 68);
	/* It has no say in what packets need a look-up. */
	del(f, 2);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, U32_MAX);
	learn(f, 2, 1400);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, 1400);

	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life - 1),
			begun + life);
	expect_count(test, f, 2);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life),
			begun + HOSTROUTE_EXPIRE_DEFAULT * SECOND);
	KUNIT_EXPECT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 2));
}

static void stronger_takes_over_in_place(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;

	record(f, 1, 600);
	route = lookup(f, 1);
	/* No news about the path itself: the claim stays unproven. */
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1500), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_UNPROVEN);
	/* What was unproven does not even bound what is proven. */
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_CONFIRMED);
	KUNIT_EXPECT_PTR_EQ(test, lookup(f, 1), route);
	KUNIT_EXPECT_EQ(test, route->mtu, 1400);
	KUNIT_EXPECT_EQ(test, route->previous_mtu, 1500);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_PROVEN);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, 1400);
	expect_count(test, f, 1);

	KUNIT_EXPECT_EQ(test, learn_as(f, 1, 1300, HOSTROUTE_CLASS_LOCAL), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_LOCAL);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1200), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_LOCAL);
	expect_count(test, f, 1);

	KUNIT_EXPECT_EQ(test, pin(f, 1, 1350), 0);
	KUNIT_EXPECT_PTR_EQ(test, lookup(f, 1), route);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_PINNED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1350);
	expect_count(test, f, 1);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_PINNED), 1);
	expect_balance(test, f);
}

static void forwarded_is_above_unproven(struct kunit *test)
{
	const enum hostroute_class forwarded = HOSTROUTE_CLASS_FORWARDED;
	struct fixture *f = test->priv;
	struct hostroute *route;

	/* What a third party claimed first neither blocks it nor bounds it. */
	record(f, 1, 600);
	route = lookup(f, 1);
	KUNIT_EXPECT_EQ(test, learn_as(f, 1, 1500, forwarded), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, learn_as(f, 1, 1400, forwarded), HOSTROUTE_CONFIRMED);
	KUNIT_EXPECT_PTR_EQ(test, lookup(f, 1), route);
	KUNIT_EXPECT_EQ(test, route->mtu, 1400);
	KUNIT_EXPECT_EQ(test, route->class, forwarded);
	/* Nor can he lower it afterwards. */
	KUNIT_EXPECT_EQ(test, record(f, 1, 600), HOSTROUTE_OUTRANKED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1400);
	KUNIT_EXPECT_EQ(test, learn_as(f, 1, 68, forwarded), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->mtu, HOSTROUTE_MIN_MTU_UNPROVEN_DEFAULT);
	/* Of the share of the unproven, and no reason to look at packets sent. */
	KUNIT_EXPECT_EQ(test, hostroute_table_count_rank(&f->table, HOSTROUTE_RANK_UNPROVEN), 1);
	KUNIT_EXPECT_EQ(test, hostroute_table_count_forwarded(&f->table), 1);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, U32_MAX);
	KUNIT_EXPECT_FALSE(test, hostroute_table_applies(&f->table));
	/* What is proven takes it over, and is not moved by it. */
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1300), HOSTROUTE_CONFIRMED);
	KUNIT_EXPECT_EQ(test, learn_as(f, 1, 1200, forwarded), HOSTROUTE_OUTRANKED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300);
	expect_count(test, f, 1);
	expect_balance(test, f);
}

static void weaker_evicts_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	hostroute_admin_set_max_routes(&f->table, 4);
	hostroute_admin_set_max_unproven(&f->table, 4);
	pin(f, 0, 1400);
	pin(f, 1, 1400);
	learn(f, 2, 1400);
	learn(f, 3, 1400);
	KUNIT_EXPECT_EQ(test, record(f, 9, 1400), HOSTROUTE_IGNORED_FULL);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_NOT_NULL(test, lookup(f, i));
	/* Learned routes give way to learned and pinned ones only. */
	KUNIT_EXPECT_EQ(test, learn(f, 4, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
	KUNIT_EXPECT_EQ(test, pin(f, 5, 1400), 0);
	KUNIT_EXPECT_EQ(test, pin(f, 6, 1400), 0);
	expect_count(test, f, 4);
	/* Only pinned ones are left. */
	KUNIT_EXPECT_EQ(test, learn(f, 7, 1400), HOSTROUTE_IGNORED_FULL);
	KUNIT_EXPECT_EQ(test, pin(f, 7, 1400), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pin(f, 6, 1300), 0);
	KUNIT_EXPECT_EQ(test, learn(f, 6, 1200), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, hostroute_admin_set_max_routes(&f->table, 3), -EBUSY);
	KUNIT_EXPECT_EQ(test, f->table.limits.max_routes, 4);
	expect_count(test, f, 4);
	expect_balance(test, f);
}

static void unproven_gives_way(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	hostroute_admin_set_max_routes(&f->table, 10);
	hostroute_admin_set_max_unproven(&f->table, 10);
	for (i = 0; i < 10; i++)
		record(f, i, 1400);
	/* Also if messages may not evict: a forged one must not keep a real one out. */
	f->table.limits.at_limit = HOSTROUTE_AT_LIMIT_IGNORE;
	KUNIT_EXPECT_EQ(test, record(f, 100, 1400), HOSTROUTE_IGNORED_FULL);
	for (i = 200; i < 210; i++)
		KUNIT_EXPECT_EQ(test, learn(f, i, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, learn(f, i, 1400), HOSTROUTE_IGNORED_FULL);
	KUNIT_EXPECT_EQ(test, f->table.slots, 0);
	/* The administrator is no message. */
	KUNIT_EXPECT_EQ(test, pin(f, 300, 1400), 0);
	expect_count(test, f, 10);

	/* And when the maximum is lowered. */
	f->table.limits.at_limit = HOSTROUTE_AT_LIMIT_EVICT;
	hostroute_admin_set_max_routes(&f->table, 13);
	for (i = 0; i < 3; i++)
		record(f, i, 1400);
	hostroute_admin_set_max_routes(&f->table, 10);
	expect_count(test, f, 10);
	KUNIT_EXPECT_EQ(test, f->table.slots, 0);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 300));
}

/* Who has filled his share must not see what is learned (CVE-2021-20322). */
static void unproven_does_not_tell_what_is_learned(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	hostroute_admin_set_max_routes(&f->table, 80);
	for (i = 0; i < 10; i++)
		record(f, i, 1400);
	for (i = 100; i < 400; i++)
		KUNIT_EXPECT_EQ(test, learn(f, i, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, 80);
	KUNIT_EXPECT_EQ(test, f->table.slots, 10);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_NOT_NULL(test, lookup(f, i));
	KUNIT_EXPECT_EQ(test, learn(f, 329, 1400), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_NULL(test, lookup(f, 330));
}

/* How many of 1,000 unproven routes get a place, where others have left @room. */
static u32 admitted(struct fixture *f, u32 room)
{
	u32 i, n = 0;

	hostroute_bulk_flush(&f->table, true);
	for (i = room; i < f->table.limits.max_routes; i++)
		learn(f, i, 1400);
	for (i = 1000; i < 2000; i++)
		if (record(f, i, 1400) == HOSTROUTE_LEARNED && !del(f, i))
			n++;
	return n;
}

/* Nor, by when it begins to go round, how full the table is to the last place. */
static void last_places_are_left_to_chance(struct kunit *test)
{
	struct fixture *f = test->priv;

	hostroute_admin_set_max_routes(&f->table, 800);
	KUNIT_EXPECT_EQ(test, admitted(f, 800), 1000);
	KUNIT_EXPECT_EQ(test, admitted(f, 100), 1000);
	KUNIT_EXPECT_EQ(test, admitted(f, 0), 0);
	/* 500 are likely, with a deviation of 16; then 20, with one of 4. */
	KUNIT_EXPECT_GT(test, admitted(f, 50), 380);
	KUNIT_EXPECT_LT(test, admitted(f, 50), 620);
	KUNIT_EXPECT_LT(test, admitted(f, 2), 60);
}

static void pinned_is_lowered_for_a_while(struct kunit *test)
{
	const u64 life = HOSTROUTE_EXPIRE_DEFAULT * SECOND;
	struct fixture *f = test->priv;
	struct hostroute *route;
	u64 begun = f->now;

	KUNIT_EXPECT_EQ(test, pin(f, 1, 1300), 0);
	route = lookup(f, 1);
	KUNIT_EXPECT_EQ(test, hostroute_table_expires(&f->table, route), 0);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_IGNORED_NOT_SMALLER);
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1300), HOSTROUTE_REFRESHED);
	KUNIT_EXPECT_EQ(test, record(f, 1, 600), HOSTROUTE_OUTRANKED);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, U64_MAX), 0);
	expect_count(test, f, 1);

	KUNIT_EXPECT_EQ(test, learn(f, 1, 1200), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1200);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_PINNED);
	KUNIT_EXPECT_EQ(test, hostroute_table_expires(&f->table, route), begun + life);
	expect_count(test, f, 1);
	f->now += SECOND;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1200), HOSTROUTE_REFRESHED);
	syncs = 0;
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life),
			begun + life + SECOND);
	KUNIT_EXPECT_EQ(test, route->mtu, 1200);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, begun + life + SECOND), 0);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300);
	KUNIT_EXPECT_EQ(test, syncs, 1);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_RESTORED), 1);
	KUNIT_EXPECT_EQ(test, route->class, HOSTROUTE_CLASS_PINNED);

	/* Not swept yet: a message finds the administrator's value all the same. */
	f->now = begun + life + SECOND;
	learn(f, 1, 1100);
	f->now += life;
	KUNIT_EXPECT_EQ(test, learn(f, 1, 1250), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1250);
	/* flush learned takes what was learned, and no more. */
	hostroute_bulk_flush(&f->table, false);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300);
	/* Pinned anew, the old lowering is of no account. */
	learn(f, 1, 1200);
	KUNIT_EXPECT_EQ(test, pin(f, 1, 1280), 0);
	KUNIT_EXPECT_EQ(test, route->mtu, 1280);
	KUNIT_EXPECT_EQ(test, hostroute_table_expires(&f->table, route), 0);
	expect_count(test, f, 1);
}

static void del_forgets_any_class(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, del(f, 1), -ENOENT);
	record(f, 1, 1400);
	learn(f, 2, 1400);
	pin(f, 3, 1400);
	learn(f, 3, 1300);
	KUNIT_EXPECT_EQ(test, del(f, 1), 0);
	KUNIT_EXPECT_EQ(test, del(f, 2), 0);
	KUNIT_EXPECT_EQ(test, del(f, 3), 0);
	KUNIT_EXPECT_EQ(test, del(f, 3), -ENOENT);
	expect_count(test, f, 0);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_DELETED), 3);
	KUNIT_EXPECT_EQ(test, f->table.smallest_mtu, U32_MAX);
}

static void flush_spares_the_pinned(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 3 * BATCH; i += 3) {
		pin(f, i, 1400);
		learn(f, i + 1, 1400);
		record(f, i + 2, 1400);
	}
	hostroute_bulk_flush(&f->table, false);
	expect_count(test, f, BATCH);
	hostroute_bulk_flush(&f->table, true);
	expect_count(test, f, 0);
	expect_balance(test, f);
}

static void pinned_count(struct kunit *test)
{
	struct fixture *f = test->priv;

	hostroute_admin_set_max_routes(&f->table, 0);
	KUNIT_EXPECT_EQ(test, pin(f, 1, 1400), -ENOSPC);
	hostroute_admin_set_max_routes(&f->table, 1);
	KUNIT_EXPECT_EQ(test, pin(f, 1, 1400), 0);
	expect_count(test, f, 1);
	KUNIT_EXPECT_EQ(test, hostroute_admin_set_max_routes(&f->table, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_IGNORED_FULL);
	del(f, 1);
	KUNIT_EXPECT_EQ(test, hostroute_admin_set_max_routes(&f->table, 0), 0);
}

static void gives_memory_back(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	pin(f, 0, 1400);
	for (i = 1; i <= 300; i++)
		learn(f, i, 1400);
	for (i = 1001; i <= 1020; i++)
		record(f, i, 1400);
	hostroute_mark_used(lookup(f, 1));
	KUNIT_EXPECT_EQ(test, hostroute_bulk_shrink(&f->table, 0), 0);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_shrink(&f->table, 120), 120);
	/* The unproven first, then the least recently used. */
	KUNIT_EXPECT_EQ(test, f->table.slots, 0);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NULL(test, lookup(f, 2));
	KUNIT_EXPECT_NULL(test, lookup(f, 101));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 102));
	expect_count(test, f, 201);
	KUNIT_EXPECT_EQ(test, hostroute_bulk_shrink(&f->table, ULONG_MAX), 200);
	expect_count(test, f, 1);
	KUNIT_EXPECT_EQ(test, lookup(f, 0)->class, HOSTROUTE_CLASS_PINNED);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_RECLAIMED), 320);
	expect_balance(test, f);
}

static void vrf_takes_its_routes_along(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute_claim claim;
	u32 i;

	for (i = 0; i < 2 * BATCH; i++) {
		learn(f, i, 1400);
		claim = claim_of(f, i, 1300);
		claim.key.l3mdev = 5;
		hostroute_learn(&f->table, &claim);
	}
	expect_count(test, f, 4 * BATCH);
	hostroute_bulk_forget_vrf(&f->table, 5);
	expect_count(test, f, 2 * BATCH);
	for (i = 0; i < 2 * BATCH; i++)
		KUNIT_EXPECT_EQ(test, lookup(f, i)->mtu, 1400);
}

/* ---- time ------------------------------------------------------------------------------ */

/* Uptime when the route is learned: around where counts of ticks wrap. */
struct stamp {
	u32 hz;
	u64 ticks;
};

#define AROUND(hz, ticks)						\
	{ hz, (ticks) - 1 }, { hz, ticks }, { hz, (ticks) + 1 }
#define EVERY(hz)							\
	AROUND(hz, 1ULL), AROUND(hz, 1ULL << 31), AROUND(hz, 1ULL << 32)

static const struct stamp stamps[] = { EVERY(100), EVERY(250), EVERY(1000) };

static void stamp_desc(const struct stamp *stamp, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "HZ=%u_%llu_ticks", stamp->hz, stamp->ticks);
}

KUNIT_ARRAY_PARAM(stamp, stamps, stamp_desc);

/* Tenths of a day. 2^31 ms, 2^32 ms, 2^31 and 2^32 ticks at 100 Hz, and twice. */
static const u32 ages[] = { 248, 249, 497, 2486, 4971, 9940 };

static void ages_right_for_ever(struct kunit *test)
{
	const struct stamp *stamp = test->param_value;
	u64 tick = NSEC_PER_SEC / stamp->hz;
	u64 at = stamp->ticks * tick;
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(ages); i++) {
		u32 age = ages[i] * 8640;
		u64 end = at + age * SECOND;

		/* Lives as long as it should, to the tick. */
		f->table.now = 0;
		f->now = at;
		f->table.limits.expire = age;
		KUNIT_ASSERT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
		KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, end - tick), end);
		KUNIT_EXPECT_FALSE(test, hostroute_table_expired(&f->table, lookup(f, 1),
								 end - tick));
		/* Its last message is a tick before its end. */
		f->now = end - tick;
		KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_REFRESHED);
		KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, end), 2 * end - tick - at);
		KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, 2 * end - tick - at), 0);
		KUNIT_EXPECT_NULL(test, lookup(f, 1));

		/* Nobody looked for that long: dead, and not young again. */
		f->table.now = 0;
		f->now = at;
		f->table.limits.expire = HOSTROUTE_EXPIRE_DEFAULT;
		KUNIT_ASSERT_EQ(test, learn(f, 1, 1200), HOSTROUTE_LEARNED);
		KUNIT_EXPECT_TRUE(test, hostroute_table_expired(&f->table, lookup(f, 1), end));
		f->now = end;
		KUNIT_EXPECT_EQ(test, learn(f, 1, 1400), HOSTROUTE_LEARNED);
		KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1400);
		hostroute_bulk_sweep(&f->table, end + HOSTROUTE_EXPIRE_DEFAULT * SECOND);
		KUNIT_EXPECT_NULL(test, lookup(f, 1));

		/* For ever is for ever. */
		f->table.limits.expire = 0;
		f->table.now = 0;
		f->now = at;
		learn(f, 1, 1400);
		KUNIT_EXPECT_EQ(test, hostroute_bulk_sweep(&f->table, end), 0);
		KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
		hostroute_bulk_flush(&f->table, true);
	}
	expect_balance(test, f);
}

/* ---- no memory ------------------------------------------------------------------------------ */

#ifdef CONFIG_FAILSLAB
/* Has the nth allocation of this task fail; false if there was none. */
static bool with_failure(unsigned int nth, struct fixture *f, u32 n,
			 enum hostroute_class class, enum hostroute_outcome *outcome)
{
	unsigned int left;
	int err;

	WRITE_ONCE(current->fail_nth, nth);
	if (class == HOSTROUTE_CLASS_PINNED) {
		err = pin(f, n, 1400);
		*outcome = err == -ENOMEM ? HOSTROUTE_PASSED_MEMORY : HOSTROUTE_LEARNED;
	} else {
		*outcome = learn_as(f, n, 1400, class);
	}
	left = READ_ONCE(current->fail_nth);
	WRITE_ONCE(current->fail_nth, 0);
	return !left;
}

/* @n is new, and the table as full as it is. Allocations that failed. */
static unsigned int fails_each(struct kunit *test, struct fixture *f, u32 n,
			       enum hostroute_class class)
{
	u32 count = hostroute_table_count(&f->table);
	enum hostroute_outcome outcome;
	unsigned int was = drops, nth;

	for (nth = 1; with_failure(nth, f, n, class, &outcome); nth++) {
		f->now++;
		/* A failure may have a way round; half a route there is not. */
		if (outcome == HOSTROUTE_LEARNED)
			return nth;
		KUNIT_EXPECT_EQ(test, outcome, HOSTROUTE_PASSED_MEMORY);
		KUNIT_EXPECT_NULL(test, lookup(f, n));
		KUNIT_EXPECT_EQ(test, hostroute_table_count(&f->table), count);
		KUNIT_EXPECT_EQ(test, drops, was);
	}
	/* Nothing failed: it is learned, or there is nobody whom it may evict. */
	if (outcome == HOSTROUTE_LEARNED)
		KUNIT_EXPECT_NOT_NULL(test, lookup(f, n));
	else
		KUNIT_EXPECT_TRUE(test, outcome == HOSTROUTE_IGNORED_FULL && !f->table.slots &&
				  class == HOSTROUTE_CLASS_UNPROVEN);
	return nth - 1;
}

static void survives_every_failed_allocation(struct kunit *test)
{
	static const enum hostroute_class classes[] = {
		HOSTROUTE_CLASS_PROVEN, HOSTROUTE_CLASS_UNPROVEN, HOSTROUTE_CLASS_PINNED,
	};
	struct fixture *f = test->priv;
	unsigned int failed = 0, most = 0;
	u32 i;

	hostroute_admin_set_max_routes(&f->table, 500);
	hostroute_admin_set_max_unproven(&f->table, 200);
	/* Into room, through every growth of the arrays; then into a full table. */
	for (i = 0; i < 900; i++) {
		unsigned int now = fails_each(test, f, i, classes[i % 3]);

		failed += now;
		most = max(most, now);
		if (i % 64 == 0)
			expect_count(test, f, min_t(u32, hostroute_table_count(&f->table), 500));
	}
	/* The route itself each time; a node of the ids, one of the unproven. */
	KUNIT_EXPECT_GE(test, failed, 700);
	KUNIT_EXPECT_GE(test, most, 2);
	kunit_info(test, "%u allocations failed, %u for one route", failed, most);
	expect_balance(test, f);
}
#else
static void survives_every_failed_allocation(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB");
}
#endif

/* Steps that failed before the route was learned. */
static unsigned int fails_each_step(struct kunit *test, struct fixture *f, u32 n,
				    enum hostroute_class class)
{
	u32 count = hostroute_table_count(&f->table);
	unsigned int was = drops, step;
	enum hostroute_outcome outcome;

	for (step = 1; ; step++) {
		f->now++;
		fail_step = step;
		if (class == HOSTROUTE_CLASS_PINNED)
			outcome = pin(f, n, 1400) ? HOSTROUTE_PASSED_MEMORY : HOSTROUTE_LEARNED;
		else
			outcome = learn_as(f, n, 1400, class);
		if (outcome == HOSTROUTE_LEARNED)
			break;
		KUNIT_EXPECT_EQ(test, fail_step, 0);
		KUNIT_EXPECT_EQ(test, outcome, HOSTROUTE_PASSED_MEMORY);
		KUNIT_EXPECT_NULL(test, lookup(f, n));
		KUNIT_EXPECT_EQ(test, drops, was);
		expect_count(test, f, count);
		if (step > 10)
			break;
	}
	fail_step = 0;
	return step - 1;
}

static void survives_every_failed_step(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	hostroute_admin_set_max_routes(&f->table, 40);
	hostroute_admin_set_max_unproven(&f->table, 10);
	for (i = 0; i < 30; i++) {
		/* The route, its id, its place in the hash; a slot. Where another has to
		 * go for it, its id and slot are that one's.
		 */
		KUNIT_EXPECT_EQ(test, 3, fails_each_step(test, f, 3 * i, HOSTROUTE_CLASS_PROVEN));
		KUNIT_EXPECT_EQ(test, i < 10 ? 4 : 2,
				fails_each_step(test, f, 3 * i + 1,
						HOSTROUTE_CLASS_UNPROVEN));
		/* Pinned ones are taken out again: nobody evicts them. */
		KUNIT_EXPECT_EQ(test, i < 29 ? 3 : 2,
				fails_each_step(test, f, 3 * i + 2,
						HOSTROUTE_CLASS_PINNED));
		del(f, 3 * i + 2);
	}
	expect_count(test, f, 39);
	expect_balance(test, f);
}

/* ---- what is told, and what is only tried ------------------------------------------ */

/* What happened last, to whom. */
static void expect_told(struct kunit *test, enum hostroute_outcome what, u32 n,
			enum hostroute_class class, u32 mtu, u32 previous_mtu)
{
	KUNIT_EXPECT_STREQ(test, hostroute_stats_name(told.what),
			   hostroute_stats_name(what));
	KUNIT_EXPECT_EQ(test, told.route.key.daddr.v4, cpu_to_be32(0x0a000000 + n));
	KUNIT_EXPECT_EQ(test, told.route.class, class);
	KUNIT_EXPECT_EQ(test, told.route.mtu, mtu);
	KUNIT_EXPECT_EQ(test, told.route.previous_mtu, previous_mtu);
	KUNIT_EXPECT_FALSE(test, told.observed);
}

static void tells_what_messages_do(struct kunit *test)
{
	struct fixture *f = test->priv;

	record(f, 1, 1400);
	expect_told(test, HOSTROUTE_LEARNED, 1, HOSTROUTE_CLASS_UNPROVEN, 1400, 1500);
	KUNIT_EXPECT_EQ(test, told.route.router.v4, cpu_to_be32(0xc0000201));
	KUNIT_EXPECT_EQ(test, told.route.ifindex, 7);
	/* What was unproven counts for nothing. */
	learn(f, 1, 1300);
	expect_told(test, HOSTROUTE_CONFIRMED, 1, HOSTROUTE_CLASS_PROVEN, 1300, 1500);
	learn_as(f, 1, 1200, HOSTROUTE_CLASS_LOCAL);
	expect_told(test, HOSTROUTE_LOWERED, 1, HOSTROUTE_CLASS_LOCAL, 1200, 1300);
	learn(f, 1, 1200);
	expect_told(test, HOSTROUTE_REFRESHED, 1, HOSTROUTE_CLASS_LOCAL, 1200, 1300);
	/* The floor is what it comes down to. */
	f->table.limits.min_mtu = 1100;
	learn(f, 1, 68);
	expect_told(test, HOSTROUTE_LOWERED, 1, HOSTROUTE_CLASS_LOCAL, 1100, 1200);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1100);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->previous_mtu, 1200);
}

static void tells_what_ends_a_route(struct kunit *test)
{
	struct fixture *f = test->priv;

	pin(f, 1, 1400);
	expect_told(test, HOSTROUTE_ADDED, 1, HOSTROUTE_CLASS_PINNED, 1400, 1400);
	learn(f, 1, 1300);
	expect_told(test, HOSTROUTE_LOWERED, 1, HOSTROUTE_CLASS_PINNED, 1300, 1400);
	f->now += 600 * SECOND;
	hostroute_bulk_sweep(&f->table, f->now);
	expect_told(test, HOSTROUTE_RESTORED, 1, HOSTROUTE_CLASS_PINNED, 1400, 1300);
	learn(f, 2, 1300);
	pin(f, 2, 1200);
	expect_told(test, HOSTROUTE_PINNED, 2, HOSTROUTE_CLASS_PINNED, 1200, 1300);
	del(f, 2);
	expect_told(test, HOSTROUTE_DELETED, 2, HOSTROUTE_CLASS_PINNED, 1200, 1300);

	learn(f, 3, 1300);
	f->now += 600 * SECOND;
	hostroute_bulk_sweep(&f->table, f->now);
	expect_told(test, HOSTROUTE_EXPIRED, 3, HOSTROUTE_CLASS_PROVEN, 1300, 1500);
	learn(f, 4, 1300);
	hostroute_admin_set_max_routes(&f->table, 1);
	expect_told(test, HOSTROUTE_EVICTED, 4, HOSTROUTE_CLASS_PROVEN, 1300, 1500);
	hostroute_admin_set_max_routes(&f->table, 2);
	learn(f, 5, 1300);
	hostroute_bulk_shrink(&f->table, 1);
	expect_told(test, HOSTROUTE_RECLAIMED, 5, HOSTROUTE_CLASS_PROVEN, 1300, 1500);
	learn(f, 6, 1300);
	hostroute_bulk_flush(&f->table, false);
	expect_told(test, HOSTROUTE_FLUSHED, 6, HOSTROUTE_CLASS_PROVEN, 1300, 1500);
	expect_balance(test, f);
}

/* Everything that there is to see of a table and of one of its routes. */
struct snapshot {
	struct hostroute route;
	u32 counts[HOSTROUTE_RANK_COUNT];
	u32 count;
	u32 slots;
	u32 smallest_mtu;
	u64 serial;
	unsigned int syncs;
	unsigned int drops;
};

static void take_snapshot(struct fixture *f, u32 n, struct snapshot *s)
{
	struct hostroute *route = lookup(f, n);
	int i;

	memset(s, 0, sizeof(*s));
	if (route)
		memcpy(&s->route, route, sizeof(*route));
	for (i = 0; i < HOSTROUTE_RANK_COUNT; i++)
		s->counts[i] = f->table.pool[i].count;
	s->count = f->table.count;
	s->slots = f->table.slots;
	s->smallest_mtu = f->table.smallest_mtu;
	s->serial = f->table.serial;
	s->syncs = syncs;
	s->drops = drops;
}

/* Dry, nothing happens; then for real what was said happens, told the same. */
static void expect_foretold(struct kunit *test, struct fixture *f, u32 n, u32 mtu,
			    enum hostroute_class class, enum hostroute_outcome expected)
{
	struct hostroute_claim claim = claim_of(f, n, mtu);
	struct snapshot before, after;
	struct hostroute foretold;

	claim.class = class;
	claim.dry_run = true;
	take_snapshot(f, n, &before);
	/* Nor does it take any memory. */
	fail_step = 1;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), expected);
	KUNIT_EXPECT_EQ(test, fail_step, 1);
	fail_step = 0;
	take_snapshot(f, n, &after);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&before, &after, sizeof(before)), 0,
			    "%u %u", n, mtu);
	KUNIT_EXPECT_TRUE(test, told.observed);
	KUNIT_EXPECT_EQ(test, told.what, expected);
	foretold = told.route;

	claim.dry_run = false;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), expected);
	KUNIT_EXPECT_FALSE(test, told.observed);
	KUNIT_EXPECT_EQ(test, told.what, expected);
	KUNIT_EXPECT_EQ(test, memcmp(&told.route, &foretold, sizeof(foretold)), 0);
}

static void dry_run_foretells(struct kunit *test)
{
	const enum hostroute_class unproven = HOSTROUTE_CLASS_UNPROVEN;
	const enum hostroute_class proven = HOSTROUTE_CLASS_PROVEN;
	const enum hostroute_class local = HOSTROUTE_CLASS_LOCAL;
	struct fixture *f = test->priv;

	hostroute_admin_set_max_routes(&f->table, 3);
	hostroute_admin_set_max_unproven(&f->table, 1);
	expect_foretold(test, f, 1, 1500, unproven, HOSTROUTE_IGNORED_NOT_SMALLER);
	expect_foretold(test, f, 1, 1400, unproven, HOSTROUTE_LEARNED);
	expect_foretold(test, f, 1, 1400, unproven, HOSTROUTE_REFRESHED);
	expect_foretold(test, f, 1, 1300, unproven, HOSTROUTE_LOWERED);
	expect_foretold(test, f, 1, 1500, proven, HOSTROUTE_IGNORED_NOT_SMALLER);
	expect_foretold(test, f, 1, 1450, proven, HOSTROUTE_CONFIRMED);
	expect_foretold(test, f, 1, 1400, unproven, HOSTROUTE_OUTRANKED);
	expect_foretold(test, f, 1, 1451, proven, HOSTROUTE_IGNORED_NOT_SMALLER);
	expect_foretold(test, f, 1, 1400, proven, HOSTROUTE_LOWERED);
	expect_foretold(test, f, 1, 1400, local, HOSTROUTE_REFRESHED);
	expect_foretold(test, f, 1, 68, proven, HOSTROUTE_LOWERED);

	/* Others go only when it is for real: of the same rank, or the unproven one
	 * that is all who may go.
	 */
	expect_foretold(test, f, 2, 1400, unproven, HOSTROUTE_LEARNED);
	expect_foretold(test, f, 3, 1400, unproven, HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 1);
	expect_foretold(test, f, 4, 1400, proven, HOSTROUTE_LEARNED);
	expect_foretold(test, f, 5, 1400, proven, HOSTROUTE_LEARNED);
	expect_foretold(test, f, 6, 1400, proven, HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EVICTED), 3);
	f->table.limits.at_limit = HOSTROUTE_AT_LIMIT_IGNORE;
	expect_foretold(test, f, 7, 1400, proven, HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, f->table.slots, 0);
	expect_foretold(test, f, 9, 1400, proven, HOSTROUTE_IGNORED_FULL);
	expect_foretold(test, f, 6, 1300, proven, HOSTROUTE_LOWERED);

	pin(f, 8, 1400);
	expect_foretold(test, f, 8, 1400, proven, HOSTROUTE_REFRESHED);
	expect_foretold(test, f, 8, 1300, proven, HOSTROUTE_LOWERED);
	expect_foretold(test, f, 8, 1200, unproven, HOSTROUTE_OUTRANKED);
	hostroute_bulk_flush(&f->table, true);
	hostroute_admin_set_max_routes(&f->table, 0);
	expect_foretold(test, f, 1, 1400, proven, HOSTROUTE_IGNORED_FULL);
	expect_count(test, f, 0);
	expect_balance(test, f);
}

/* Ageing goes on: what has had its time makes no difference to a dry run. */
static void dry_run_sees_time_pass(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute_claim claim;

	learn(f, 1, 1300);
	pin(f, 2, 1400);
	learn(f, 2, 1300);
	f->now += 600 * SECOND - 1;
	claim = claim_of(f, 1, 1300);
	claim.dry_run = true;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim),
			HOSTROUTE_REFRESHED);
	f->now++;
	claim = claim_of(f, 1, 1350);
	claim.dry_run = true;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, stat(f, HOSTROUTE_EXPIRED), 1);
	expect_count(test, f, 1);
	claim = claim_of(f, 2, 1350);
	claim.dry_run = true;
	KUNIT_EXPECT_EQ(test, hostroute_learn(&f->table, &claim), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, lookup(f, 2)->mtu, 1400);
	expect_count(test, f, 1);
}

/* What anybody can send is not tried again within the tick; what is proven is. */
static void unproven_does_not_insist_on_memory(struct kunit *test)
{
	struct fixture *f = test->priv;

	fail_step = 1;
	KUNIT_EXPECT_EQ(test, record(f, 1, 1400), HOSTROUTE_PASSED_MEMORY);
	KUNIT_EXPECT_EQ(test, fail_step, 0);
	fail_step = 1;
	KUNIT_EXPECT_EQ(test, record(f, 1, 1400), HOSTROUTE_PASSED_MEMORY);
	KUNIT_EXPECT_EQ(test, fail_step, 1);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_PASSED_MEMORY);
	KUNIT_EXPECT_EQ(test, fail_step, 0);
	KUNIT_EXPECT_EQ(test, learn(f, 2, 1400), HOSTROUTE_LEARNED);
	f->now++;
	KUNIT_EXPECT_EQ(test, record(f, 1, 1400), HOSTROUTE_LEARNED);
	expect_count(test, f, 2);
	expect_balance(test, f);
}

/* By the administrator's word: the next to expire, not any. */
static void next_to_expire_leave_first(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 n;

	for (n = 1; n <= 300; n++)
		record(f, n, 1400);
	f->now += SECOND;
	record(f, 1, 1400);
	learn(f, 1000, 1400);
	hostroute_admin_set_max_unproven(&f->table, 2);
	expect_count(test, f, 3);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 300));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	hostroute_admin_set_max_routes(&f->table, 2);
	expect_count(test, f, 2);
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1));
	KUNIT_EXPECT_NOT_NULL(test, lookup(f, 1000));
	expect_balance(test, f);
}

static u32 buckets(struct fixture *f)
{
	u32 size;

	/* It may queue itself again. */
	while (flush_work(&f->table.hash.run_work))
		;
	rcu_read_lock();
	size = rht_dereference_rcu(f->table.hash.tbl, &f->table.hash)->size;
	rcu_read_unlock();
	return size;
}

/* More than are freed at a time. Who holds one has it, and the hash is small again. */
static void many_leave(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *held[3];
	u32 n, turn, count = 2 * CROWD + 2 * BATCH + 1;

	hostroute_admin_set_max_routes(&f->table, 2 * count);
	for (turn = 0; turn < 3; turn++) {
		for (n = 0; n < count; n++)
			learn(f, n, 1400);
		expect_count(test, f, count);
		KUNIT_EXPECT_GT(test, buckets(f), 1024U);
		held[turn] = lookup_and_hold(f, turn * CROWD);
		if (turn == 0) {
			hostroute_bulk_flush(&f->table, true);
		} else if (turn == 1) {
			hostroute_admin_set_max_routes(&f->table, 0);
			hostroute_admin_set_max_routes(&f->table, 2 * count);
		} else {
			f->now += 600 * SECOND;
			hostroute_bulk_sweep(&f->table, f->now);
		}
		expect_count(test, f, 0);
		KUNIT_EXPECT_TRUE(test, f->table.hash.p.automatic_shrinking);
		KUNIT_EXPECT_LE(test, buckets(f), 64U);
	}
	expect_balance(test, f);
	rcu_barrier();
	for (turn = 0; turn < 3; turn++) {
		KUNIT_EXPECT_TRUE(test, hostroute_is_dead(held[turn]));
		KUNIT_EXPECT_EQ(test, held[turn]->mtu, 1400U);
		KUNIT_EXPECT_EQ(test, refcount_read(&held[turn]->ref), 1U);
		hostroute_put(held[turn]);
	}
}

static enum hostroute_outcome learn_knowing(struct fixture *f, u32 n, int l3mdev,
					    u32 mtu, struct hostroute *known)
{
	struct hostroute_claim claim = claim_of(f, n, mtu);

	claim.key.l3mdev = l3mdev;
	claim.known = known;
	return hostroute_learn(&f->table, &claim);
}

/* What a socket is under may be another's route, or none any more. */
static void known_route_is_judged(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct hostroute *route;

	learn(f, 1, 1400);
	route = lookup_and_hold(f, 1);
	KUNIT_EXPECT_EQ(test, learn_knowing(f, 1, 0, 1300, route), HOSTROUTE_LOWERED);
	KUNIT_EXPECT_EQ(test, learn_knowing(f, 2, 0, 1200, route), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, learn_knowing(f, 1, 5, 1100, route), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300U);
	expect_count(test, f, 3);
	del(f, 1);
	KUNIT_EXPECT_EQ(test, learn_knowing(f, 1, 0, 1000, route), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_EQ(test, route->mtu, 1300U);
	KUNIT_EXPECT_EQ(test, lookup(f, 1)->mtu, 1000U);
	expect_count(test, f, 3);
	/* Its time is up: it is no longer there, though the socket is under it. */
	hostroute_put(route);
	route = lookup_and_hold(f, 1);
	f->now += 600 * SECOND;
	KUNIT_EXPECT_EQ(test, learn_knowing(f, 1, 0, 1050, route), HOSTROUTE_LEARNED);
	KUNIT_EXPECT_TRUE(test, hostroute_is_dead(route));
	hostroute_put(route);
	expect_balance(test, f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(updates_count_once, update_gen_params),
	KUNIT_CASE(learns_what_is_claimed),
	KUNIT_CASE(never_raised),
	KUNIT_CASE(no_more_than_ip),
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
	KUNIT_CASE(time_does_not_go_back),
	KUNIT_CASE(learns_anew_after_expiry),
	KUNIT_CASE(flushes),
	KUNIT_CASE(walk_goes_on_where_it_stopped),
	KUNIT_CASE(vrfs_are_apart),
	KUNIT_CASE(namespaces_are_apart),
	KUNIT_CASE(references_keep_a_route),
	KUNIT_CASE(unproven_has_its_own_share),
	KUNIT_CASE(unproven_is_evicted_at_random),
	KUNIT_CASE(unproven_has_its_own_life_and_floor),
	KUNIT_CASE(stronger_takes_over_in_place),
	KUNIT_CASE(forwarded_is_above_unproven),
	KUNIT_CASE(weaker_evicts_nothing),
	KUNIT_CASE(unproven_gives_way),
	KUNIT_CASE(unproven_does_not_tell_what_is_learned),
	KUNIT_CASE(last_places_are_left_to_chance),
	KUNIT_CASE(pinned_is_lowered_for_a_while),
	KUNIT_CASE(del_forgets_any_class),
	KUNIT_CASE(flush_spares_the_pinned),
	KUNIT_CASE(pinned_count),
	KUNIT_CASE(gives_memory_back),
	KUNIT_CASE(vrf_takes_its_routes_along),
	KUNIT_CASE_PARAM(ages_right_for_ever, stamp_gen_params),
	KUNIT_CASE(survives_every_failed_allocation),
	KUNIT_CASE(survives_every_failed_step),
	KUNIT_CASE(tells_what_messages_do),
	KUNIT_CASE(tells_what_ends_a_route),
	KUNIT_CASE(dry_run_foretells),
	KUNIT_CASE(dry_run_sees_time_pass),
	KUNIT_CASE(unproven_does_not_insist_on_memory),
	KUNIT_CASE(next_to_expire_leave_first),
	KUNIT_CASE(many_leave),
	KUNIT_CASE(known_route_is_judged),
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
