/* SPDX-License-Identifier: GPL-2.0 */
/* LOCAL_IN: ICMP messages to this host. */
#ifndef HOSTROUTE_IPV4_INPUT_H
#define HOSTROUTE_IPV4_INPUT_H

#include "../net.h"

int hostroute_input_init(struct hostroute_net *hn);
void hostroute_input_exit(struct hostroute_net *hn);

#endif
