// SPDX-License-Identifier: GPL-2.0
/* Device routes: in no table, but guarded by the lock of their namespace's table. */
#include "device_route.h"
#include "../pmtu_hostroute.h"
#include "clone.h"

#include <linux/gfp.h>
#include <linux/minmax.h>

/**
 * hostroute_device_route_new - make a device route
 * @mtu: bytes
 *
 * hostroute_device_route_end() ends it.
 *
 * Context: process, may sleep.
 * Return: the route with one reference, or NULL if memory is short.
 */
struct hostroute *hostroute_device_route_new(u32 mtu)
{
	return hostroute_alloc(&(struct hostroute) {
		.class = HOSTROUTE_CLASS_DEVICE,
		.mtu = min(mtu, HOSTROUTE_MTU_MAX),
	}, GFP_KERNEL);
}

/**
 * hostroute_device_route_set - change the MTU of a device route and of its clones
 * @table:	table of the namespace that it is used in
 * @route:	the device route
 * @mtu:	bytes
 *
 * Context: any but hardirq; takes table->lock.
 */
void hostroute_device_route_set(struct hostroute_table *table,
				struct hostroute *route, u32 mtu)
{
	spin_lock_bh(&table->lock);
	WRITE_ONCE(route->mtu, min(mtu, HOSTROUTE_MTU_MAX));
	hostroute_clone_sync(route);
	spin_unlock_bh(&table->lock);
}

/**
 * hostroute_device_route_drop - drop the clones of a device route
 * @table:	table of the namespace that it is used in
 * @route:	the device route
 *
 * Sockets under it look their route up again.
 *
 * Context: any but hardirq; takes table->lock.
 */
void hostroute_device_route_drop(struct hostroute_table *table,
				 struct hostroute *route)
{
	spin_lock_bh(&table->lock);
	hostroute_clone_drop(route, &table->lock);
	spin_unlock_bh(&table->lock);
}

/**
 * hostroute_device_route_end - end a device route
 * @table:	table of the namespace that it is used in
 * @route:	the device route; the caller's reference is dropped
 *
 * No more clones are made for it, and those that exist are dropped.
 *
 * Context: any but hardirq; takes table->lock.
 */
void hostroute_device_route_end(struct hostroute_table *table,
				struct hostroute *route)
{
	spin_lock_bh(&table->lock);
	WRITE_ONCE(route->id, HOSTROUTE_ID_DEAD);
	hostroute_clone_drop(route, &table->lock);
	spin_unlock_bh(&table->lock);
	hostroute_put(route);
}
