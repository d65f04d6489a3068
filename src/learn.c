// SPDX-License-Identifier: GPL-2.0
/*
 * Learning: what a claim that was believed does to the table. Pure: time and limits are
 * arguments.
 */
#include "learn.h"
#include "../pmtu_hostroute.h"
#include "evict.h"
#include "index.h"
#include "trace.h"

#include <linux/minmax.h>
#include <linux/ratelimit.h>

/* One line a minute for the whole module, because anybody can make namespaces. */
static struct ratelimit_state limit_log =
	RATELIMIT_STATE_INIT_FLAGS(limit_log, 60 * HZ, 1, RATELIMIT_MSG_ON_RELEASE);

/* Note in the route that a claim about its destination was accepted. */
static void accept(struct hostroute_table *table, struct hostroute *route,
		   const struct hostroute_claim *claim)
{
	enum hostroute_rank rank = hostroute_rank_of(route);

	atomic64_set(&route->updated, table->now);
	WRITE_ONCE(route->uses, route->uses + 1);
	WRITE_ONCE(route->used, true);
	if (rank == HOSTROUTE_RANK_PINNED && !hostroute_is_lowered(route))
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
	/* The path's own MTU (of the link, for example) has dropped below the learned
	 * one. Then the claim is no news about the rest of the path, and the path's own
	 * MTU may grow again.
	 */
	if (mtu < route->mtu && mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (claim->dry_run)
		return mtu == route->mtu ? HOSTROUTE_REFRESHED : HOSTROUTE_LOWERED;
	if (claim->class > route->class)
		hostroute_table_change_class(table, route, claim->class);
	if (mtu == route->mtu) {
		accept(table, route, claim);
		return HOSTROUTE_REFRESHED;
	}
	hostroute_table_set_mtu(table, route, mtu);
	accept(table, route, claim);
	return HOSTROUTE_LOWERED;
}

/* The MTU of a device may be more than IP can use. */
static u16 estimate_of(const struct hostroute_claim *claim)
{
	return min(claim->estimate, HOSTROUTE_MTU_MAX);
}

/* A stronger claim replaces what an unproven or forwarded route had. The old MTU does not
 * count, so the new one may also be larger.
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
	hostroute_table_set_mtu(table, route, mtu);
	hostroute_table_change_class(table, route, claim->class);
	WRITE_ONCE(route->previous_mtu, estimate_of(claim));
	accept(table, route, claim);
	return HOSTROUTE_CONFIRMED;
}

static enum hostroute_outcome insert(struct hostroute_table *table,
				     const struct hostroute_claim *claim, u32 mtu,
				     enum hostroute_victim victim)
{
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	if (mtu >= claim->estimate)
		return HOSTROUTE_IGNORED_NOT_SMALLER;
	if (victim == HOSTROUTE_VICTIM_ITSELF)
		return HOSTROUTE_IGNORED_FULL;
	if (claim->dry_run)
		return HOSTROUTE_LEARNED;
	/* A failed allocation costs the memory cgroup work, too. So a claim that anybody
	 * can send does not cause another one within the same tick.
	 */
	if (hostroute_class_rank(claim->class) == HOSTROUTE_RANK_UNPROVEN &&
	    table->starved == table->now)
		return HOSTROUTE_PASSED_MEMORY;
	route = hostroute_evict_enter(table, &(struct hostroute) {
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
	return hostroute_class_rank(class) == HOSTROUTE_RANK_UNPROVEN ?
	       READ_ONCE(table->limits.min_mtu_unproven) :
	       READ_ONCE(table->limits.min_mtu);
}

/* Whether a claim of @class is stronger than a route. Proven and local are equals, and
 * neither is stronger than a pinned route.
 */
static bool stronger(enum hostroute_class class, const struct hostroute *route)
{
	return route->class <= HOSTROUTE_CLASS_FORWARDED && class > route->class;
}

/* For the tracepoint: what an accepted claim makes of @route, which may be NULL. */
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

	/* A route that is confirmed keeps nothing of what it was. */
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
 * hostroute_learn - act on a claim that was believed
 * @table:	the table
 * @claim:	the claim
 *
 * A known destination is updated in place and does not count again (KB 898060). An
 * increase is refused and does not extend the life of the route (RFC 1191 6.3). The same
 * MTU again extends it. A claim can lower a pinned route for a while; the route stays
 * pinned (KB 244539).
 *
 * A dry run does not act on the claim. It takes out a route that has expired, as the
 * sweep would do.
 *
 * Context: any but hardirq, RCU if @claim->known is not NULL; takes table->lock.
 * Return: LEARNED, LOWERED, REFRESHED, CONFIRMED, IGNORED_NOT_SMALLER,
 * OUTRANKED, IGNORED_FULL or PASSED_MEMORY.
 */
enum hostroute_outcome hostroute_learn(struct hostroute_table *table,
				       const struct hostroute_claim *claim)
{
	enum hostroute_rank rank = hostroute_class_rank(claim->class);
	u32 mtu = max(claim->mtu, floor_of(table, claim->class));
	bool watched = hostroute_trace_learning();
	enum hostroute_outcome outcome;
	struct hostroute *route, after;
	enum hostroute_victim victim = HOSTROUTE_VICTIM_NONE;
	u32 max;

	spin_lock_bh(&table->lock);
	route = hostroute_index_find_alive(table, &claim->key, claim->now, claim->known);
	max = table->limits.max_routes;
	if (!route)
		victim = hostroute_evict_for(table, rank);
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
		hostroute_trace_route(table->owner, &after, outcome, claim->dry_run);
	spin_unlock_bh(&table->lock);

	if (hostroute_evict_limit_bites(victim, rank) && max && !claim->dry_run &&
	    (outcome == HOSTROUTE_LEARNED || outcome == HOSTROUTE_IGNORED_FULL))
		log_limit(table, max, outcome);
	return outcome;
}
