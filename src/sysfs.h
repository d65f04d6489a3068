/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/class/pmtu_hostroute/ipv4/, one for each network namespace. */
#ifndef HOSTROUTE_SYSFS_H
#define HOSTROUTE_SYSFS_H

#include "net.h"

int hostroute_sysfs_init(void);
void hostroute_sysfs_exit(void);
int hostroute_sysfs_net_init(struct hostroute_net *hn);
void hostroute_sysfs_net_exit(struct hostroute_net *hn);

#endif
