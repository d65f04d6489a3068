// SPDX-License-Identifier: GPL-2.0
/*
 * The table against a naive model of it: random operations, and after each of
 * them count, membership, MTU and class compared. The model is an array with an
 * entry for each destination, and walks all of it for everything.
 */
#include "table_fixture.h"

#include <linux/prandom.h>

#define KEYS		16U
#define OPERATIONS	50000U		/* of a seed: a million together */
#define ANY_UNPROVEN	U32_MAX

struct entry {
	struct hostroute *route;	/* held, so that it may be looked at */
	enum hostroute_class class;
	u32 mtu;
	u32 pinned_mtu;
	u64 updated;
	u64 turn;			/* position in the order of use */
	bool used;
};

struct model {
	struct entry entry[KEYS];
	u64 turn;
	u32 count[HOSTROUTE_RANK_COUNT];
	/* Who left during an operation, and who should have. */
	u32 left[KEYS];
	u32 wanted[KEYS];
	unsigned int left_count;
	unsigned int wanted_count;
};

static struct model model;
static struct rnd_state rnd;

static u32 pick(u32 n)
{
	return reciprocal_scale(prandom_u32_state(&rnd), n);
}

/* Two VRFs: the same address in both is two destinations. */
static struct hostroute_key key_of(u32 n)
{
	return (struct hostroute_key) {
		.daddr = hostroute_addr_v4(cpu_to_be32(0x0a000000 + n / 2)),
		.l3mdev = n % 2 ? 5 : 0,
	};
}

static u32 number_of(const struct hostroute *route)
{
	return (be32_to_cpu(route->key.daddr.v4) - 0x0a000000) * 2 + !!route->key.l3mdev;
}

static void note_drop(struct hostroute *route)
{
	if (model.left_count < KEYS)
		model.left[model.left_count] = number_of(route);
	model.left_count++;
}

/* ---- the model ------------------------------------------------------------------ */

static bool there(u32 n)
{
	return model.entry[n].mtu;
}

/* As of the beginning of the operation, less who has left since. */
static u32 count_of(enum hostroute_rank rank)
{
	return model.count[rank];
}

static u32 count_all(void)
{
	return model.count[HOSTROUTE_RANK_UNPROVEN] +
	       model.count[HOSTROUTE_RANK_TRUSTED] +
	       model.count[HOSTROUTE_RANK_PINNED];
}

static void recount(void)
{
	u32 n;

	memset(model.count, 0, sizeof(model.count));
	for (n = 0; n < KEYS; n++)
		if (there(n))
			model.count[hostroute_class_rank(model.entry[n].class)]++;
}

static void want(u32 n)
{
	model.wanted[model.wanted_count++] = n;
}

static void forget(u32 n)
{
	model.count[hostroute_class_rank(model.entry[n].class)]--;
	hostroute_put(model.entry[n].route);
	model.entry[n] = (struct entry) {};
	want(n);
}

static bool over(const struct hostroute_limits *limits, const struct entry *e, u64 now)
{
	u64 life = limits->expire;

	if (e->class == HOSTROUTE_CLASS_PINNED && e->mtu == e->pinned_mtu)
		return false;
	if (hostroute_class_rank(e->class) == HOSTROUTE_RANK_UNPROVEN)
		life = limits->expire_unproven;
	return life && now >= e->updated + life * SECOND;
}

static void age(const struct hostroute_limits *limits, u32 n, u64 now)
{
	struct entry *e = &model.entry[n];

	if (!there(n) || !over(limits, e, now))
		return;
	if (e->class == HOSTROUTE_CLASS_PINNED)
		e->mtu = e->pinned_mtu;
	else
		forget(n);
}

/* The oldest in the order of use; one that was used goes to the end instead. */
static void evict_learned(void)
{
	u32 n, oldest;
	int chances;

	for (chances = 0; ; chances++) {
		oldest = KEYS;
		for (n = 0; n < KEYS; n++)
			if (there(n) && hostroute_class_rank(model.entry[n].class) ==
					HOSTROUTE_RANK_TRUSTED &&
			    (oldest == KEYS ||
			     model.entry[n].turn < model.entry[oldest].turn))
				oldest = n;
		if (!model.entry[oldest].used || chances == HOSTROUTE_SECOND_CHANCES)
			break;
		model.entry[oldest].used = false;
		model.entry[oldest].turn = ++model.turn;
	}
	forget(oldest);
}

/* Which unproven one goes is the table's to say. */
static void evict(void)
{
	if (count_of(HOSTROUTE_RANK_UNPROVEN)) {
		want(ANY_UNPROVEN);
		model.count[HOSTROUTE_RANK_UNPROVEN]--;
	} else {
		evict_learned();
	}
}

enum room { ROOM, FOR_THE_WEAKEST, FOR_A_LEARNED_ONE, NO_ROOM };

/* Of so few routes that unproven ones are never left to chance. */
static enum room room_for(const struct hostroute_limits *limits,
			  enum hostroute_rank rank)
{
	u32 unproven = count_of(HOSTROUTE_RANK_UNPROVEN);
	u32 learned = count_of(HOSTROUTE_RANK_TRUSTED);
	bool evicts = limits->at_limit == HOSTROUTE_AT_LIMIT_EVICT;

	if (rank == HOSTROUTE_RANK_UNPROVEN) {
		if (unproven < limits->max_unproven && count_all() < limits->max_routes)
			return ROOM;
		return unproven && evicts ? FOR_THE_WEAKEST : NO_ROOM;
	}
	if (count_all() < limits->max_routes)
		return ROOM;
	if (rank == HOSTROUTE_RANK_PINNED)
		return unproven || learned ? FOR_THE_WEAKEST : NO_ROOM;
	if (learned && evicts)
		return FOR_A_LEARNED_ONE;
	return unproven ? FOR_THE_WEAKEST : NO_ROOM;
}

static void model_make_room(enum room room)
{
	if (room == FOR_THE_WEAKEST)
		evict();
	else if (room == FOR_A_LEARNED_ONE)
		evict_learned();
}

static enum hostroute_outcome model_insert(struct fixture *f, u32 n,
					   const struct hostroute_claim *claim, u32 mtu)
{
	enum hostroute_rank rank = hostroute_class_rank(claim->class);
	enum room room = room_for(&f->table.limits, rank);

	if (mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (room == NO_ROOM)
		return HOSTROUTE_IGNORED_FULL;
	model_make_room(room);
	model.entry[n] = (struct entry) {
		.class = claim->class, .mtu = mtu, .updated = claim->now,
		.turn = ++model.turn,
	};
	return HOSTROUTE_LEARNED;
}

static enum hostroute_outcome model_learn(struct fixture *f, u32 n,
					  const struct hostroute_claim *claim)
{
	const struct hostroute_limits *limits = &f->table.limits;
	bool proves = hostroute_class_rank(claim->class) != HOSTROUTE_RANK_UNPROVEN;
	bool known_proven;
	u32 mtu = max(claim->mtu, proves ? limits->min_mtu : limits->min_mtu_unproven);
	struct entry *e = &model.entry[n];

	age(limits, n, claim->now);
	if (!there(n))
		return model_insert(f, n, claim, mtu);
	known_proven = hostroute_class_rank(e->class) != HOSTROUTE_RANK_UNPROVEN;
	if (!proves && (known_proven || (e->class == HOSTROUTE_CLASS_FORWARDED &&
					 claim->class == HOSTROUTE_CLASS_UNPROVEN)))
		return HOSTROUTE_OUTRANKED;
	if (!known_proven && (proves || e->class != claim->class)) {
		if (mtu >= claim->estimate)
			return HOSTROUTE_IGNORED_NOT_SMALLER;
		*e = (struct entry) {
			.route = e->route, .class = claim->class, .mtu = mtu,
			.updated = claim->now, .turn = ++model.turn, .used = true,
		};
		return HOSTROUTE_CONFIRMED;
	}
	if (mtu > e->mtu || (mtu < e->mtu && mtu >= claim->estimate))
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (claim->class > e->class)
		e->class = claim->class;
	e->updated = claim->now;
	e->used = true;
	if (mtu == e->mtu)
		return HOSTROUTE_REFRESHED;
	e->mtu = mtu;
	return HOSTROUTE_LOWERED;
}

static int model_pin(struct fixture *f, u32 n, u32 mtu)
{
	struct entry *e = &model.entry[n];

	age(&f->table.limits, n, f->now);
	if (!there(n)) {
		enum room room = room_for(&f->table.limits, HOSTROUTE_RANK_PINNED);

		if (room == NO_ROOM)
			return -ENOSPC;
		model_make_room(room);
		*e = (struct entry) { .updated = f->now };
	}
	e->class = HOSTROUTE_CLASS_PINNED;
	e->mtu = mtu;
	e->pinned_mtu = mtu;
	return 0;
}

static void model_trim(u32 routes, u32 unproven)
{
	while (count_of(HOSTROUTE_RANK_UNPROVEN) > unproven || count_all() > routes)
		evict();
}

/* ---- the comparison ----------------------------------------------------------------- */

/* Who left is who should have; an unproven one, whichever it was. */
static bool same_departures(void)
{
	unsigned int i;

	if (model.left_count != model.wanted_count)
		return false;
	for (i = 0; i < model.left_count; i++) {
		u32 n = model.left[i];

		if (model.wanted[i] == n)
			continue;
		if (model.wanted[i] != ANY_UNPROVEN || !there(n) ||
		    hostroute_class_rank(model.entry[n].class) != HOSTROUTE_RANK_UNPROVEN ||
		    !model.entry[n].route)
			return false;
		hostroute_put(model.entry[n].route);
		model.entry[n] = (struct entry) {};
	}
	return true;
}

static bool same_entry(struct fixture *f, u32 n)
{
	struct hostroute_key key = key_of(n);
	struct entry *e = &model.entry[n];

	/* It is new. */
	if (there(n) && !e->route) {
		e->route = hostroute_index_find(&f->table, &key);
		if (!e->route)
			return false;
		hostroute_hold(e->route);
	}
	return !there(n) || (!hostroute_is_dead(e->route) && e->route->mtu == e->mtu &&
			     e->route->class == e->class &&
			     e->route->pinned_mtu == e->pinned_mtu);
}

/* Every route of the model is in the table, and the table has no more. */
static bool same(struct fixture *f)
{
	u32 n;

	if (!same_departures())
		return false;
	recount();
	if (hostroute_table_count(&f->table) != count_all())
		return false;
	for (n = 0; n < HOSTROUTE_RANK_COUNT; n++)
		if (hostroute_table_count_rank(&f->table, n) != count_of(n))
			return false;
	for (n = 0; n < KEYS; n++)
		if (!same_entry(f, n))
			return false;
	return true;
}

/* ---- operations ------------------------------------------------------------------------ */

static const enum hostroute_class message_classes[] = {
	HOSTROUTE_CLASS_UNPROVEN, HOSTROUTE_CLASS_UNPROVEN, HOSTROUTE_CLASS_PROVEN,
	HOSTROUTE_CLASS_PROVEN, HOSTROUTE_CLASS_PROVEN, HOSTROUTE_CLASS_LOCAL,
	HOSTROUTE_CLASS_FORWARDED,
};

static bool op_learn(struct fixture *f)
{
	u32 n = pick(KEYS);
	struct hostroute_claim claim = {
		.key = key_of(n),
		.now = f->now,
		.mtu = 500 + pick(12) * 100,
		.estimate = pick(4) ? 1500 : 900,
		.class = message_classes[pick(ARRAY_SIZE(message_classes))],
	};
	enum hostroute_outcome expected = model_learn(f, n, &claim);

	/* One in four is tried first. */
	claim.dry_run = !pick(4);
	if (claim.dry_run && hostroute_learn(&f->table, &claim) != expected)
		return false;
	claim.dry_run = false;
	return hostroute_learn(&f->table, &claim) == expected;
}

/* Time passes, and nothing else happens. */
static bool op_observe(struct fixture *f)
{
	u32 n = pick(KEYS);
	struct hostroute_claim claim = {
		.key = key_of(n),
		.now = f->now,
		.mtu = 500 + pick(12) * 100,
		.estimate = pick(4) ? 1500 : 900,
		.class = message_classes[pick(ARRAY_SIZE(message_classes))],
		.dry_run = true,
	};
	unsigned int before = syncs;

	age(&f->table.limits, n, f->now);
	hostroute_learn(&f->table, &claim);
	/* A pinned route's own value may have come back. */
	return syncs <= before + 1 && told.observed;
}

static bool op_pin(struct fixture *f)
{
	u32 n = pick(KEYS), mtu = 600 + pick(10) * 100;
	struct hostroute_key key = key_of(n);
	int expected = model_pin(f, n, mtu);

	return hostroute_admin_pin(&f->table, &key, mtu, f->now) == expected;
}

static bool op_del(struct fixture *f)
{
	u32 n = pick(KEYS);
	struct hostroute_key key = key_of(n);
	int expected = there(n) ? 0 : -ENOENT;

	if (there(n))
		forget(n);
	return hostroute_admin_del(&f->table, &key) == expected;
}

/* In the order of ids, which the model does not know: asked first. */
static bool op_flush(struct fixture *f)
{
	bool all = !pick(4);
	struct hostroute *route;
	unsigned long id = 0;

	for (; (route = hostroute_index_next(&f->table, &id)); id++) {
		struct entry *e = &model.entry[number_of(route)];

		if (e->class == HOSTROUTE_CLASS_PINNED && !all)
			e->mtu = e->pinned_mtu;
		else
			forget(number_of(route));
	}
	hostroute_bulk_flush(&f->table, all);
	return true;
}

static bool op_limits(struct fixture *f)
{
	struct hostroute_limits *limits = &f->table.limits;
	u32 max = pick(14);

	switch (pick(6)) {
	case 0:
	case 1:
		if (count_of(HOSTROUTE_RANK_PINNED) > max)
			return hostroute_admin_set_max_routes(&f->table, max) == -EBUSY;
		model_trim(max, f->table.unproven_follows ? max / 8 : limits->max_unproven);
		return hostroute_admin_set_max_routes(&f->table, max) == 0 &&
		       limits->max_routes == max;
	case 2:
		max = pick(10);
		model_trim(U32_MAX, max);
		hostroute_admin_set_max_unproven(&f->table, max);
		return limits->max_unproven == max;
	case 3:
		limits->at_limit = pick(2);
		return true;
	case 4:
		/* In order of age the routes of a rank all live equally long. */
		limits->expire = pick(4) * 10;
		return true;
	default:
		limits->expire_unproven = pick(4) * 5;
		return true;
	}
}

/* By rank, and by age within a rank: the model says who is due, not in which
 * order, so their departures are taken in whatever order they come.
 */
static bool op_sweep(struct fixture *f)
{
	u32 n;

	hostroute_bulk_sweep(&f->table, f->now);
	for (n = 0; n < KEYS; n++)
		age(&f->table.limits, n, f->now);
	if (model.left_count != model.wanted_count)
		return false;
	for (n = 0; n < model.left_count; n++) {
		if (there(model.left[n]))
			return false;
		model.wanted[n] = model.left[n];
	}
	return true;
}

static bool op_shrink(struct fixture *f)
{
	u32 most = count_of(HOSTROUTE_RANK_UNPROVEN) + count_of(HOSTROUTE_RANK_TRUSTED);
	u32 n = pick(4), i;

	for (i = 0; i < min(n, most); i++)
		evict();
	return hostroute_bulk_shrink(&f->table, n) == min(n, most);
}

static bool op_use(struct fixture *f)
{
	u32 n = pick(KEYS);

	if (there(n)) {
		hostroute_mark_used(model.entry[n].route);
		model.entry[n].used = true;
	}
	return true;
}

static const struct {
	const char *name;
	u32 weight;
	bool (*run)(struct fixture *f);
} operations[] = {
	{ "learn", 57, op_learn },
	{ "observe", 3, op_observe },
	{ "pin", 6, op_pin },
	{ "del", 8, op_del },
	{ "use", 12, op_use },
	{ "limits", 6, op_limits },
	{ "sweep", 5, op_sweep },
	{ "shrink", 2, op_shrink },
	{ "flush", 1, op_flush },
};

static const char *step(struct fixture *f)
{
	u32 at = pick(100), i;

	for (i = 0; at >= operations[i].weight; i++)
		at -= operations[i].weight;
	f->now += pick(3) * SECOND;
	model.left_count = 0;
	model.wanted_count = 0;
	if (operations[i].run(f) && same(f))
		return NULL;
	return operations[i].name;
}

/* Many, and each soon done: while a case runs, insmod does nothing that the
 * kernel's watchdog for hung tasks would see.
 */
static const u32 seeds[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	497, 898060, 20050412, 0xffffffff,
};

static_assert(ARRAY_SIZE(seeds) * OPERATIONS == 1000000);

static void seed_desc(const u32 *seed, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", *seed);
}

KUNIT_ARRAY_PARAM(seed, seeds, seed_desc);

static void behaves_like_the_model(struct kunit *test)
{
	struct fixture *f = test->priv;
	const char *failed;
	u32 i, n, most = 0;

	model = (struct model) {};
	on_drop = note_drop;
	prandom_seed_state(&rnd, *(const u32 *)test->param_value);
	hostroute_admin_set_max_routes(&f->table, 12);
	for (i = 0; i < OPERATIONS; i++) {
		failed = step(f);
		if (failed) {
			KUNIT_FAIL(test, "operation %u, %s", i, failed);
			break;
		}
		most = max(most, hostroute_table_count(&f->table));
		if (i % 4096 == 0) {
			expect_count(test, f, count_all());
			cond_resched();
		}
	}
	expect_balance(test, f);
	/* It was not for nothing. */
	KUNIT_EXPECT_GE(test, most, 12);
	for (n = 0; n < HOSTROUTE_OUTCOME_COUNT; n++)
		if (stat(f, n))
			pr_info("model: %s %lu\n", hostroute_stats_name(n), stat(f, n));
	KUNIT_EXPECT_GT(test, stat(f, HOSTROUTE_EVICTED), OPERATIONS / 50);
	KUNIT_EXPECT_GT(test, stat(f, HOSTROUTE_EXPIRED), OPERATIONS / 200);
	KUNIT_EXPECT_GT(test, stat(f, HOSTROUTE_RESTORED), OPERATIONS / 1000);
	on_drop = NULL;
	for (n = 0; n < KEYS; n++)
		if (model.entry[n].route)
			hostroute_put(model.entry[n].route);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(behaves_like_the_model, seed_gen_params),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_model",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = done,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit test of pmtu_hostroute's table against a model");
MODULE_LICENSE("GPL");
