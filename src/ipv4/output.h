/* SPDX-License-Identifier: GPL-2.0 */
/* LOCAL_OUT: packets under their host route. */
#ifndef HOSTROUTE_IPV4_OUTPUT_H
#define HOSTROUTE_IPV4_OUTPUT_H

#include "../net.h"

void hostroute_output_init(struct hostroute_net *hn);

#endif
