/* SPDX-License-Identifier: GPL-2.0 */
/* Clamping: a TCP socket is put under its host route. */
#ifndef HOSTROUTE_CLAMP_H
#define HOSTROUTE_CLAMP_H

#include "claim.h"
#include "net.h"
#include "stats.h"

#include <net/sock.h>

void hostroute_clamp_net_init(struct hostroute_net *hn);
void hostroute_clamp_net_exit(struct hostroute_net *hn);
struct dst_entry *hostroute_clamp_path(struct sock *sk,
				       struct hostroute_claim *claim);
enum hostroute_outcome hostroute_clamp_learn(struct hostroute_net *hn,
					     struct sock *sk,
					     const struct hostroute_claim *claim);

#endif
