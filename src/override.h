/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices on which the administrator has set an MTU for this host to use, below the
 * link's. src/device.c sets and removes it.
 */
#ifndef HOSTROUTE_OVERRIDE_H
#define HOSTROUTE_OVERRIDE_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/types.h>

/* No MTU is set: 0xFFFFFFFF, as in the registry value MTU (KB 898060). */
#define HOSTROUTE_OVERRIDE_NONE	U32_MAX

/**
 * struct hostroute_override - the MTU that is set on a device
 * @node:	in the hash while it is in force; RCU
 * @dev:	the device
 * @mtu:	bytes, as the administrator wrote it; one word, READ_ONCE()
 */
struct hostroute_override {
	struct hlist_node	node;
	struct net_device	*dev;
	u32			mtu;
};

u32 hostroute_override_limit(const struct hostroute_override *override);
u32 hostroute_override_mtu(const struct net_device *dev);
struct hostroute_override *hostroute_override_find(const struct net_device *dev);
void hostroute_override_add(struct hostroute_override *override);
void hostroute_override_remove(struct hostroute_override *override);

#endif
