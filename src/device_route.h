/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device routes: a struct hostroute for all packets that leave by a device on which the
 * administrator has set an MTU (src/device.c). It is in no table and has no destination.
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
