// SPDX-License-Identifier: GPL-2.0
/* What the administrator does to the table: pins, deletions and limits. */
#include "admin.h"
#include "../pmtu_hostroute.h"
#include "bulk.h"
#include "evict.h"
#include "index.h"

static int pin_new(struct hostroute_table *table, const struct hostroute_key *key,
		   u32 mtu)
{
	enum hostroute_victim victim = hostroute_evict_for(table, HOSTROUTE_RANK_PINNED);
	struct hostroute *route;

	lockdep_assert_held(&table->lock);
	if (victim == HOSTROUTE_VICTIM_ITSELF)
		return -ENOSPC;
	route = hostroute_evict_enter(table, &(struct hostroute) {
		.key = *key,
		.class = HOSTROUTE_CLASS_PINNED,
		.mtu = mtu,
		.previous_mtu = mtu,
		.pinned_mtu = mtu,
		.updated = ATOMIC64_INIT(table->now),
	}, victim);
	if (!route)
		return -ENOMEM;
	hostroute_table_note(table, route, HOSTROUTE_ADDED);
	return 0;
}

/**
 * hostroute_admin_pin - pin a host route
 * @table:	the table
 * @key:	destination and VRF
 * @mtu:	bytes
 * @now:	boot time, ns
 *
 * A route that exists becomes pinned, of whatever class it is.
 *
 * Context: process, may sleep.
 * Return: 0; -ENOSPC if there are max_routes pinned routes; -ENOMEM.
 */
int hostroute_admin_pin(struct hostroute_table *table,
			const struct hostroute_key *key, u32 mtu, u64 now)
{
	struct hostroute *route;
	int err = 0;

	mutex_lock(&table->admin);
	spin_lock_bh(&table->lock);
	route = hostroute_index_find_alive(table, key, now, NULL);
	if (route)
		hostroute_table_make_pinned(table, route, mtu);
	else
		err = pin_new(table, key, mtu);
	spin_unlock_bh(&table->lock);
	mutex_unlock(&table->admin);
	return err;
}

/**
 * hostroute_admin_del - delete a host route of any class
 * @table:	the table
 * @key:	destination and VRF
 *
 * Context: process.
 * Return: 0 or -ENOENT.
 */
int hostroute_admin_del(struct hostroute_table *table,
			const struct hostroute_key *key)
{
	struct hostroute *route;

	spin_lock_bh(&table->lock);
	route = hostroute_index_find(table, key);
	if (route)
		hostroute_index_unlink(table, route, HOSTROUTE_DELETED);
	spin_unlock_bh(&table->lock);
	return route ? 0 : -ENOENT;
}

/**
 * hostroute_admin_set_max_routes - change the maximum number of host routes
 * @table:	the table
 * @max:	0 ... HOSTROUTE_MAX_ROUTES_MAX; with 0 nothing is learned
 *
 * It is in force on return: routes above it are evicted.
 *
 * Context: process, may sleep.
 * Return: 0, or -EBUSY if more than @max routes are pinned.
 */
int hostroute_admin_set_max_routes(struct hostroute_table *table, u32 max)
{
	int err = -EBUSY;

	mutex_lock(&table->admin);
	/* No route is pinned while this mutex is held. */
	if (hostroute_table_count_rank(table, HOSTROUTE_RANK_PINNED) <= max) {
		hostroute_bulk_trim(table, max, table->unproven_follows ?
				 hostroute_table_share(max) : table->limits.max_unproven);
		err = 0;
	}
	mutex_unlock(&table->admin);
	return err;
}

/**
 * hostroute_admin_set_max_unproven - change the maximum number of unproven routes
 * @table:	the table
 * @max:	0 ... HOSTROUTE_MAX_ROUTES_MAX, or HOSTROUTE_MAX_UNPROVEN_AUTO for a share
 *		of max_routes
 *
 * It is in force on return: routes above it are evicted.
 *
 * Context: process, may sleep.
 */
void hostroute_admin_set_max_unproven(struct hostroute_table *table, u32 max)
{
	mutex_lock(&table->admin);
	table->unproven_follows = max == HOSTROUTE_MAX_UNPROVEN_AUTO;
	if (table->unproven_follows)
		max = hostroute_table_share(table->limits.max_routes);
	hostroute_bulk_trim(table, table->limits.max_routes, max);
	mutex_unlock(&table->admin);
}
