/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device routes: struct hostroute for all that leaves by a device with an MTU of its
 * own (src/device.c). In no table, and for no destination.
 */
#ifndef HOSTROUTE_DEVICE_ROUTE_H
#define HOSTROUTE_DEVICE_ROUTE_H

#include "table.h"

struct hostroute *hostroute_device_route_new(u32 mtu);
void hostroute_device_route_set(struct hostroute_table *table,
				struct hostroute *route, u32 mtu);
void hostroute_device_route_drop(struct hostroute_table *table,
				 struct hostroute *route);
void hostroute_device_route_end(struct hostroute_table *table,
				struct hostroute *route);

#endif
