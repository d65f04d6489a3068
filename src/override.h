/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The MTU that the administrator has set on a device, below the link's, and which
 * devices have one. How it is set is src/device.c's.
 */
#ifndef HOSTROUTE_OVERRIDE_H
#define HOSTROUTE_OVERRIDE_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/types.h>

#define HOSTROUTE_OVERRIDE_NONE	U32_MAX		/* the registry's 0xFFFFFFFF */

/**
 * struct hostroute_override - a device with an MTU of its own
 * @node:	in the hash while it is in force; RCU
 * @dev:	the device
 * @mtu:	as it was written; one word
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
