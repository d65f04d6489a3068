/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/pmtu_hostroute: the list of all host routes. */
#ifndef HOSTROUTE_LISTING_H
#define HOSTROUTE_LISTING_H

#include "net.h"

int hostroute_listing_net_init(struct hostroute_net *hn);
void hostroute_listing_net_exit(struct hostroute_net *hn);

#endif
