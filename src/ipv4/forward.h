/* SPDX-License-Identifier: GPL-2.0 */
/* FORWARD: what a router does for connections that are not its own. */
#ifndef HOSTROUTE_IPV4_FORWARD_H
#define HOSTROUTE_IPV4_FORWARD_H

#include "../net.h"

void hostroute_forward_init(struct hostroute_net *hn);
void hostroute_forward_exit(struct hostroute_net *hn);
int hostroute_forward_set(struct hostroute_net *hn, u32 value);

#endif
