// SPDX-License-Identifier: GPL-2.0
/* The devices on which the administrator has set an MTU. */
#include "override.h"
#include "../pmtu_hostroute.h"

#include <linux/hashtable.h>
#include <linux/minmax.h>
#include <linux/rculist.h>

/* Written under src/device.c's mutex, read under RCU. */
static DEFINE_HASHTABLE(overrides, 6);

/* The MTU that this host may use, bytes. The administrator can write a value below the
 * minimum of IP.
 */
u32 hostroute_override_limit(const struct hostroute_override *override)
{
	return max(READ_ONCE(override->mtu), HOSTROUTE_MTU_MIN);
}

/* Context: RCU. Return: NULL if no MTU is in force on @dev. */
struct hostroute_override *hostroute_override_find(const struct net_device *dev)
{
	struct hostroute_override *override;

	hash_for_each_possible_rcu(overrides, override, node, (unsigned long)dev)
		if (override->dev == dev)
			return override;
	return NULL;
}

/**
 * hostroute_override_mtu - the MTU that is set on a device
 * @dev: any device
 *
 * Context: any.
 * Return: bytes, possibly above the link's MTU; HOSTROUTE_OVERRIDE_NONE if none is set.
 */
u32 hostroute_override_mtu(const struct net_device *dev)
{
	const struct hostroute_override *override;
	u32 mtu;

	rcu_read_lock();
	override = hostroute_override_find(dev);
	mtu = override ? hostroute_override_limit(override) : HOSTROUTE_OVERRIDE_NONE;
	rcu_read_unlock();
	return mtu;
}

/* Context: src/device.c's mutex. */
void hostroute_override_add(struct hostroute_override *override)
{
	hash_add_rcu(overrides, &override->node, (unsigned long)override->dev);
}

/* Context: src/device.c's mutex. RCU readers may see it for another grace period. */
void hostroute_override_remove(struct hostroute_override *override)
{
	hash_del_rcu(&override->node);
}
