/* SPDX-License-Identifier: GPL-2.0 */
/* RFC 5927 7.2: claims that conflict with acknowledged data wait. */
#ifndef HOSTROUTE_DEFER_H
#define HOSTROUTE_DEFER_H

#include "claim.h"
#include "net.h"
#include "stats.h"

#include <net/sock.h>

void hostroute_defer_net_init(struct hostroute_net *hn);
void hostroute_defer_net_exit(struct hostroute_net *hn);
enum hostroute_outcome hostroute_defer_claim(struct hostroute_net *hn,
					     struct sock *sk, u32 seq,
					     const struct hostroute_claim *claim);

#endif
