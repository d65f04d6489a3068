/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/class/net/DEV/pmtu_hostroute/: an MTU for each device. */
#ifndef HOSTROUTE_DEVICE_H
#define HOSTROUTE_DEVICE_H

#include "net.h"

int hostroute_device_init(void);
void hostroute_device_exit(void);
struct hostroute *hostroute_device_find_route(struct hostroute_net *hn,
					      const struct dst_entry *dst);
void hostroute_device_drop_all(struct hostroute_net *hn);

#endif
