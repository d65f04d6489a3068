/* SPDX-License-Identifier: GPL-2.0 */
/* LOCAL_OUT: puts packets, and TCP sockets, under their host route. */
#ifndef HOSTROUTE_IPV4_OUTPUT_H
#define HOSTROUTE_IPV4_OUTPUT_H

#include "../net.h"

void hostroute_output_init(struct hostroute_net *hn);

#endif
